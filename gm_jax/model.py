"""What a family is: pure methods on a frozen dataclass, and one pytree of state.

A model owns its whole update: the loop never learns whether it was one gradient, a
discriminator's and then a generator's, or an M-step. What else a family can do is a capability, a
small protocol; commands and evaluators ask for it by `can`, since ability depends on the data too.
"""

import abc
import dataclasses
import difflib
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import flax.struct
import jax
import jax.numpy as jnp
import optax

from gm_jax.config_types import Config
from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.functional.dtypes import full_precision
from gm_jax.optimizer import Optimizer
from gm_jax.rng import Rngs

Array = jax.Array
Batch = Mapping[str, Array]
Metrics = dict[str, Array]
FigureKind = Literal["exact", "bound", "surrogate", "error", "estimate"]


class TrainState(flax.struct.PyTreeNode):
    """Everything that training changes, and nothing else.

    Attributes:
      step: int32 scalar, updates done.
      key: the root key of the run; never changes.
      params: parameters by network.
      model_state: what moves without a gradient (batch statistics, EM's sufficient statistics).
      opt_state: optax's state.
      ema_params: moving average of params, or None.
      spec: of the data the state was made for; static, no leaf of the tree.
    """

    step: Array
    key: Array
    params: Any
    model_state: Any
    opt_state: Any
    ema_params: Any = None
    spec: DataSpec = flax.struct.field(pytree_node=False, default=DataSpec((1, 1, 1)))

    @property
    def eval_params(self) -> Any:
        """The parameters to evaluate and sample with: the moving average where there is one."""
        return self.params if self.ema_params is None else self.ema_params


# What a figure of one name is worth in every family; `Family.figure_kinds` tells of the others.
_KINDS: dict[str, FigureKind] = {
    "accuracy": "estimate",
    "bce": "error",
    "error": "error",
    "mae": "error",
    "mse": "error",
    "psnr": "error",
    "ssim": "error",
}


@dataclasses.dataclass(frozen=True)
class Family(Config, abc.ABC):
    """A family of generative models: derive a frozen dataclass, its fields the hyper-parameters.

    A family promises `init`, `update` and `evaluate`. What else it can do it says by having the
    methods of a capability below. What it may say of itself stands here, with what holds if it says
    nothing. Parts of its own have names that begin with an underscore; a public name that is
    neither a field, nor here, nor of a capability is refused when the class is made, since it would
    be a misspelt promise that nobody hears.

    Attributes:
      numerics: goes up when a change alters what the family learns; a run is resumed under the same
        one only.
      monitor: validation figure that picks the best checkpoint, unless the experiment names one.
      takes_points: whether it learns from points too (`spec.continuous`): its batches then hold
        float32 points, and `sample` gives such.
      takes_sequences: whether it learns from sequences (`spec.is_sequence`), and from nothing else.
      non_finite_hint: what to try when a step is not finite; None: what helps where there is a
        gradient.
      own_parts: further public names of this class and of those derived from it.
    """

    numerics: ClassVar[int] = 1
    monitor: ClassVar[str] = "loss"
    takes_points: ClassVar[bool] = False
    takes_sequences: ClassVar[bool] = False
    non_finite_hint: ClassVar[str | None] = None
    own_parts: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_parts(cls)

    @abc.abstractmethod
    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A fresh state for data of this spec.

        Raises:
          ConfigError: data that the family cannot take.
        """

    @abc.abstractmethod
    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        """One step of training, pure; the metrics are scalars and include "loss"."""

    @abc.abstractmethod
    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """Figures per example, [B] each."""

    @property
    def conditional(self) -> bool:
        """Whether it learns p(x|y): it needs labels, and draws by labels [num], its `condition`."""
        return False

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        """What its figures are worth, by name, where `kind_of` does not know it."""
        return {}

    def check_batch(self, size: int) -> None:
        """Looks whether batches of `size` will do.

        Raises:
          ConfigError: where they will not.
        """

    def supports(self, ability: str, spec: DataSpec) -> bool:
        """Whether data of this spec, or its own fields, let it do what it has the methods for."""
        return True

    def quick(self) -> Self:
        """The same family in miniature, for tests."""
        return self


def kind_of(model: Family, name: str, spec: DataSpec) -> FigureKind:
    """What a figure is worth: the family's word, or that of all families; else "estimate"."""
    shared = _KINDS.get(re.sub(r"_t\d+$", "", name), "estimate")  # mse_t1: of the first frame
    return model.figure_kinds(spec).get(name, shared)


