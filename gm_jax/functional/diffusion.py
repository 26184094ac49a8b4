"""Gaussian diffusion: the forward process, what a network may predict of it, and its bound.

  x_t = signal_t x_0 + sigma_t ε,   ε ~ N(0, I)                  (Ho et al. 2020, arXiv:2006.11239)

The bound on -log p(x_0), in nats, term by term:

  KL(q(x_T | x_0) || N(0, I)) + sum_{t=2}^T KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t))
    - log p(x_0 | x_1)
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.functional.divergences import kl_diag_gaussian_standard
from gm_jax.functional.noise_schedules import NoiseSchedule

Array = jax.Array
Prediction = Literal["epsilon", "x0", "v"]
"""What a network says of x_t: its noise, its clean image, or v = signal ε - sigma x_0."""


def at_step(values: np.ndarray, t: Array, like: Array) -> Array:
    """Numbers of a schedule, [T + 1], at steps t [B], as float32 [B, 1, ...] to go with `like`."""
    chosen = jnp.asarray(values, jnp.float32)[t]
    return chosen.reshape(-1, *(1,) * (like.ndim - 1))


def diffuse(schedule: NoiseSchedule, x0: Array, t: Array, noise: Array) -> Array:
    """A draw from q(x_t | x_0), of standard normal noise.

    Args:
      schedule: of the noise.
      x0: data, [B, ...].
      t: steps 0 .. T, [B].
      noise: [B, ...].

    Returns:
      x_t, [B, ...].
    """
    return at_step(schedule.signal, t, x0) * x0 + at_step(schedule.sigma, t, x0) * noise


def posterior_mean(schedule: NoiseSchedule, x0: Array, xt: Array, t: Array) -> Array:
    """Mean of q(x_{t-1} | x_t, x_0), equation 7 of DDPM; its variance is `posterior_variance`.

    Args:
      schedule: of the noise.
      x0: data (or what a network takes for them), [B, ...].
      xt: [B, ...].
      t: steps 1 .. T, [B].

    Returns:
      [B, ...].
    """
    return at_step(schedule.posterior_x0, t, x0) * x0 + at_step(schedule.posterior_xt, t, xt) * xt


def prediction_target(
    prediction: Prediction, schedule: NoiseSchedule, x0: Array, t: Array, noise: Array
) -> Array:
    """What a network that predicts this should say of `diffuse(schedule, x0, t, noise)`."""
    match prediction:
        case "epsilon":
            return noise
        case "x0":
            return x0
        case "v":  # Salimans & Ho 2022, arXiv:2202.00512, appendix D
            return at_step(schedule.signal, t, x0) * noise - at_step(schedule.sigma, t, x0) * x0


def predicted_x0(
    prediction: Prediction, schedule: NoiseSchedule, output: Array, xt: Array, t: Array
) -> Array:
    """x_0 by a network's output.

    Args:
      prediction: what the output is.
      schedule: of the noise.
      output: [B, ...].
      xt: what the network saw, [B, ...].
      t: steps 1 .. T, [B].

    Returns:
      [B, ...].
    """
    signal, sigma = at_step(schedule.signal, t, xt), at_step(schedule.sigma, t, xt)
    match prediction:
        case "epsilon":
            return (xt - sigma * output) / signal
        case "x0":
            return output
        case "v":
            return signal * xt - sigma * output


def epsilon_of_x0(schedule: NoiseSchedule, x0: Array, xt: Array, t: Array) -> Array:
    """The noise in x_t if its clean image is x0, [B, ...]; t in 1 .. T, [B]."""
    return (xt - at_step(schedule.signal, t, xt) * x0) / at_step(schedule.sigma, t, xt)


def prior_kl(schedule: NoiseSchedule, x0: Array) -> Array:
    """KL(q(x_T | x_0) || N(0, I)) of each value: nats, [B, ...]."""
    log_scale = jnp.full_like(x0, float(np.log(schedule.sigma[-1])))
    return kl_diag_gaussian_standard(float(schedule.signal[-1]) * x0, log_scale)


def step_kl(schedule: NoiseSchedule, x0: Array, x0_hat: Array, t: Array) -> Array:
    """KL(q(x_{t-1} | x_t, x_0) || q(x_{t-1} | x_t, x̂_0)) of each value.

    The reverse step is the posterior with the predicted clean image in place of the true one, so
    both have the variance β̃_t.

    Args:
      schedule: of the noise.
      x0: data, [B, ...].
      x0_hat: predicted from x_t, [B, ...].
      t: steps 2 .. T, [B] (step 1 gives 0: it has the decoder instead).

    Returns:
      Nats, [B, ...].
    """
    return at_step(schedule.kl_weights, t, x0) * (x0 - x0_hat) ** 2
