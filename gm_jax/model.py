"""What a family is: pure methods on a frozen dataclass, and one pytree of state.

A model owns its whole update: the loop never learns whether it was one gradient, a
discriminator's and then a generator's, or an M-step. What else a family can do is a capability, a
small protocol that commands and evaluators look for.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, runtime_checkable

import flax.struct
import jax
import jax.numpy as jnp
import optax

from gm_jax.data.spec import DataSpec
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


@runtime_checkable
class Model(Protocol):
    """A family of generative models.

    A family that learns from points too (`spec.continuous`) has `takes_points: ClassVar = True`:
    its batches hold float32 points, and `sample` gives such.

    A family that learns p(x|y) has `conditional: ClassVar = True` (absent is False): it needs data
    with labels, and `sample` takes labels [num] as its `condition`.
    """

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A fresh state for data of this spec."""
        ...

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        """One step of training, pure; the metrics are scalars and include "loss"."""
        ...

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """Figures per example, [B] each."""
        ...


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
class Encodes(Protocol):
    """Has a code for each image, and an image for each code."""

    def encode(self, state: TrainState, batch: Batch) -> Array:
        """Codes [B, K]."""
        ...

    def decode(self, state: TrainState, z: Array) -> Array:
        """uint8 levels [B, H, W, C]."""
        ...


@runtime_checkable
class HasLatents(Protocol):
    """Makes an image of a draw from a simple prior; there may be no way back from image to code."""

    def draw_latents(
        self, state: TrainState, rngs: Rngs, num: int, truncation: float | None = None
    ) -> Array:
        """z from the prior, [num, K], of which no value exceeds `truncation` in size, if given."""
        ...

    def decode(self, state: TrainState, z: Array, condition: Any = None) -> Array:
        """uint8 levels [B, H, W, C] of latents [B, K]; `condition` as in `sample`."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """Can say of which class an image is."""

    def classify(self, state: TrainState, batch: Batch) -> Array:
        """log p(y|x), [B, K]."""
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
    """Can say what comes next, at any times.

    A family that learns from sequences (`spec.is_sequence`) has `takes_sequences: ClassVar = True`.
    """

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


def create_state(
    rngs: Rngs, spec: DataSpec, params: Any, optimizer: Optimizer, model_state: Any = None
) -> TrainState:
    """A state at step 0 for parameters moved by one optimizer."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        key=rngs.key,
        params=params,
        model_state={} if model_state is None else model_state,
        opt_state=optimizer.build().init(params),
        ema_params=jax.tree.map(jnp.copy, params) if optimizer.ema_decay is not None else None,
        spec=spec,
    )


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
        ema_params=ema_update(state.ema_params, params, opt_state, optimizer),
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


def ema_update(ema_params: Any, params: Any, opt_state: Any, optimizer: Optimizer) -> Any:
    """The moving average after an update; batches that only accumulate leave it as it is."""
    if optimizer.ema_decay is None:
        return None
    rate = jnp.asarray(1.0 - optimizer.ema_decay)
    if optimizer.accumulate_steps > 1:
        rate = jnp.where(opt_state.mini_step == 0, rate, 0.0)
    return optax.incremental_update(params, ema_params, rate)
