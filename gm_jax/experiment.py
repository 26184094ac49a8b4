"""An experiment: data, model and how to train and evaluate it, as one frozen value."""

import dataclasses
import difflib
import re
from typing import Annotated, Any, Literal

import tyro

from gm_jax.config_types import Config
from gm_jax.data.config import AnyData
from gm_jax.errors import ConfigError, UserError, check_not_negative, check_positive
from gm_jax.model import Family
from gm_jax.printing import brief, html_table, text_table

MAX_SEED = 2**63 - 1
"""jax.random.key takes no larger one."""
_LEAST_SAMPLES = 10  # of which a figure says anything


@dataclasses.dataclass(frozen=True)
class Training(Config):
    """How long to train, and what happens how often. All counts are in steps."""

    num_steps: int = 1000
    """Training steps in all; a larger number lets a finished run go on."""
    log_every: int = 100
    """Steps between lines of metrics."""
    eval_every: int = 500
    """Steps between validations (0: never). A checkpoint is saved at each."""
    checkpoint_every: int = 500
    """Steps between checkpoints (0: only at validations and at the end)."""
    sample_every: int = 500
    """Steps between pictures of samples and reconstructions (0: only at the end)."""
    monitor: str | None = None
    """Validation figure that picks the best checkpoint and stops early (None: the model's own)."""
    monitor_mode: Literal["min", "max"] = "min"
    """Whether the monitored figure is better when small or when large."""
    patience: int | None = None
    """Stop after this many validations in a row without a better figure (None: never)."""
    samples_for_metrics: int = 0
    """Samples drawn at each validation for its figures kid and, where a classifier reads them,
    label_agreement and classes_covered (0: none)."""
    metrics_classifier: str | None = None
    """Folder of the run of that classifier, whose features kid is in (None: random features)."""
    keep_latest: int = 1
    """Latest checkpoints kept beside the best one; at least 2, to have one to go back to."""
    steps_per_dispatch: int | None = None
    """Steps the device runs per call (None: 1 on a CPU, 10 on an accelerator)."""

    def __post_init__(self) -> None:
        check_positive(
            self, "num_steps", "log_every", "patience", "keep_latest", "steps_per_dispatch"
        )
        check_not_negative(
            self, "eval_every", "checkpoint_every", "sample_every", "samples_for_metrics"
        )
        if 0 < self.samples_for_metrics < _LEAST_SAMPLES:
            raise ConfigError(
                f"Training.samples_for_metrics must be 0, or {_LEAST_SAMPLES} or more, "
                f"not {self.samples_for_metrics}"
            )
        if self.metrics_classifier is not None and not self.samples_for_metrics:
            raise ConfigError(
                "Training.metrics_classifier reads samples: give samples_for_metrics too, e.g. 1000"
            )


@dataclasses.dataclass(frozen=True)
class Evaluation(Config):
    """How a finished model is scored."""

    batch_size: int = 500
    """Examples scored at once."""
    num_samples: int = 0
    """Effort of the estimate of log p(x), e.g. K of IWAE-K (0: leave it out)."""
    checkpoint: Literal["latest", "best"] = "latest"
    """Which checkpoint the closing figures and pictures use."""

    def __post_init__(self) -> None:
        check_positive(self, "batch_size")
        check_not_negative(self, "num_samples")


@dataclasses.dataclass(frozen=True)
class Sharding(Config):
    """How the devices share the work."""

    data: int | None = None
    """Devices that share each batch (None: the most that divide the batch size)."""
    state_min_size: int | None = None
    """Arrays of the state with at least this many values are split over these devices, along their
    longest axis that divides (None: each device has the whole state)."""
    state_rules: tuple[str, ...] = ()
    """Before the size counts: REGEX=AXIS splits arrays whose path it is found in along that axis,
    REGEX=whole leaves them whole; the first that matches holds. A path: params/encoder/kernel."""

    def __post_init__(self) -> None:
        check_positive(self, "data", "state_min_size")
        for rule in self.state_rules:
            pattern, equals, axis = rule.rpartition("=")
            if not (pattern and equals) or not re.fullmatch(r"-?\d+|whole", axis):
                raise ConfigError(
                    "Sharding.state_rules must be REGEX=AXIS or REGEX=whole, such as kernel$=0, "
                    f"not {rule!r}"
                )
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(
                    f"Sharding.state_rules has {rule!r}, which is no regular expression: {error}"
                ) from None

    @property
    def splits_state(self) -> bool:
        """Whether any array of the state is to be split."""
        return self.state_min_size is not None or bool(self.state_rules)


