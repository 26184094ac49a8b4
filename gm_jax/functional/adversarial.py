"""What two players of an adversarial game minimize, per image.

non_saturating  D: -log σ(D(x)) - log(1 - σ(D(G(z))))       G: -log σ(D(G(z)))
                (Goodfellow et al. 2014, arXiv:1406.2661; one-sided label smoothing: Salimans et
                al. 2016, arXiv:1606.03498)
wgan_gp         D: D(G(z)) - D(x) + λ (|∇D(x̂)| - 1)²        G: -D(G(z))
                (Gulrajani et al. 2017, arXiv:1704.00028)
hinge           D: max(0, 1 - D(x)) + max(0, 1 + D(G(z)))   G: -D(G(z))
                (Lim & Ye 2017, arXiv:1705.02894)
least_squares   D: ½ (D(x) - 1)² + ½ D(G(z))²               G: ½ (D(G(z)) - 1)²
                (Mao et al. 2017, arXiv:1611.04076)
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from gm_jax.metrics.flattening import flat

Array = jax.Array
AdversarialLoss = Literal["non_saturating", "wgan_gp", "hinge", "least_squares"]


def discriminator_loss(
    loss: AdversarialLoss, real_logits: Array, fake_logits: Array, real_label: float = 1.0
) -> Array:
    """What the discriminator minimizes, without a gradient penalty.

    Args:
      loss: which game.
      real_logits: D(x), [B].
      fake_logits: D(G(z)), [B].
      real_label: the target for real images, below 1 for label smoothing; for `non_saturating` and
        `least_squares` only.

    Returns:
      [B].
    """
    match loss:
        case "non_saturating":
            # -a log σ(l) - (1 - a) log(1 - σ(l)), with log(1 - σ(l)) = log σ(-l)
            real = -real_label * jax.nn.log_sigmoid(real_logits)
            real -= (1 - real_label) * jax.nn.log_sigmoid(-real_logits)
            return real - jax.nn.log_sigmoid(-fake_logits)
        case "wgan_gp":
            return fake_logits - real_logits
        case "hinge":
            return jax.nn.relu(1 - real_logits) + jax.nn.relu(1 + fake_logits)
        case "least_squares":
            return 0.5 * (real_logits - real_label) ** 2 + 0.5 * fake_logits**2


def generator_loss(loss: AdversarialLoss, fake_logits: Array) -> Array:
    """What the generator minimizes, [B], given D(G(z)), [B]."""
    match loss:
        case "non_saturating":
            return -jax.nn.log_sigmoid(fake_logits)
        case "wgan_gp" | "hinge":
            return -fake_logits
        case "least_squares":
            return 0.5 * (fake_logits - 1) ** 2


def gradient_penalty(
    key: Array, critic: Callable[[Array], Array], real: Array, fake: Array
) -> Array:
    """(|∇D(x̂)| - 1)² at x̂ = ε x + (1 - ε) G(z), ε ~ U[0, 1] anew for each image.

    The norm is taken over all values of one image.

    Args:
      key: of ε.
      critic: D, [B, ...] -> [B]; no image may change another one's output (no batch norm).
      real: x, [B, ...].
      fake: G(z), [B, ...].

    Returns:
      [B].
    """
    epsilon = jax.random.uniform(key, (len(real),) + (1,) * (real.ndim - 1))
    between = epsilon * real + (1 - epsilon) * fake
    # Images do not meet in the critic, so the gradient of the sum is each image's own.
    slope = jax.grad(lambda x: critic(x).sum())(between)
    squared = flat(slope**2).sum(1)
    # The root has no derivative at 0.
    norm = jnp.sqrt(squared + 1e-12)
    return (norm - 1.0) ** 2
