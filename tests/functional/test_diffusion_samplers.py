"""Samplers with the analytic denoiser of a Gaussian, for which everything is known."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.functional.diffusion_samplers import (
    grid_steps,
    log_snr_steps,
    sample_ancestral,
    sample_ddim,
    sample_dpm_solver_pp_2m,
)
from gm_jax.functional.noise_schedules import noise_schedule

MEAN, SCALE = 0.8, 0.5
LONG = noise_schedule("linear", 4000)


def denoiser(schedule, mean=MEAN, scale=SCALE):
    """E[x_0 | x_t] for x_0 ~ N(mean, scale^2)."""
    signal = jnp.asarray(schedule.signal, jnp.float32)
    sigma = jnp.asarray(schedule.sigma, jnp.float32)

    def denoise(x, t):
        gain = signal[t] * scale**2 / (signal[t] ** 2 * scale**2 + sigma[t] ** 2)
        return mean + gain * (x - signal[t] * mean)

    return denoise


@pytest.mark.parametrize("calls", [200, 4000])
def test_all_samplers_reproduce_a_gaussian(calls):
    num = 4000
    x = jax.random.normal(jax.random.key(0), (num, 1))
    key, steps = jax.random.key(1), grid_steps("trailing", 4000, calls)
    f = denoiser(LONG)
    made = {
        "ancestral": sample_ancestral(f, LONG, steps, x, key),
        "ddim": sample_ddim(f, LONG, steps, x, key),
        "ddim 1/2": sample_ddim(f, LONG, steps, x, key, 0.5),
        "dpm": sample_dpm_solver_pp_2m(f, LONG, log_snr_steps(LONG, min(calls, 100)), x),
    }
    for name, samples in made.items():
        bias = 0.02 if calls == 200 else 0.01  # of few steps; beside 4 standard errors
        error = 4 * SCALE / np.sqrt(num)
        np.testing.assert_allclose(samples.mean(), MEAN, atol=error + bias, err_msg=name)
        np.testing.assert_allclose(samples.std(), SCALE, atol=error + bias, err_msg=name)


def test_ddim_with_eta_1_is_ancestral_sampling():
    """Mean and variance of each step: the same noise gives the same images."""
    x = jax.random.normal(jax.random.key(0), (50, 3))
    for name, num_steps, calls in [("linear", 50, 50), ("cosine", 100, 7)]:
        schedule = noise_schedule(name, num_steps)
        steps = grid_steps("trailing", num_steps, calls)
        f, key = denoiser(schedule), jax.random.key(1)
        np.testing.assert_allclose(
            sample_ddim(f, schedule, steps, x, key, 1.0),
            sample_ancestral(f, schedule, steps, x, key),
            atol=2e-4,
        )


def test_the_variances_are_those_of_the_posterior():
    """One step from T to T - 1 and one to 0, of a denoiser that says 0: what is left is noise."""
    schedule = noise_schedule("linear", 50)
    x = jnp.zeros((20_000, 1))
    steps = np.array([50, 49], np.int32)
    for sampler in (sample_ancestral, functools.partial(sample_ddim, eta=1.0)):
        samples = sampler(lambda x, t: jnp.zeros_like(x), schedule, steps, x, jax.random.key(0))
        np.testing.assert_allclose(
            samples.var(), schedule.posterior_variance[50], rtol=5 * np.sqrt(2 / 20_000)
        )
        assert abs(float(samples.mean())) < 0.03


def exact(x, schedule):
    """The probability-flow ODE of a Gaussian keeps each point's distance in standard deviations."""
    signal, sigma = schedule.signal[-1], schedule.sigma[-1]
    return MEAN + SCALE * (x - signal * MEAN) / np.sqrt(signal**2 * SCALE**2 + sigma**2)


