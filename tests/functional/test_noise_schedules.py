"""Noise schedules against the papers' numbers and Bayes' rule."""

import numpy as np
import pytest

from gm_jax.errors import ConfigError
from gm_jax.functional.noise_schedules import (
    MAX_ALPHA_BAR,
    check_ends_in_noise,
    noise_schedule,
    posterior_coefficients,
    schedule_of_betas,
)


def test_linear_is_that_of_ddpm_at_1000_steps():
    schedule = noise_schedule("linear", 1000)
    betas = 1e-4 + (0.02 - 1e-4) * np.arange(1000) / 999
    np.testing.assert_allclose(schedule.betas[1:], betas, rtol=1e-10)
    assert 4.0e-5 < schedule.alphas_bar[-1] < 4.1e-5  # Ho et al. 2020: about 4e-5
    assert schedule.num_steps == 1000


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("num_steps", [2, 4, 12, 40, 100, 1000, 3000])
def test_every_length_ends_in_noise(name, num_steps):
    schedule = noise_schedule(name, num_steps)
    assert schedule.betas[1:].min() > 0
    assert schedule.betas.max() < 1
    assert schedule.alphas_bar[-1] <= MAX_ALPHA_BAR
    assert (np.diff(schedule.alphas_bar) < 0).all()
    np.testing.assert_allclose(np.cumprod(1 - schedule.betas), schedule.alphas_bar, rtol=1e-12)
    np.testing.assert_allclose(schedule.signal**2 + schedule.sigma**2, 1.0, rtol=1e-12)
    if name == "linear":
        np.testing.assert_allclose(
            schedule.alphas_bar[-1], noise_schedule("linear", 1000).alphas_bar[-1], rtol=1e-9
        )


def test_short_linear_schedules_are_the_long_one_respaced():
    long = noise_schedule("linear", 1000).alphas_bar
    np.testing.assert_allclose(noise_schedule("linear", 40).alphas_bar, long[::25], rtol=1e-10)


def test_cosine_is_that_of_the_paper():
    schedule = noise_schedule("cosine", 1000)
    f = [np.cos((t / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2 for t in range(1001)]
    np.testing.assert_allclose(schedule.alphas_bar[:999], np.array(f[:999]) / f[0], rtol=1e-9)
    assert schedule.betas[-1] == 0.999


@pytest.mark.parametrize(("num_steps", "left"), [(12, "0.886"), (40, "0.667")])
def test_a_schedule_that_leaves_signal_is_refused(num_steps, left):
    with pytest.raises(ConfigError, match=f"ᾱ_T is {left}") as caught:
        noise_schedule("linear", num_steps, (1e-4, 0.02))
    assert "\n" not in str(caught.value)


def test_other_faults_are_refused():
    with pytest.raises(ConfigError, match=r"ᾱ_T is 0.668"):
        check_ends_in_noise(np.array([1.0, 0.668]))
    with pytest.raises(ConfigError, match="at least 2"):
        noise_schedule("linear", 1)
    with pytest.raises(ConfigError, match="leave it out with cosine"):
        noise_schedule("cosine", 10, (0.1, 0.9))
    with pytest.raises(ConfigError, match=r"in \(0, 1\)"):
        noise_schedule("linear", 10, (0.1, 1.0))


def test_the_posterior_is_bayes_rule_on_a_grid():
    """q(x_s | x_t, x_0) ∝ q(x_t | x_s) q(x_s | x_0), normalized numerically."""
    betas = np.array([0.1, 0.3, 0.5, 0.99])
    alphas_bar = np.cumprod(1 - betas)
    schedule = schedule_of_betas(betas)
    grid = np.linspace(-12, 12, 200_001)
    x0, xt = 0.7, -1.1
    for t, s in [(2, 1), (3, 2), (3, 1), (4, 1)]:
        at, as_ = alphas_bar[t - 1], alphas_bar[s - 1]
        kept = np.prod(1 - betas[s:t])
        log_density = -((xt - np.sqrt(kept) * grid) ** 2) / (2 * (1 - kept))
        log_density -= (grid - np.sqrt(as_) * x0) ** 2 / (2 * (1 - as_))
        density = np.exp(log_density - log_density.max())
        density /= density.sum()
        mean = (density * grid).sum()
        variance = (density * (grid - mean) ** 2).sum()
        a, b, c = posterior_coefficients(at, as_)
        np.testing.assert_allclose([a * x0 + b * xt, c], [mean, variance], rtol=1e-6)
        if s == t - 1:
            own = schedule.posterior_x0[t], schedule.posterior_xt[t], schedule.posterior_variance[t]
            np.testing.assert_allclose(own, (a, b, c), rtol=1e-9)
    assert schedule.posterior_variance[1] == 0
    np.testing.assert_allclose([schedule.posterior_x0[1], schedule.posterior_xt[1]], [1, 0])
