"""Discrete noise schedules: how much of an image is left after each step of diffusion.

  q(x_t | x_0) = N(signal_t x_0, sigma_t^2)      signal_t^2 = ᾱ_t,  sigma_t^2 = 1 - ᾱ_t

Steps are counted from 1 to T as in the papers: entry t of every array belongs to step t, and entry
0 to the data themselves (ᾱ_0 = 1). All are computed in float64, before any is cast to float32.
"""

import functools
from typing import Literal, NamedTuple

import numpy as np

from gm_jax.errors import ConfigError

ScheduleName = Literal["linear", "cosine"]

MAX_ALPHA_BAR = 1e-3
"""The most of the data's variance that may be left at the end, see `check_ends_in_noise`."""

_PAPER_STEPS, _PAPER_BETAS = 1000, (1e-4, 0.02)  # Ho et al. 2020, section 4
_COSINE_OFFSET, _MAX_BETA = 0.008, 0.999  # Nichol & Dhariwal 2021, equation 17


class NoiseSchedule(NamedTuple):
    """Numbers of each step, float64 [T + 1] each.

    Attributes:
      betas: β_t, the variance that step t adds (0 at entry 0).
      alphas_bar: ᾱ_t, the product of 1 - β up to step t.
      signal: sqrt(ᾱ_t).
      sigma: sqrt(1 - ᾱ_t).
      posterior_x0: weight of x_0 in the mean of q(x_{t-1} | x_t, x_0).
      posterior_xt: weight of x_t in it.
      posterior_variance: β̃_t, its variance (0 at step 1).
      kl_weights: nats of step t for each unit of squared error of x_0 (0 at step 1, which has a
        decoder instead).
    """

    betas: np.ndarray
    alphas_bar: np.ndarray
    signal: np.ndarray
    sigma: np.ndarray
    posterior_x0: np.ndarray
    posterior_xt: np.ndarray
    posterior_variance: np.ndarray
    kl_weights: np.ndarray

    @property
    def num_steps(self) -> int:
        """T."""
        return len(self.betas) - 1


def linear_betas(num_steps: int) -> np.ndarray:
    """DDPM's linear schedule, stretched or shrunk to T steps; β_1 .. β_T, float64 [T].

    At T = 1000 it is that of Ho et al. 2020 (arXiv:2006.11239): β from 1e-4 to 0.02. At any other T
    a step does what 1000 / T of those do together: log ᾱ is read off at every (1000 / T)-th step,
    as in the respacing of Nichol & Dhariwal 2021 (arXiv:2102.09672, section 4). So ᾱ_T is 4e-5 for
    every T, and no β reaches 1, as those scaled by 1000 / T would for T of 20 or less.
    """
    log_alphas_bar = np.concatenate(
        [[0.0], np.cumsum(np.log1p(-np.linspace(*_PAPER_BETAS, _PAPER_STEPS)))]
    )
    at = np.linspace(0.0, _PAPER_STEPS, num_steps + 1)
    return -np.expm1(np.diff(np.interp(at, np.arange(_PAPER_STEPS + 1), log_alphas_bar)))


def cosine_betas(num_steps: int) -> np.ndarray:
    """The cosine schedule of Nichol & Dhariwal 2021 (arXiv:2102.09672); float64 [T].

    ᾱ_t = f(t) / f(0), f(t) = cos^2((t / T + s) / (1 + s) π / 2), s = 0.008, and no β above 0.999.
    """
    t = np.linspace(0.0, 1.0, num_steps + 1)
    f = np.cos((t + _COSINE_OFFSET) / (1 + _COSINE_OFFSET) * np.pi / 2) ** 2
    return np.minimum(1 - f[1:] / f[:-1], _MAX_BETA)