def test_the_solver_is_of_second_order_and_beats_ddim():
    x = np.linspace(-2, 2, 9, dtype=np.float32)[:, None]
    f = denoiser(LONG)

    def error(samples):
        # Against the ODE's end at the last call, σ_1 = 0.005: nothing beside what is measured.
        return float(np.abs(np.asarray(samples) - exact(x, LONG)).max())

    solver = {
        n: error(sample_dpm_solver_pp_2m(f, LONG, log_snr_steps(LONG, n), jnp.asarray(x)))
        for n in (10, 20, 40, 80)
    }
    ddim = {
        n: error(
            sample_ddim(f, LONG, grid_steps("trailing", 4000, n), jnp.asarray(x), jax.random.key(0))
        )
        for n in (10, 20, 40)
    }
    assert 3 < solver[20] / solver[40] < 6, solver
    assert 3 < solver[40] / solver[80] < 6, solver
    assert 1.5 < ddim[20] / ddim[40] < 2.6, ddim
    assert solver[10] < ddim[10] / 2, (solver, ddim)


@pytest.mark.parametrize("calls", [1, 2, 3, 10, 39, 40])
def test_steps_go_from_the_end_to_the_data(calls):
    schedule = noise_schedule("cosine", 40)
    for steps in (grid_steps("trailing", 40, calls), log_snr_steps(schedule, calls)):
        assert len(steps) == calls + 1
        assert (steps[0], steps[-1]) == (40, 0)
        assert (np.diff(steps) < 0).all()
    if calls == 40:
        np.testing.assert_array_equal(log_snr_steps(schedule, 40), np.arange(40, -1, -1))
    x = sample_dpm_solver_pp_2m(
        denoiser(schedule), schedule, log_snr_steps(schedule, calls), jnp.ones((2, 1))
    )
    assert np.isfinite(x).all()


@pytest.mark.parametrize("name", ["uniform", "quadratic", "trailing"])
@pytest.mark.parametrize(
    ("num_steps", "calls"), [(1000, 10), (1000, 100), (40, 39), (7, 7), (5, 1)]
)
def test_grids_fall_and_visit_every_step_once(name, num_steps, calls):
    steps = grid_steps(name, num_steps, calls)
    assert steps.shape == (calls + 1,)
    assert (np.diff(steps) < 0).all()
    assert steps[-1] == 0
    assert steps[0] <= num_steps
    if calls == num_steps:
        np.testing.assert_array_equal(steps, np.arange(num_steps, -1, -1))


def test_where_the_grids_end_and_how_the_quadratic_one_grows():
    assert grid_steps("trailing", 1000, 10)[-2] == 100  # T / S: a tenth of the way in one jump
    assert grid_steps("uniform", 1000, 10)[-2] == 1
    # DDIM's: np.linspace(0, sqrt(0.8 T), S) ** 2, counted from 0 there and from 1 here.
    theirs = np.linspace(0, np.sqrt(1000 * 0.8), 10) ** 2
    ours = grid_steps("quadratic", 1000, 10)[-2::-1]
    np.testing.assert_allclose(ours - 1, theirs, atol=0.5)


def test_dpm_solver_leaves_out_where_a_cosine_has_no_signal():
    schedule = noise_schedule("cosine", 1000)
    blind = schedule.alphas_bar < 1e-4  # 1 % of the amplitude is left
    whole, cut = (log_snr_steps(schedule, 20, first)[:-1] for first in (None, 995))
    assert blind[whole].sum() > 5
    assert blind[cut].sum() <= 2
    assert cut[0] == 995


def test_the_two_variances_of_a_step():
    """Both against DDPM's own, from step to step, and along a jump."""
    schedule = noise_schedule("linear", 100)
    x = jnp.zeros((200_000, 1))
    for steps in (np.array([60, 59, 0]), np.array([60, 30, 0])):
        t, s = steps[:2]
        beta = 1 - schedule.alphas_bar[t] / schedule.alphas_bar[s]
        posterior = beta * (1 - schedule.alphas_bar[s]) / (1 - schedule.alphas_bar[t])
        for name, variance in {"beta": beta, "posterior": posterior}.items():
            # The last call returns what it is given.
            made = sample_ancestral(
                lambda x, t: jnp.where(t == 60, 0.0, x), schedule, steps, x, jax.random.key(0), name
            )
            np.testing.assert_allclose(made.var(), variance, rtol=0.02)
