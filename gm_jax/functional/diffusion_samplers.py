"""Samplers of diffusion models: pure functions of a denoiser, one call of it for each step.

A denoiser maps x_t [B, ...] and the step t (int32 scalar) to x̂_0 [B, ...]. Steps are the integers
that a sampler visits, [S + 1], from T down to 0, so that S calls are made.

  ancestral         x_s ~ q(x_s | x_t, x̂_0)                       Ho et al. 2020, arXiv:2006.11239
  ddim              between that (η = 1) and no noise (η = 0)     Song et al. 2021, arXiv:2010.02502
  dpm_solver_pp_2m  the ODE of η = 0, to second order             Lu et al. 2022, arXiv:2211.01095
"""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.functional.noise_schedules import NoiseSchedule, posterior_coefficients

Array = jax.Array
Denoising = Callable[[Array, Array], Array]
SamplerName = Literal["ancestral", "ddim", "dpm_solver_pp_2m"]
GridName = Literal["uniform", "quadratic", "trailing"]
VarianceName = Literal["posterior", "beta"]

_QUADRATIC_SHARE = 0.8  # of the steps, Song et al. 2021, appendix D.2


def grid_steps(name: GridName, num_steps: int, num_calls: int) -> np.ndarray:
    """The steps that S calls visit, int32 [S + 1], the last of them 0; at S = T every step.

    Args:
      name: "uniform" goes from T to 1 in equal strides, so that the last call has an image with
        hardly any noise before it; "quadratic" likewise from 0.8 T, in strides that shrink with the
        step (DDIM's for CIFAR-10); "trailing" goes from T to 0 in equal strides, and so calls last
        at T / S.
      num_steps: T.
      num_calls: S, 1 .. T.
    """
    match name:
        case "uniform":
            wanted = np.linspace(num_steps, 1, num_calls)
        case "quadratic":
            roots = np.linspace(np.sqrt(_QUADRATIC_SHARE * num_steps), 0, num_calls)
            wanted = np.minimum(1 + roots**2, num_steps)
        case "trailing":
            wanted = np.linspace(num_steps, 0, num_calls + 1)[:-1]
    return _distinct(np.rint(wanted), num_calls)


def log_snr_steps(schedule: NoiseSchedule, num_calls: int, first: int | None = None) -> np.ndarray:
    """The first step .. 1 in nearly equal strides of log SNR, and then 0: int32 [S + 1].

    What Lu et al. take for small images. Between neighbouring integers there is nothing to choose
    from: strides are unequal where S comes near the first step, and at S = T every step is visited.

    Args:
      schedule: of the noise.
      num_calls: S, 1 .. T.
      first: where to begin (None: T). The log SNR of a cosine schedule falls without end towards T,
        where there is nothing left to see.
    """
    first = max(schedule.num_steps if first is None else first, num_calls)
    log_snr = _half_log_snr(schedule)[1 : first + 1]  # of steps 1 .. first, falling
    wanted = np.linspace(log_snr[-1], log_snr[0], num_calls)
    nearest = np.rint(np.interp(-wanted, -log_snr, np.arange(1, first + 1)))
    return _distinct(nearest, num_calls)


def _distinct(wanted: np.ndarray, num_calls: int) -> np.ndarray:
    """Falling integers near those wanted, all distinct, and 0 behind them: int32 [S + 1]."""
    steps = [max(num_calls, int(wanted[0]))]
    for i in range(1, num_calls):  # none so small that the rest has no room
        steps.append(max(num_calls - i, min(steps[-1] - 1, int(wanted[i]))))
    return np.array([*steps, 0], np.int32)


def sample_ancestral(
    denoise: Denoising,
    schedule: NoiseSchedule,
    steps: np.ndarray,
    x: Array,
    key: Array,
    variance: VarianceName = "posterior",
) -> Array:
    """x_s ~ N(mean of q(x_s | x_t, x̂_0), variance) from step to step; the last one is x̂_0 itself.

    Args:
      denoise: the denoiser.
      schedule: of the noise.
      steps: [S + 1], see above.
      x: x_T, [B, ...].
      key: of the noise.
      variance: "posterior" is that of q(x_s | x_t, x_0), DDPM's β̃_t, right where the data are one
        point; "beta" is 1 - ᾱ_t / ᾱ_s, DDPM's β_t, right where they are N(0, I). They differ little
        with all steps, and a lot with few; the FID of 3.17 was reached with "beta".

    Returns:
      x_0, [B, ...].
    """
    alphas_bar = schedule.alphas_bar[steps]
    a, b, spread = posterior_coefficients(alphas_bar[:-1], alphas_bar[1:])
    if variance == "beta":
        spread = np.where(steps[1:] == 0, 0.0, 1 - alphas_bar[:-1] / alphas_bar[1:])

    def step(x: Array, c: dict[str, Array]) -> tuple[Array, None]:
        noise = jax.random.normal(jax.random.fold_in(key, c["t"]), x.shape)
        return c["a"] * denoise(x, c["t"]) + c["b"] * x + c["scale"] * noise, None

    x0: Array = _scan(step, x, steps, a=a, b=b, scale=np.sqrt(spread))
    return x0


