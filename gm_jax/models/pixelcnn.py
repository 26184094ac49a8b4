"""PixelCNN (van den Oord et al. 2016, arXiv:1601.06759), plain and gated (arXiv:1606.05328).

Convolutions whose masks let each value see what comes before it in raster order: the rows above,
what is left in its row, and in its own pixel the channels before it (R, then G by R, then B by
both). The plain network's receptive field leaves out a wedge to the upper right, however deep it
is. The gated one has no such blind spot, by a second stack of convolutions over the rows above.
"""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, check_fraction, check_not_negative, check_positive
from gm_jax.functional.ancestral_sampling import Draws, sample_cached
from gm_jax.functional.dequantization import to_symmetric
from gm_jax.functional.dtypes import DTYPES
from gm_jax.model import Array
from gm_jax.models.autoregressive import Autoregressive
from gm_jax.nets.causal import Place
from gm_jax.nets.initializers import Initializer
from gm_jax.nets.pixelcnn import Details, GatedNet, MaskedNet
from gm_jax.optimizer import Optimizer


@dataclasses.dataclass(frozen=True)
class PixelCNN(Autoregressive):
    """A masked convolution, blocks of masked convolutions, and the logits of each channel."""

    gated: bool = False
    """Whether the blocks are gated, with a vertical and a horizontal stack; else residual ones."""
    channels: int = 128
    """Of the maps between the blocks (residual blocks are half as wide inside)."""
    first_kernel: int = 11
    """Side of the first kernel, odd."""
    kernel_size: int = 3
    """Side of the kernels of the blocks, odd."""
    num_blocks: int = 5
    """Blocks."""
    dilations: tuple[int, ...] = (1,)
    """Of the blocks, in turn."""
    output_layers: int = 2
    """1x1 convolutions between the blocks and that to the logits."""
    dropout: float = 0.0
    """Probability of dropping a value within each block, in training."""
    visible_fan_in: bool = True
    """Whether masked kernels start by the number of taps that see something."""
    residual_rows: bool = True
    """Whether a gated block adds to what the rows above say, which fades otherwise."""
    initializer: Initializer = "lecun_normal"
    """How the weights start, but those of the label."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type the network computes in; parameters, logits and losses stay float32."""
    optimizer: Optimizer = Optimizer(name="adamax", learning_rate=5e-4)
    """How the parameters move."""

    def __post_init__(self) -> None:
        check_positive(self, "channels", "first_kernel", "kernel_size", "num_blocks", "dilations")
        check_not_negative(self, "output_layers")
        check_fraction(self, "dropout")
        for field in ("first_kernel", "kernel_size"):
            if getattr(self, field) % 2 == 0:
                raise ConfigError(f"PixelCNN.{field} must be odd, not {getattr(self, field)}")
        if not self.dilations:
            raise ConfigError("PixelCNN.dilations needs one entry at least")

    def quick(self) -> "PixelCNN":
        return dataclasses.replace(
            self,
            channels=8,
            first_kernel=min(self.first_kernel, 3),
            num_blocks=1,
            output_layers=min(self.output_layers, 1),
        )

    def _check_spec(self, spec: DataSpec) -> None:
        least = spec.shape[-1] * (1 if self.gated else 2)
        if self.channels < least:
            raise ConfigError(
                f"PixelCNN.channels must be at least {least} for {spec.shape[-1]} channels of the "
                f"image, not {self.channels}"
            )

    def _network(self, spec: DataSpec) -> nn.Module:
        net = GatedNet if self.gated else MaskedNet
        channels = spec.shape[-1]
        return net(
            channels * spec.num_levels,
            channels,
            self.channels,
            self.first_kernel,
            self.kernel_size,
            self.num_blocks,
            self.dilations,
            self.output_layers,
            Details(
                self.visible_fan_in,
                self.residual_rows,
                self.dropout,
                self.initializer,
                DTYPES[self.dtype],
            ),
        )

    def _sample_cached(
        self, params: Any, draws: Draws, label: Array | None, spec: DataSpec
    ) -> Array:
        network = self._network(spec)
        height, width, channels = spec.shape

        def scaled(x: Array) -> Array:
            return to_symmetric(x.reshape(-1, *spec.shape), spec.num_levels)

        def run(method: str, cache: Any, *arguments: Any) -> tuple[Any, Any]:
            outputs, moved = network.apply(
                {"params": params, "cache": cache}, *arguments, method=method, mutable=["cache"]
            )
            return outputs, moved.get("cache", {})

        def begin_row(carry: tuple[Any, Any], x: Array, row: Array) -> tuple[Any, Any]:
            """What the rows above say of this one is kept for all its pixels."""
            place = Place(row, jnp.zeros((), jnp.int32), width)
            above, cache = run("above", carry[1], scaled(x), label, place)
            return above, cache

        def logits_at(carry: tuple[Any, Any], x: Array, d: Array) -> tuple[Array, Any]:
            above, cache = carry
            pixel, channel = d // channels, d % channels
            place = Place(pixel // width, pixel % width, width)
            here = [jax.lax.dynamic_slice_in_dim(a, place.column, 1, axis=2) for a in above]
            logits, cache = run("logits", cache, scaled(x), tuple(here), label, place)
            logits = logits.reshape(len(x), channels, spec.num_levels).astype(jnp.float32)
            return jax.lax.dynamic_index_in_dim(logits, channel, 1, keepdims=False), (above, cache)

        def first() -> Any:
            zero = jnp.zeros((), jnp.int32)
            return logits_at(begin_row(((), {}), draws.start, zero), draws.start, zero)[1]

        empty = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(first))
        return sample_cached(begin_row, logits_at, empty, draws, num_rows=height)