@runtime_checkable
class Samples(Protocol):
    """Can draw images."""

    def sample(self, state: TrainState, rngs: Rngs, num: int, condition: Any = None) -> Array:
        """uint8 levels [num, H, W, C]."""
        ...


@runtime_checkable
class SampleMeans(Protocol):
    """Can show the mean of the likelihood beside each sample."""

    def sample_means(self, state: TrainState, rngs: Rngs, num: int) -> Array:
        """In [0, 1], float32 [num, H, W, C], for the latents of `sample` with the same rngs."""
        ...


@runtime_checkable
class Reconstructs(Protocol):
    """Can map images through its code and back."""

    def reconstruct(self, state: TrainState, rngs: Rngs, batch: Batch) -> Array:
        """uint8 levels [B, H, W, C]."""
        ...


@runtime_checkable
class Corrupts(Protocol):
    """Learns to undo damage, and can show it."""

    def corrupt(self, state: TrainState, rngs: Rngs, batch: Batch) -> Array:
        """What `reconstruct` sees with the same rngs: uint8 levels [B, H, W, C]."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Has a code for each image, and an image for each code."""

    def encode(self, state: TrainState, batch: Batch) -> Array:
        """Codes, [B, ...]."""
        ...

    def decode(self, state: TrainState, z: Array, condition: Any = None) -> Array:
        """uint8 levels [B, H, W, C] of codes [B, ...]; `condition` as in `sample`."""
        ...