@dataclasses.dataclass(frozen=True)
class Experiment(Config):
    """One experiment. Built by `get_config()`, or a variant of it, of a file in experiments/."""

    data: AnyData
    model: Family
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    sharding: Sharding = Sharding()
    seed: int = 0
    """Root of every random number."""
    name: Annotated[str, tyro.conf.Suppress] = ""
    """Where it was loaded from, e.g. digits/vae or digits/vae:paper; names the run's folder."""

    def __post_init__(self) -> None:
        check_not_negative(self, "seed")
        if self.seed > MAX_SEED:
            raise ConfigError(f"Experiment.seed must be at most {MAX_SEED}, not {self.seed}")

    def __repr__(self) -> str:
        return text_table(f"Experiment {self.name or 'without a name'}", self.table())

    def _repr_html_(self) -> str:
        return html_table(f"Experiment {self.name or 'without a name'}", self.table())

    def table(self) -> dict[str, str]:
        """Its parts by name, each as the call that makes it."""
        parts = (f.name for f in dataclasses.fields(self) if f.name != "name")
        return {name: brief(getattr(self, name)) for name in parts}

    def replace(self, **changes: Any) -> "Experiment":
        """A copy with fields changed, named by dotted paths: `replace(**{"model.beta": 2.0})`.

        Raises:
          UserError: for an unknown field (with the nearest name) or an impossible value.
        """
        experiment = self
        for path, value in changes.items():
            experiment = _replace_at(experiment, path.replace("-", "_"), path, value)
        return experiment

    def quick(self) -> "Experiment":
        """The same experiment in miniature, for tests: seconds instead of hours."""
        training = dataclasses.replace(
            self.training,
            num_steps=4,
            log_every=2,
            eval_every=2,
            checkpoint_every=2,
            sample_every=2,
            patience=None,
            samples_for_metrics=0,
            metrics_classifier=None,
        )
        return dataclasses.replace(
            self,
            data=self.data.quick(),
            model=self.model.quick(),
            training=training,
            evaluation=dataclasses.replace(
                self.evaluation, batch_size=16, num_samples=min(self.evaluation.num_samples, 3)
            ),
        )


def field_paths(config: Any, prefix: str = "") -> list[str]:
    """Dotted paths of all fields below a dataclass."""
    paths = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        paths.append(prefix + field.name)
        if dataclasses.is_dataclass(value):
            paths.extend(field_paths(value, f"{prefix}{field.name}."))
    return paths


def unknown_field(experiment: Experiment, path: str) -> UserError:
    """The error for a field that does not exist, with the nearest name that does."""
    near = difflib.get_close_matches(path.replace("-", "_"), field_paths(experiment), 1, 0.5)
    hint = f" Did you mean {near[0]}?" if near else ""
    return UserError(f"the experiment has no field {path}.{hint}")


def _replace_at(config: Any, path: str, full: str, value: Any, root: Any = None) -> Any:
    root = config if root is None else root
    head, _, rest = path.partition(".")
    if not dataclasses.is_dataclass(config) or head not in {
        f.name for f in dataclasses.fields(config)
    }:
        raise unknown_field(root, full)
    if rest:
        value = _replace_at(getattr(config, head), rest, full, value, root)
    return dataclasses.replace(config, **{head: value})  # type: ignore[type-var]
