"""How parameters move: an optax chain built from one small config."""

import dataclasses
from typing import Annotated, Any, Literal

import jax
import optax
import tyro

from gm_jax.config_types import Config
from gm_jax.errors import (
    ConfigError,
    check_fraction,
    check_not_negative,
    check_positive,
)
from gm_jax.optax_rules import Rule, check_rule, optax_rule

_OWN = ("adam", "adamax", "rmsprop", "sgd")


@dataclasses.dataclass(frozen=True)
class Optimizer(Config):
    """Gradient transformation, schedule, clipping, accumulation, weight decay and EMA.

    The order is: accumulate, clip by global norm, precondition, decay weights (decoupled, on
    parameters with two or more axes), scale by the learning rate.
    """

    name: str = "adam"
    """Rule that preconditions the gradient: adam, adamax, rmsprop, sgd, or any optimizer of optax
    by its name, such as adamw, lion, muon or lamb. Of the latter, what b1, b2, eps and weight_decay
    leave at the defaults here is as optax has it."""
    rule: Annotated[Rule | None, tyro.conf.Suppress] = None
    """A function of your own instead, at the top of its file: of the learning rate (a number or a
    schedule) it makes any optax chain."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """Shape of the decay after the warm-up."""
    warmup_steps: int = 0
    """Updates over which the learning rate grows linearly from 0."""
    decay_steps: int | None = None
    """Update at which the learning rate has reached final_fraction of its peak."""
    final_fraction: float = 0.0
    """Learning rate at the end of the decay, as a fraction of the peak."""
    b1: float = 0.9
    """Decay of the first moment (adam, adamax), or momentum (sgd, rmsprop: 0 is none)."""
    b2: float = 0.999
    """Decay of the second moment (adam, adamax, rmsprop)."""
    eps: float = 1e-8
    """Added to the root of the second moment (rmsprop: below the root, as TensorFlow 1 has it)."""
    weight_decay: float = 0.0
    """Decoupled weight decay, times the learning rate."""
    clip_norm: float | None = None
    """Largest global norm of the gradient; longer ones are scaled down."""
    accumulate_steps: int = 1
    """Batches whose gradients are averaged into one update."""
    ema_decay: float | None = None
    """Decay of the exponential moving average of the parameters that evaluation and samples use."""
    ema_warmup: bool = True
    """Whether the average forgets its start soon: its decay after t updates is at most
    (1 + t) / (10 + t)."""

    def __post_init__(self) -> None:
        check_positive(self, "learning_rate", "eps", "clip_norm", "accumulate_steps", "decay_steps")
        check_not_negative(self, "warmup_steps", "weight_decay", "final_fraction")
        check_fraction(self, "b1", "b2", "ema_decay")
        if self.schedule != "constant" and self.decay_steps is None:
            raise ConfigError(f"Optimizer.schedule {self.schedule!r} needs Optimizer.decay_steps")
        if self.decay_steps is not None and self.decay_steps <= self.warmup_steps:
            raise ConfigError(
                f"Optimizer.decay_steps must exceed warmup_steps ({self.warmup_steps}), "
                f"not {self.decay_steps}"
            )
        if self.rule is not None:
            if changed := [*self._changed(), *["name"] * (self.name != "adam")]:
                raise ConfigError(f"Optimizer.{changed[0]} has no part beside Optimizer.rule")
            check_rule(f"Optimizer.rule {self.rule.__name__}", self.build)
        elif self.name not in _OWN:
            self._rule()  # says what is wrong with the name
            check_rule(f"Optimizer.name {self.name}", self.build)

    def learning_rate_at(self) -> optax.Schedule:
        """The schedule: update count -> learning rate."""
        peak, end = self.learning_rate, self.learning_rate * self.final_fraction
        decay_steps = (self.decay_steps or 0) - self.warmup_steps
        match self.schedule:
            case "constant":
                main = optax.constant_schedule(peak)
            case "cosine":
                main = optax.cosine_decay_schedule(peak, decay_steps, self.final_fraction)
            case "linear":
                main = optax.linear_schedule(peak, end, decay_steps)
        if not self.warmup_steps:
            return main
        warmup = optax.linear_schedule(0.0, peak, self.warmup_steps)
        return optax.join_schedules([warmup, main], [self.warmup_steps])

    def build(self) -> optax.GradientTransformationExtraArgs:
        """The optax transformation."""
        steps: list[optax.GradientTransformation] = []
        if self.clip_norm is not None:
            steps.append(optax.clip_by_global_norm(self.clip_norm))
        transformation = optax.chain(*steps, *self._rule())
        if self.accumulate_steps > 1:
            return optax.MultiSteps(transformation, self.accumulate_steps).gradient_transformation()
        return optax.with_extra_args_support(transformation)

    def _rule(self) -> list[optax.GradientTransformation]:
        if self.rule is None and self.name in _OWN:
            return self._own_rule()
        constant = self.schedule == "constant" and not self.warmup_steps
        learning_rate = self.learning_rate if constant else self.learning_rate_at()
        if self.rule is not None:
            return [self.rule(learning_rate)]
        return [optax_rule(self.name, learning_rate, self._changed(), _is_matrix)]

    def _changed(self) -> dict[str, float]:
        """What is said of the rule beside its name."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        values = {n: getattr(self, n) for n in ("b1", "b2", "eps", "weight_decay")}
        return {name: value for name, value in values.items() if value != defaults[name]}

    def _own_rule(self) -> list[optax.GradientTransformation]:
        steps: list[optax.GradientTransformation] = []
        match self.name:
            case "adam":
                steps.append(optax.scale_by_adam(self.b1, self.b2, self.eps))
            case "adamax":
                steps.append(optax.scale_by_adamax(self.b1, self.b2, self.eps))
            case "rmsprop":
                steps.append(optax.scale_by_rms(self.b2, self.eps))
            case "sgd":
                steps.append(optax.identity())
        if self.name in ("rmsprop", "sgd") and self.b1:
            steps.append(optax.trace(self.b1))
        if self.weight_decay:
            steps.append(optax.add_decayed_weights(self.weight_decay, mask=_is_matrix))
        steps.append(optax.scale_by_learning_rate(self.learning_rate_at()))
        return steps


def _is_matrix(params: Any) -> Any:
    return jax.tree.map(lambda p: p.ndim > 1, params)