@functools.cache
def noise_schedule(
    name: ScheduleName, num_steps: int, beta_range: tuple[float, float] | None = None
) -> NoiseSchedule:
    """The schedule of this name.

    Args:
      name: "linear" or "cosine".
      num_steps: T, at least 2.
      beta_range: β_1 and β_T of a linear schedule, taken as they are; None: see `linear_betas`.

    Raises:
      ConfigError: too few steps, β out of (0, 1) or with a cosine, or signal left at the end.
    """
    if num_steps < 2:
        raise ConfigError(f"diffusion needs at least 2 steps, not {num_steps}")
    if beta_range is None:
        betas = linear_betas(num_steps) if name == "linear" else cosine_betas(num_steps)
    elif name != "linear":
        raise ConfigError(f"a beta_range is for the linear schedule: leave it out with {name}")
    elif not all(0 < beta < 1 for beta in beta_range):
        raise ConfigError(f"both ends of the beta_range must be in (0, 1), not {beta_range}")
    else:
        betas = np.linspace(*beta_range, num_steps)
    schedule = schedule_of_betas(betas)
    check_ends_in_noise(schedule.alphas_bar)
    return schedule


def schedule_of_betas(betas: np.ndarray) -> NoiseSchedule:
    """All numbers of a schedule, from β_1 .. β_T in (0, 1), [T]."""
    betas = np.concatenate([[0.0], np.asarray(betas, np.float64)])
    log_alphas_bar = np.cumsum(np.log1p(-betas))
    alphas_bar, variance = np.exp(log_alphas_bar), -np.expm1(log_alphas_bar)
    zero = np.zeros(1)
    x0, xt, posterior_variance = (
        np.concatenate([zero, values])
        for values in posterior_coefficients(alphas_bar[1:], alphas_bar[:-1])
    )
    # KL of two Gaussians of variance β̃_t whose means differ by posterior_x0 (x_0 - x̂_0); it is
    # (SNR_{t-1} - SNR_t) / 2 (Kingma et al. 2021, arXiv:2107.00630, equation 13).
    snr = alphas_bar[1:] / variance[1:]
    return NoiseSchedule(
        betas=betas,
        alphas_bar=alphas_bar,
        signal=np.sqrt(alphas_bar),
        sigma=np.sqrt(variance),
        posterior_x0=x0,
        posterior_xt=xt,
        posterior_variance=posterior_variance,
        kl_weights=np.concatenate([zero, zero, 0.5 * (snr[:-1] - snr[1:])]),
    )


def posterior_coefficients(
    alpha_bar_t: np.ndarray, alpha_bar_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """q(x_s | x_t, x_0) = N(a x_0 + b x_t, c) for steps s < t; with s = t - 1 DDPM's eq. 6 and 7.

    Args:
      alpha_bar_t: ᾱ of the noisier step, [...].
      alpha_bar_s: ᾱ of the cleaner step, [...].

    Returns:
      a, b and c, [...] each.
    """
    kept = alpha_bar_t / alpha_bar_s  # 1 - β for one step
    a = np.sqrt(alpha_bar_s) * (1 - kept) / (1 - alpha_bar_t)
    b = np.sqrt(kept) * (1 - alpha_bar_s) / (1 - alpha_bar_t)
    return a, b, (1 - kept) * (1 - alpha_bar_s) / (1 - alpha_bar_t)


def check_ends_in_noise(alphas_bar: np.ndarray) -> None:
    """Refuses a schedule that leaves signal: sampling starts from N(0, I), which has none.

    DDPM's schedule ends at ᾱ_T = 4e-5, the cosine below that. At 0.0047 (Stable Diffusion's) the
    mean brightness of an image survives, and samples cannot have another one (Lin et al. 2024,
    arXiv:2305.08891); the limit of 1e-3 also keeps KL(q(x_T | x_0) || N(0, I)) below 0.001 bits
    for each value in [-1, 1].

    Raises:
      ConfigError: where ᾱ_T is above 1e-3.
    """
    left = float(alphas_bar[-1])
    if not left <= MAX_ALPHA_BAR:
        raise ConfigError(
            f"the noise schedule leaves signal at its end: ᾱ_T is {left:.3g} and must be at most "
            f"{MAX_ALPHA_BAR:g}; take more steps or a larger β, or leave out the beta_range"
        )
