"""A sampler that runs without gm_jax: `jax.export` of seed to images, weights and all."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from gm_jax.drawing import chunk_size
from gm_jax.errors import UserError, one_line
from gm_jax.model import Family, TrainState, require
from gm_jax.rng import Rngs
from gm_jax.weights import evaluated_params

PLATFORMS = ("cpu", "cuda", "tpu")
"""What the function is lowered for, wherever it is exported."""

SUFFIX = ".stablehlo"


def export_sampler(
    model: Family,
    state: TrainState,
    num: int,
    condition: np.ndarray | None = None,
    platforms: Sequence[str] = PLATFORMS,
) -> bytes:
    """The draw of a family as a function of the seed alone, as a file of `jax.export` holds it.

    Args:
      model: the family, as it is to draw.
      state: of it; its weights become part of the function.
      num: images of a call.
      condition: labels int32 [num] that each call draws by, or None.
      platforms: that it is to run on.

    Returns:
      For `jax.export.deserialize`, a function of a seed, uint32, that gives uint8 levels [num, H,
      W, C] (of points float32): those of `Run.sample(num, seed)` on the same kind of machine.

    Raises:
      UserError: the family cannot sample, or only with Python at hand; or `num` is more than is
        drawn at once.
    """
    require(model, state.spec, "sample")
    most = chunk_size(state.spec)
    if not 1 <= num <= most:
        raise UserError(
            f"an exported sampler draws 1 to {most} at a time, not {num}: call it with several "
            "seeds for more",
            "--num",
        )

    # On the host, so that the devices they lie on now are no part of the function.
    weights = jax.tree.map(np.asarray, (evaluated_params(state), state.model_state))
    step, key = np.asarray(state.step), np.asarray(jax.random.key_data(state.key))

    def sample(seed: jax.Array) -> Any:
        # Behind the barrier weights are no constants: nothing is folded, as where they are given.
        params, model_state = jax.tree.map(jax.lax.optimization_barrier, weights)
        whole = state.replace(
            step=jnp.asarray(step),
            key=jax.random.wrap_key_data(jnp.asarray(key)),
            params=params,
            model_state=model_state,
            ema_params=None,
        )
        draw: Any = model  # which can, as was looked at
        return draw.sample(whole, Rngs(jax.random.key(seed)).at("sample"), num, condition)

    try:
        seed = jax.ShapeDtypeStruct((), jnp.uint32)
        export: Callable[..., Any] = jax.export.export(jax.jit(sample), platforms=[*platforms])
        return bytes(export(seed).serialize())
    except UserError:
        raise
    except (ValueError, NotImplementedError, TypeError) as error:
        raise UserError(
            f"this {type(model).__name__} can't be exported as it draws ({one_line(error)}): "
            "choose another way of drawing, if it has any"
        ) from error
