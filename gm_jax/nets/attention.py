"""Self-attention over the pixels of a map."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.functional.attention import attend
from gm_jax.nets.norm import group_norm

_KERNEL_INIT = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
_ZERO = nn.initializers.zeros


class SelfAttention(nn.Module):
    """Every place of [B, H, W, C] looks at all places; added to what is there, 0 at first.

    Attributes:
      num_heads: of the attention; they share `features` evenly.
      dtype: it computes in.
      features: of queries, keys and values; None: C.
    """

    num_heads: int
    dtype: Any
    features: int | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, height, width, channels = x.shape
        features = self.features or channels
        h = group_norm(channels, self.dtype)(x).reshape(batch, height * width, channels)
        query, key, value = (
            nn.DenseGeneral(
                (self.num_heads, features // self.num_heads),
                kernel_init=_KERNEL_INIT,
                dtype=self.dtype,
                name=name,
            )(h)
            for name in ("query", "key", "value")
        )  # [B, H W, heads, features / heads]
        h = attend(query, key, value)
        out = nn.DenseGeneral(channels, axis=(-2, -1), kernel_init=_ZERO, dtype=self.dtype)(h)
        return x + out.reshape(x.shape)


class SaganAttention(nn.Module):
    """x + γ attention(x), γ = 0 at first (Zhang et al. 2019, arXiv:1805.08318, section 3).

    Queries, keys and values have C / 8 channels, as in the paper; the softmax is over the places
    that are looked at. With `reduction` above 1 the attention runs on the means of blocks of that
    side, and every place of a block gets the same: r² fewer places, r⁴ less work.

    Attributes:
      dtype: it computes in.
      reduction: side r of the blocks; those at the far edges may be cut.
    """

    dtype: Any
    reduction: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, height, width, channels = x.shape
        r = self.reduction
        h = x
        if r > 1:  # a block that the edge cuts is the mean of what it has
            h = nn.avg_pool(x, (r, r), (r, r), padding="SAME", count_include_pad=False)
        rows, columns = h.shape[1:3]
        h = h.reshape(batch, rows * columns, channels)
        query, key, value = (
            nn.DenseGeneral((1, max(channels // 8, 1)), use_bias=False, dtype=self.dtype, name=n)(h)
            for n in ("query", "key", "value")
        )  # [B, N, 1, C / 8]
        h = attend(query, key, value, scale=1.0)
        out = nn.DenseGeneral(
            channels, axis=(-2, -1), use_bias=False, dtype=self.dtype, name="out"
        )(h).reshape(batch, rows, columns, channels)
        out = out.repeat(r, axis=1).repeat(r, axis=2)[:, :height, :width]
        gamma = self.param("gamma", _ZERO, ())
        return x + jnp.asarray(gamma, x.dtype) * out
