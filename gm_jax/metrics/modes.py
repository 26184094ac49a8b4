"""How much of a mixture of Gaussians with known centres a sample covers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array


class ModeCoverage(NamedTuple):
    """Scalars about one set of samples.

    Attributes:
      good_share: share of samples that are good: near enough to the nearest centre.
      modes_hit: modes with at least one good sample, the count of VEEGAN. One stray sample of
        thousands is enough, so it says little against a mode that is nearly lost.
      modes_held: modes with at least `min_share` of all samples, good ones only.
      kl_to_uniform: KL of the shares of the modes from equal shares, nats: 0 for equal shares,
        log K if all samples are of one mode. A sample, good or not, is of its nearest mode.
    """

    good_share: Array
    modes_hit: Array
    modes_held: Array
    kl_to_uniform: Array


def mode_coverage(
    samples: Array,
    centers: Array,
    scale: float,
    max_distance: float = 3.0,
    min_share: float = 0.01,
) -> ModeCoverage:
    """Counts samples at the centres, after VEEGAN (Srivastava et al. 2017, arXiv:1705.07761).

    VEEGAN takes 2,500 samples, and counts those within three standard deviations of the nearest
    centre. In two dimensions a perfect sampler has 1 - exp(-9 / 2) = 98.9% good samples.

    Args:
      samples: [N, D].
      centers: [K, D].
      scale: standard deviation of a mode.
      max_distance: of a good sample from its centre, in standard deviations.
      min_share: of all samples that has to be good samples of a mode for it to be held; at most
        1 / K, else no sampler can hold all.

    Returns:
      Scalars; counts are int32.

    Raises:
      ValueError: where the shapes are not [N, D] and [K, D] with N at least 1.
    """
    if samples.ndim != 2 or samples.shape[0] == 0 or samples.shape[1:] != centers.shape[1:]:
        raise ValueError(
            f"samples [N, D] and centers [K, D] are needed, not {samples.shape} and {centers.shape}"
        )
    samples, centers = jnp.asarray(samples, jnp.float32), jnp.asarray(centers, jnp.float32)
    # Differences, not expanded squares: those would lose the digits of small distances.
    distances = jnp.linalg.norm(samples[:, None, :] - centers[None, :, :], axis=-1)  # [N, K]
    nearest = jnp.argmin(distances, axis=1)
    good = distances.min(1) <= max_distance * scale
    num, num_modes = distances.shape
    of_mode = jax.nn.one_hot(nearest, num_modes, dtype=jnp.int32)  # [N, K]
    good_counts = (of_mode * good[:, None]).sum(0)
    shares = of_mode.sum(0) / num
    # 0 log 0 = 0.
    kl = jnp.sum(jax.scipy.special.xlogy(shares, shares)) + jnp.log(num_modes)
    return ModeCoverage(
        good_share=good.mean(),
        modes_hit=(good_counts > 0).sum(),
        modes_held=(good_counts >= min_share * num).sum(),
        kl_to_uniform=jnp.maximum(kl, 0.0),
    )
