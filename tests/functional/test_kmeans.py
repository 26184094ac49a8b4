import chex
import jax
import numpy as np
from sklearn.cluster import KMeans

from gm_jax.functional.kmeans import kmeans, kmeans_plus_plus


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


def test_lloyds_steps_and_restarts_find_the_clusters():
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0], [8.0, 8.0], [4.0, 20.0]])
    x = (centres[np.arange(200) % 5] + rng.normal(size=(200, 2))).astype(np.float32)
    weights = np.ones(200, np.float32)
    weights[::5] = 0.5
    keys = jax.random.split(jax.random.key(1), 20)

    def costs(steps, starts):
        return np.asarray(jax.vmap(lambda k: kmeans(k, x, weights, 5, steps, starts)[1])(keys))

    seeds, moved, best = costs(0, 1), costs(20, 1), costs(20, 12)
    assert (moved < seeds).all()
    theirs = KMeans(5, n_init=50, random_state=0).fit(x, sample_weight=weights)
    np.testing.assert_allclose(best, theirs.inertia_ / weights.sum(), rtol=1e-4)
    assert (moved > 1.5 * best.min()).any()  # one start alone may end elsewhere
    means, _ = kmeans(keys[0], x, weights, 5, 20, 12)
    order = np.argsort(theirs.cluster_centers_ @ [1.0, 3.0])
    mine = np.argsort(np.asarray(means) @ [1.0, 3.0])
    np.testing.assert_allclose(means[mine], theirs.cluster_centers_[order], atol=1e-4)


def test_without_steps_the_means_are_the_seeds():
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    key, weights = jax.random.key(3), np.ones(20, np.float32)
    means, cost = kmeans(key, x, weights, 3, steps=0)
    np.testing.assert_array_equal(means, kmeans_plus_plus(key, x, weights, 3))
    distances = ((x[:, None] - np.asarray(means)) ** 2).sum(-1)
    np.testing.assert_allclose(cost, distances.min(1).mean(), rtol=1e-5)


def test_a_mean_without_points_stays():
    x = np.array([[1.0], [1.0], [1.0]], np.float32)
    means, cost = kmeans(jax.random.key(0), x, np.ones(3, np.float32), 2, 3)
    np.testing.assert_array_equal(means, [[1.0], [1.0]])
    assert cost == 0
