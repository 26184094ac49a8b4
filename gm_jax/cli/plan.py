"""gm-jax plan."""

import contextlib
import dataclasses
import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.parsing import parse
from gm_jax.cli.report import say, spoken
from gm_jax.errors import UserError

if TYPE_CHECKING:
    import jax

_UNITS = {"k": 1, "m": 2, "g": 3, "t": 4}


@dataclasses.dataclass(frozen=True)
class Plan(Command):
    """Say what an experiment takes of each device, before it is trained: state, memory, FLOPs.

    Example: gm-jax plan cifar10/ddpm --devices 8 --memory 16GiB --sharding.state-min-size 65536
    """

    devices: int = 1
    """How many share a batch; where there are fewer, as many are simulated on this CPU."""
    memory: str | None = None
    """Of one device, e.g. 16GiB or 80GB: says whether it fits."""

    experiment: tyro.conf.Suppress[Any] = None

    @classmethod
    def parsed(cls, name: str, argv: Sequence[str]) -> Command:
        """plan EXPERIMENT [options]: the experiment's fields are options too.

        Raises:
          UserError: for an experiment that is not there, or options that do not fit it.
        """
        if not argv or argv[0].startswith("-"):
            if {"-h", "--help"} & set(argv):
                return super().parsed(name, argv)
            raise UserError("gm-jax plan needs an experiment first, e.g. gm-jax plan digits/vae")
        from gm_jax.experiment_file import resolve

        typed, *rest = argv
        resolve(typed)  # a wrong name is answered before jax is imported
        from gm_jax.runtime import set_up

        set_up()
        from gm_jax.experiment import field_paths
        from gm_jax.experiment_file import load

        default = load(typed)
        fields: dict[str, Any] = {
            p: functools.reduce(getattr, p.split("."), default) for p in field_paths(default)
        }
        fields |= {"devices": 1, "memory": None}
        options = {name.replace("_", "-"): value for name, value in fields.items()}

        @dataclasses.dataclass(frozen=True)
        class PlanExperiment(cls):  # type: ignore[misc, valid-type]
            __doc__ = cls.__doc__
            experiment: Annotated[type(default), tyro.conf.arg(name="")] = default  # type: ignore

        return parse(PlanExperiment, rest, f"gm-jax {name} {typed}", options, default.name)

    def act(self) -> int:
        """Compiles a step, and tells what it takes; ends with 0 whether it fits or not."""
        from gm_jax.training.footprint import footprint

        room = None if self.memory is None else num_bytes(self.memory)
        batch, sharing = self.experiment.data.batch_size, self.experiment.sharding.data
        if sharing is None and self.devices > batch:  # before so many are simulated
            raise UserError(
                f"--devices is {self.devices}, but a batch has {batch} examples to share: take "
                "fewer, or a larger --data.batch-size"
            )
        devices = some_devices(self.devices)
        found = footprint(self.experiment, devices)
        state = found.state
        num = sharing or len(devices)
        say("plan", f"{self.experiment.name} · batch {batch} · {num} {devices[0].device_kind}")
        say(
            "state",
            f"{state.num_params:,} parameters · {spoken(state.num_bytes)} with optimizer and "
            f"averages · {spoken(state.device_bytes)} a device",
        )
        data = f"{spoken(found.data_bytes)} a device" if found.data_bytes else "streamed"
        say("data", data)
        say(
            "step",
            f"{spoken(found.temporary_bytes)} a device for activations and gradients · "
            f"{found.flops:.3g} FLOPs a device",
        )
        fits = ""
        if room is not None:
            verdict = "fits" if found.total_bytes <= room else "does not fit"
            fits = f" of {spoken(room)}: {verdict} ({found.total_bytes / room:.0%})"
        say("memory", f"{spoken(found.total_bytes)} a device{fits}")
        return 0


def num_bytes(text: str) -> int:
    """Of a size as people write it: 16GiB, 80 GB, 512M (which is MiB).

    Raises:
      UserError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt])(i?b)?", text.strip().lower())
    size = 0.0
    if match:
        base = 1000 if match[3] == "b" else 1024
        size = float(match[1]) * base ** _UNITS[match[2]]
    if size < 1:
        raise UserError(f"--memory must be a size such as 16GiB or 80GB, not {text!r}")
    return int(size)


def some_devices(num: int) -> "list[jax.Device]":
    """So many devices: real ones, or parts of the CPU where there are too few.

    Raises:
      UserError: for no number that can be.
    """
    import jax

    if num < 1:
        raise UserError(f"--devices must be at least 1, not {num}")
    with contextlib.suppress(RuntimeError):  # jax runs already, and has as many as it has
        jax.config.update("jax_num_cpu_devices", num)
    for devices in (jax.devices(), jax.devices("cpu")):
        if len(devices) >= num:
            return devices[:num]
    raise UserError(f"--devices is {num}, but this process has only {len(jax.devices('cpu'))}")
