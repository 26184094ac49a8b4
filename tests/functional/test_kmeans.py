import chex
import jax
import numpy as np

from gm_jax.functional.kmeans import kmeans_plus_plus


def test_seeds_are_drawn_by_weight_and_squared_distance():
    """Both seeds of a set of four points on a line, against all their probabilities."""
    x = np.array([[0.0], [1.0], [3.0], [10.0]], np.float32)
    weights = np.array([1.0, 1.0, 2.0, 0.0], np.float32)  # 10 is left out
    keys = jax.random.split(jax.random.key(0), 20_000)
    seeds = jax.vmap(lambda key: kmeans_plus_plus(key, x, weights, 2))(keys)
    chex.assert_shape(seeds, (20_000, 2, 1))
    found = np.zeros((4, 4))
    first, second = (np.searchsorted(x[:, 0], seeds[:, i, 0]) for i in range(2))
    np.add.at(found, (first, second), 1 / len(keys))
    expected = np.zeros((4, 4))
    for i in range(3):
        mass = weights * (x[:, 0] - x[i, 0]) ** 2
        expected[i] = weights[i] / weights.sum() * mass / mass.sum()
    np.testing.assert_allclose(found, expected, atol=0.015)
    assert found[3].sum() == found[:, 3].sum() == 0


def test_seeds_where_there_is_little_to_choose_from():
    key = jax.random.key(0)
    x = np.array([[0.0, 1.0], [0.0, 1.0], [5.0, 5.0]], np.float32)
    for weights in ([1.0, 1.0, 0.0], [1.0, 0.0, 0.0]):  # fewer points apart than seeds
        seeds = kmeans_plus_plus(key, x, np.array(weights, np.float32), 3)
        np.testing.assert_array_equal(seeds, x[:1].repeat(3, 0))
    seeds = kmeans_plus_plus(key, x, np.zeros(3, np.float32), 2)  # no weights: all points alike
    assert {tuple(s) for s in np.asarray(seeds)} == {(0.0, 1.0), (5.0, 5.0)}