@runtime_checkable
class HasLatents(Protocol):
    """Makes an image of a draw from a simple prior; there may be no way back from image to code."""

    def draw_latents(self, state: TrainState, rngs: Rngs, num: int) -> Array:
        """z from the prior, [num, ...]: those of `sample` with the same rngs."""
        ...

    def decode(self, state: TrainState, z: Array, condition: Any = None) -> Array:
        """uint8 levels [B, H, W, C] of latents [B, ...]; `condition` as in `sample`."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """Can say of which class an image is."""

    def classify(self, state: TrainState, batch: Batch) -> Array:
        """log p(y|x), [B, K]."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """Has features of images, in which sets of images are compared."""

    def embed(self, state: TrainState, batch: Batch) -> Array:
        """Features, float32 [B, D]."""
        ...


@runtime_checkable
class HasLogProb(Protocol):
    """Can say (or bound from below) how probable an image is."""

    def log_prob(self, state: TrainState, batch: Batch, rngs: Rngs, num_samples: int = 1) -> Array:
        """Nats, [B]. `num_samples` is the effort where the value is estimated."""
        ...


@runtime_checkable
class Inpaints(Protocol):
    """Can keep what is known of an image, and draw the rest."""

    def inpaint(
        self, state: TrainState, rngs: Rngs, image: Array, known: Array, condition: Any = None
    ) -> Array:
        """uint8 levels [B, H, W, C]; `known` is bool, [B, H, W] or [B, H, W, C]."""
        ...


@runtime_checkable
class Forecasts(Protocol):
    """Can say what comes next, at any times."""

    def forecast(
        self, state: TrainState, rngs: Rngs, context: Mapping[str, Array], times: Array
    ) -> Array:
        """uint8 levels [B, M', H, W, C] at `times` [B, M'], seconds after the last known frame.

        `context` has "context" uint8 [B, N, H, W, C] and "context_time" float32 [B, N].
        """
        ...


@runtime_checkable
class Translates(Protocol):
    """Can make the image of one channel out of those of others."""

    def translate(self, state: TrainState, batch: Batch) -> Array:
        """uint8 levels [B, H, W, C], from the extras of the batch."""
        ...


@runtime_checkable
class HasDensity(Protocol):
    """Can say how dense points lie anywhere, so that the density itself can be drawn."""

    def log_density(self, state: TrainState, points: Array) -> Array:
        """log p(x) of points float32 [N, H, W, C], labels left open: nats, [N]."""
        ...


@runtime_checkable
class DrawsInWays(Protocol):
    """Draws in several ways, which may change after training."""

    @property
    def sampling(self) -> Any:
        """A config of `gm_jax.sampling`."""
        ...


_ABILITIES: dict[str, tuple[type, ...]] = {  # any of these protocols will do
    "sample": (Samples,),
    "sample_means": (SampleMeans,),
    "draw_latents": (HasLatents,),
    "reconstruct": (Reconstructs,),
    "corrupt": (Corrupts,),
    "encode": (Encodes,),
    "decode": (Encodes, HasLatents),
    "log_prob": (HasLogProb,),
    "log_density": (HasDensity,),
    "classify": (Classifies,),
    "embed": (Embeds,),
    "inpaint": (Inpaints,),
    "forecast": (Forecasts,),
    "translate": (Translates,),
}


def can(model: Family, spec: DataSpec, ability: str) -> bool:
    """Whether a family can do something with a state made for data of this spec.

    Args:
      model: the family.
      spec: of the data it was trained on.
      ability: the name of a capability's method, such as "sample", "encode" or "forecast".

    Raises:
      KeyError: there is no such ability.
    """
    return isinstance(model, _ABILITIES[ability]) and model.supports(ability, spec)


def require(model: Family, spec: DataSpec, ability: str) -> None:
    """Looks whether a family can do something.

    Raises:
      UserError: it cannot, be it at all or with such data.
    """
    if can(model, spec, ability):
        return
    family, what = type(model).__name__, ability.replace("_", " ")
    if isinstance(model, _ABILITIES[ability]):
        kind = "points" if spec.continuous else "sequences" if spec.is_sequence else "single images"
        raise UserError(f"this {family} can't {what}: not as it is set and trained on {kind}")
    raise UserError(f"{family} can't {what}: the family has no such part")


# Positions of arguments that are numbers of examples or of draws: shapes depend on them.
_STATIC = {"sample": (2,), "sample_means": (2,), "draw_latents": (2,), "log_prob": (3,)}


@functools.cache
def compiled(model: Family, ability: str) -> Callable[..., Any]:
    """What a family can do, jitted, by the name of the method; equal models share it.

    A log-probability is computed in full precision: it may be promised to be exact.
    """
    method = getattr(model, ability)

    @functools.wraps(method)
    def exactly(*args: Any) -> Any:
        with full_precision():
            return method(*args)

    function = exactly if ability == "log_prob" else method
    return jax.jit(function, static_argnums=_STATIC.get(ability, ()))


def sampling_of(model: Family) -> Any:
    """The config of how a family draws, or None where it draws in one way only."""
    return model.sampling if isinstance(model, DrawsInWays) else None


def drawn_by(model: Family, changes: Mapping[str, Any]) -> Family:
    """The same family with fields of its `sampling` replaced.

    Raises:
      UserError: it has no such field.
      ConfigError: the field cannot have the value.
    """
    if not changes:
        return model
    config, family = sampling_of(model), type(model).__name__
    has = [] if config is None else [field.name for field in dataclasses.fields(config)]
    for name in changes:
        if name not in has:
            instead = f"it has {', '.join(has)}" if has else "it draws in one way only"
            raise UserError(f"{family} has no {name}: {instead}")
    sampling = dataclasses.replace(config, **changes)
    return dataclasses.replace(model, sampling=sampling)  # type: ignore[call-arg]


def _check_parts(cls: type[Family]) -> None:
    """Looks whether every public name that a class adds is a promise or a field.

    Raises:
      TypeError: one is neither, or a field's name is nearly that of a promise.
    """
    promises = {name for name in vars(Family) if not name.startswith("_")}
    methods = {n for p in _PROTOCOLS for n in vars(p) if not n.startswith("_")}
    own = {name for base in cls.__mro__ for name in vars(base).get("own_parts", ())}
    hints = inspect.get_annotations(cls)
    fields = {name for name, hint in hints.items() if "ClassVar" not in str(hint)}
    for name in sorted({*vars(cls), *hints}):
        if name.startswith("_") or name in promises | methods | own:
            continue
        inherited = any(name in vars(base) for base in cls.__mro__[1:])
        near = difflib.get_close_matches(name, promises, 1, 0.85)
        if (name in fields or inherited) and not near:
            continue
        near = near or difflib.get_close_matches(name, promises | methods, 1)
        hint = f"did you mean {near[0]}?" if near else "begin its name with an underscore"
        raise TypeError(f"{cls.__name__}.{name} is no part of a family: {hint}")


_PROTOCOLS = (*{p for some in _ABILITIES.values() for p in some}, DrawsInWays)


def create_state(
    rngs: Rngs,
    spec: DataSpec,
    params: Any,
    optimizer: Optimizer | Mapping[str, Optimizer] | None,
    model_state: Any = None,
) -> TrainState:
    """A state at step 0.

    Args:
      rngs: whose key the state keeps.
      spec: of the data.
      params: what is learned.
      optimizer: that moves all parameters; or several by name, each moving the parameters of its
        name; or None where nothing has a gradient.
      model_state: what moves without a gradient.
    """
    match optimizer:
        case None:
            opt_state, ema_params = {}, None
        case Optimizer():
            opt_state, ema_params = optimizer.build().init(params), _averaged(params, optimizer)
        case _:
            opt_state = {name: o.build().init(params[name]) for name, o in optimizer.items()}
            averages = {name: _averaged(params[name], o) for name, o in optimizer.items()}
            ema_params = {name: a for name, a in averages.items() if a is not None} or None
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        key=rngs.key,
        params=params,
        model_state={} if model_state is None else model_state,
        opt_state=opt_state,
        ema_params=ema_params,
        spec=spec,
    )


def _averaged(params: Any, optimizer: Optimizer) -> Any:
    """What a moving average begins with, or None where there is to be none."""
    return None if optimizer.ema_decay is None else jax.tree.map(jnp.copy, params)


def gradient_update(
    state: TrainState,
    loss_fn: Callable[[Any], tuple[Array, tuple[Metrics, Any]]],
    optimizer: Optimizer,
) -> tuple[TrainState, Metrics]:
    """One step down the gradient of `loss_fn(params) -> (loss, (metrics, model_state))`.

    The metrics gain "loss" and "grad_norm" (the global norm before clipping), so that a step whose
    gradient is not finite shows in its own metrics.
    """
    params, opt_state, (loss, (metrics, model_state)), grad_norm = descend(
        loss_fn, state.params, state.opt_state, optimizer
    )
    new_state = state.replace(
        step=state.step + 1,
        params=params,
        model_state=model_state,
        opt_state=opt_state,
        ema_params=ema_update(state.ema_params, params, opt_state, optimizer, state.step),
    )
    return new_state, {**metrics, "loss": loss, "grad_norm": grad_norm}


def descend(
    loss_fn: Callable[[Any], tuple[Array, Any]], params: Any, opt_state: Any, optimizer: Optimizer
) -> tuple[Any, Any, tuple[Array, Any], Array]:
    """Moves `params` down the gradient of `loss_fn(params) -> (loss, aux)` once.

    Returns:
      New params, new opt_state, (loss, aux) before the move, and the gradient's global norm.
    """
    value, grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
    updates, opt_state = optimizer.build().update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, value, optax.global_norm(grads)


def ema_update(
    ema_params: Any, params: Any, opt_state: Any, optimizer: Optimizer, steps_before: Array
) -> Any:
    """The moving average after an update; batches that only accumulate leave it as it is.

    Args:
      ema_params: the average before it.
      params: after it.
      opt_state: after it.
      optimizer: that moved them.
      steps_before: of this optimizer, before this one.
    """
    if optimizer.ema_decay is None:
        return None
    rate = ema_rate(optimizer, steps_before)
    if optimizer.accumulate_steps > 1:
        rate = jnp.where(opt_state.mini_step == 0, rate, 0.0)
    return optax.incremental_update(params, ema_params, rate)


def ema_rate(optimizer: Optimizer, steps_before: Array) -> Array:
    """1 - decay of the moving average at the update after that many steps, float32 scalar.

    At a constant decay the start keeps a share of decay^t for long: 37 % of it are left after 1,000
    updates at 0.999. With the warm-up of `Optimizer.ema_warmup` it is below 1e-6 after 50.
    """
    rate = jnp.asarray(1.0 - (optimizer.ema_decay or 0.0))
    if not optimizer.ema_warmup:
        return rate
    updates = (steps_before // optimizer.accumulate_steps).astype(jnp.float32)
    return jnp.maximum(rate, 9.0 / (10.0 + updates))
