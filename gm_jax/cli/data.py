"""gm-jax data."""

import dataclasses
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from gm_jax.cli.command import Command
from gm_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Data(Command):
    """List, describe or prepare data sets. Example: gm-jax data prepare mnist"""

    action: tyro.conf.Positional[Literal["list", "info", "prepare"]]
    """list what is prepared, describe one set, or download and prepare one."""
    name: Annotated[str | None, tyro.conf.Positional] = None
    """Name of a TFDS set."""
    data_dir: Path | None = None
    """Where to prepare it (default: the first of the folders that are looked in)."""

    from_: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """A folder that has the original files of a public set: nothing is downloaded then."""

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        from gm_jax.data import prepare

        name, action = self.name, self.action
        if action == "list":
            if name is not None:
                raise UserError(
                    f"gm-jax data list takes no name (gm-jax data info {name} describes it)"
                )
            rows = prepare.list_prepared()
            for prepared in rows:
                print(prepared)
            if not rows:
                print("nothing is prepared yet (gm-jax data prepare mnist)")
            return 0
        if name is None:
            raise UserError(f"gm-jax data {action} needs a name, e.g. gm-jax data {action} mnist")
        if action == "info":
            print(prepare.describe(name))
        else:
            lines = prepare.introduce(name, self.data_dir, self.from_)
            if lines is not None:
                print(lines, flush=True)
            print(prepare.prepare(name, self.data_dir, self.from_))
        return 0