def sample_ddim(
    denoise: Denoising,
    schedule: NoiseSchedule,
    steps: np.ndarray,
    x: Array,
    key: Array,
    eta: float = 0.0,
) -> Array:
    """x_s = signal_s x̂_0 + sqrt(sigma_s^2 - v^2) ε̂ + v z, with v^2 = η^2 β̃ (equation 12).

    Args:
      denoise: the denoiser.
      schedule: of the noise.
      steps: [S + 1], see above.
      x: x_T, [B, ...].
      key: of the noise z, which has no part in it where η is 0.
      eta: η, 0 .. 1.

    Returns:
      x_0, [B, ...].
    """
    t, s = steps[:-1], steps[1:]
    v = eta * (schedule.sigma[s] / schedule.sigma[t])
    v = v * np.sqrt(1 - schedule.alphas_bar[t] / schedule.alphas_bar[s])
    direction = np.sqrt(np.maximum(schedule.sigma[s] ** 2 - v**2, 0.0))

    def step(x: Array, c: dict[str, Array]) -> tuple[Array, None]:
        x0 = denoise(x, c["t"])
        epsilon = (x - c["signal_t"] * x0) / c["sigma_t"]
        x = c["signal_s"] * x0 + c["direction"] * epsilon
        if eta:
            x += c["v"] * jax.random.normal(jax.random.fold_in(key, c["t"]), x.shape)
        return x, None

    x0: Array = _scan(
        step,
        x,
        steps,
        signal_t=schedule.signal[t],
        sigma_t=schedule.sigma[t],
        signal_s=schedule.signal[s],
        direction=direction,
        v=v,
    )
    return x0


def sample_dpm_solver_pp_2m(
    denoise: Denoising, schedule: NoiseSchedule, steps: np.ndarray, x: Array
) -> Array:
    """DPM-Solver++(2M), algorithm 2 of Lu et al.

      x_s = (sigma_s / sigma_t) x_t - signal_s (e^-h - 1) D,   h = λ_s - λ_t,  λ = log(signal/sigma)
      D = (1 + 1 / 2r) x̂_0(x_t) - (1 / 2r) x̂_0 of the call before,             r = h before / h

    The first step has no call before it, and the last one, to λ = infinity, is x̂_0 itself: both
    are of the first order.

    Args:
      denoise: the denoiser.
      schedule: of the noise.
      steps: [S + 1], see above.
      x: x_T, [B, ...].

    Returns:
      x_0, [B, ...].
    """
    t, s = steps[:-1], steps[1:]
    h = np.diff(_half_log_snr(schedule)[steps])  # the last one is infinite
    extrapolation = np.zeros(len(h))
    extrapolation[1:-1] = h[1:-1] / (2 * h[:-2])  # 1 / 2r

    def step(carry: tuple[Array, Array], c: dict[str, Array]) -> tuple[tuple[Array, Array], None]:
        x, x0_before = carry
        x0 = denoise(x, c["t"])
        d = x0 + c["extrapolation"] * (x0 - x0_before)
        return (c["kept"] * x + c["gained"] * d, x0), None

    x0: Array = _scan(
        step,
        (x, jnp.zeros_like(x)),
        steps,
        kept=schedule.sigma[s] / schedule.sigma[t],
        gained=-schedule.signal[s] * np.expm1(-h),
        extrapolation=extrapolation,
    )[0]
    return x0


def _half_log_snr(schedule: NoiseSchedule) -> np.ndarray:
    """λ_t = log(signal_t / sigma_t), [T + 1]; infinite at 0."""
    with np.errstate(divide="ignore"):
        return np.log(schedule.signal) - np.log(schedule.sigma)


def _scan(step: Callable[..., Any], carry: Any, steps: np.ndarray, **coefficients: Any) -> Any:
    """Goes through the steps with their coefficients, float64 [S] here and float32 there."""
    xs = {name: jnp.asarray(values, jnp.float32) for name, values in coefficients.items()}
    return jax.lax.scan(step, carry, {"t": jnp.asarray(steps[:-1]), **xs})[0]
