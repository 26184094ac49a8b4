"""Attention without ever holding all the weights at once."""

import jax
import jax.numpy as jnp

Array = jax.Array

# Of weights, held at a time for one example and head: 16 MiB, as for a map of 45 x 45 pixels.
_MOST_WEIGHTS = 2**22


def attend(
    query: Array, key: Array, value: Array, scale: float | None = None, max_queries: int = 0
) -> Array:
    """softmax(scale query keyᵀ) value (Vaswani et al. 2017, arXiv:1706.03762).

    Queries are taken in blocks of at most `max_queries`, and a block's weights are computed again
    for its gradient: memory grows with S, not with T S. A fused kernel, where the device has one,
    is left to `jax.nn.dot_product_attention`.

    Args:
      query: [B, T, heads, D].
      key: [B, S, heads, D].
      value: [B, S, heads, D].
      scale: of the products; None: 1 / sqrt(D).
      max_queries: in a block; 0: as many as keep the weights of an example and head in 16 MiB.

    Returns:
      [B, T, heads, D].
    """
    if query.shape[-1] == 1:
        # XLA (jax 0.12.0) kills the process over bfloat16 heads of one channel on a CPU: two then,
        # of which one is 0 and changes no product.
        query, key, value = (jnp.pad(x, ((0, 0),) * 3 + ((0, 1),)) for x in (query, key, value))
        return attend(query, key, value, 1.0 if scale is None else scale, max_queries)[..., :1]
    num = query.shape[1]
    block = max_queries or max(1, _MOST_WEIGHTS // key.shape[1])
    if num <= block:
        return jax.nn.dot_product_attention(query, key, value, scale=scale)
    num_blocks = -(-num // block)
    block = -(-num // num_blocks)  # blocks of equal size, the last filled up with zeros
    padded = jnp.pad(query, ((0, 0), (0, num_blocks * block - num), (0, 0), (0, 0)))
    batch, _, heads, dim = query.shape
    blocks = padded.reshape(batch, num_blocks, block, heads, dim).swapaxes(0, 1)

    @jax.checkpoint
    def one(queries: Array) -> Array:  # [B, block, heads, D]
        return jax.nn.dot_product_attention(queries, key, value, scale=scale)

    out = jax.lax.map(one, blocks).swapaxes(0, 1)  # [B, num_blocks, block, heads, D]
    return out.reshape(batch, num_blocks * block, heads, dim)[:, :num]
