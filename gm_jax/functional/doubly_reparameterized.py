"""The importance-weighted bound whose gradients are doubly reparameterized (DReG).

The bound (Burda et al. 2016, arXiv:1509.00519) is

  L_K = log 1/K sum_k w_k,   w_k = p(x, z_k) / q(z_k|x),   z_k = m + s e_k,   e_k ~ N(0, I)

Its plain gradient by the parameters phi of q has a part, through q's own density, whose mean is
that of another path through z, and whose noise drowns the signal as K grows (Rainforth et al. 2018,
arXiv:1802.04537). Tucker et al. 2018 (arXiv:1810.04152) reparameterize that part once more:

  grad_phi L_K = E[sum_k v_k^2 (d log w_k / d z_k) (d z_k / d phi)],   v_k = w_k / sum_j w_j

while the parameters of p keep theirs, sum_k v_k grad log w_k. With K = 1 it is the path derivative
of the ELBO (Roeder et al. 2017, arXiv:1703.09194).

With weights w_k = p(x|z_k) (p(z_k) / q(z_k|x))^beta, as while the KL warms up, the same steps give
v_k (1 - beta (1 - v_k)) in place of v_k^2.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gm_jax.functional.likelihoods import importance_log_prob

Array = jax.Array
LogWeights = Callable[[Any, Array, Any], tuple[Array, Any]]
"""(parameters of p, z [K, B, ...], parameters of q's density) -> log w [K, B], and anything."""


def doubly_reparameterized(
    log_weights: LogWeights, params: Any, z: Array, posterior: Any, beta: Array | float = 1.0
) -> tuple[Array, Any]:
    """L_K of each example, with the gradients above.

    Args:
      log_weights: must let the weight of z_k depend on no other latent.
      params: of p; their gradient is that of the bound.
      z: latents drawn from q, differentiable by its parameters, [K, B, ...].
      posterior: what log_weights needs to know of q's density; it gets no gradient.
      beta: power of p(z) / q(z|x) in the weights.

    Returns:
      Nats, [B]; and what else log_weights gave, without a gradient.
    """

    @jax.custom_vjp
    def bound(params: Any, z: Array, posterior: Any) -> tuple[Array, Any]:
        log_w, other = log_weights(params, z, posterior)
        return importance_log_prob(log_w), other

    def forward(params: Any, z: Array, posterior: Any) -> tuple[Any, Any]:
        log_w, pull, other = jax.vjp(
            lambda params, z: log_weights(params, z, posterior), params, z, has_aux=True
        )
        v = jax.nn.softmax(log_w, axis=0)  # [K, B]
        return (importance_log_prob(log_w), other), (pull, v, posterior)

    def backward(saved: Any, cotangents: Any) -> tuple[Any, Array, Any]:
        pull, v, posterior = saved
        by_params, by_z = pull(v * cotangents[0][None])
        again = 1.0 - beta * (1.0 - v)
        by_z *= again.reshape(again.shape + (1,) * (by_z.ndim - 2))
        return by_params, by_z, jax.tree.map(jnp.zeros_like, posterior)

    bound.defvjp(forward, backward)
    result: tuple[Array, Any] = bound(params, z, posterior)
    return result
