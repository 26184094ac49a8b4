"""Times as features."""

import jax
import numpy as np

from gm_jax.nets.time_embedding import FiLM, TimeEmbedding, time_features


def test_features_are_numpys():
    seconds = np.array([[-7200.0, 0.0, 1800.0], [3600.0, 36000.0, 1e6]], np.float32)
    told = np.asarray(time_features(seconds, 3600.0))
    tau = np.float64(seconds)[..., None] / 3600
    periods = np.geomspace(2.0, 64.0, 6)
    angles = 2 * np.pi * tau / periods
    log = np.sign(tau) * np.log1p(np.abs(tau))
    expected = np.concatenate([tau, log, np.sin(angles), np.cos(angles)], -1)
    np.testing.assert_allclose(told, expected, rtol=1e-5, atol=1e-3)


def test_close_times_have_close_features():
    seconds = np.linspace(0, 36000, 1000, dtype=np.float32)
    told = np.asarray(time_features(seconds, 3600.0))
    steps = np.abs(np.diff(told, axis=0)).max()  # of 36 s: 0.01 scales
    assert steps < 0.05


def test_each_group_of_times_has_its_embedding_and_films_the_map():
    seconds = np.array([[[0.0, 0.0], [600.0, 600.0], [600.0, 1200.0]]], np.float32)
    module = TimeEmbedding(5, 3600.0)
    variables = module.init(jax.random.key(0), seconds)
    out = module.apply(variables, seconds)
    assert out.shape == (1, 3, 5)
    np.testing.assert_allclose(out[:, 1:2], module.apply(variables, seconds[:, 1:2]), rtol=1e-6)

    x = np.random.default_rng(0).normal(size=(1, 3, 2, 2, 4)).astype(np.float32)
    film = FiLM()
    variables = film.init(jax.random.key(0), x, out)
    np.testing.assert_array_equal(film.apply(variables, x, out), x)
    kernel = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    variables["params"]["Dense_0"]["kernel"] = kernel
    told = (np.asarray(out) @ kernel)[:, :, None, None]
    expected = (1 + told[..., :4]) * x + told[..., 4:]
    np.testing.assert_allclose(film.apply(variables, x, out), expected, rtol=1e-4, atol=1e-5)
