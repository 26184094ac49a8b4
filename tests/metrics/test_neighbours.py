import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from gm_jax.errors import UserError
from gm_jax.metrics.memorization import memorized, num_duplicates
from gm_jax.metrics.neighbours import Neighbours, nearest

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_equal_to_sklearn_in_blocks_of_any_size(k, block):
    queries, points = RNG.normal(size=(50, 6)), RNG.normal(size=(70, 6))
    found = nearest(queries, points, k, block=block)
    distance, index = (
        NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(points).kneighbors(queries)
    )
    np.testing.assert_allclose(found.distance, distance, rtol=1e-7)
    np.testing.assert_array_equal(found.places, index)
    own = nearest(points, points, k, same=True, block=block)
    distance, index = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(points).kneighbors()
    np.testing.assert_allclose(own.distance, distance, rtol=1e-7)
    np.testing.assert_array_equal(own.places, index)


def test_equal_ones_have_no_distance_however_far_from_zero():
    x = (1e4 + RNG.normal(size=(30, 8))).astype(np.float32)
    found = nearest(x, x[::-1])
    assert (found.distance == 0).all()
    np.testing.assert_array_equal(found.places[:, 0], np.arange(30)[::-1])
    assert (nearest(x, x, same=True).distance > 0).all()


def test_too_few():
    x = np.zeros((3, 2))
    with pytest.raises(UserError, match="4 or more images are needed for 3 neighbours"):
        nearest(x, x, 3, same=True)
    with pytest.raises(UserError, match="1 or more points are needed"):
        nearest(x, x[:0])


def test_copies_of_training_images_are_found():
    train = RNG.normal(size=(500, 20))
    fresh, copies = RNG.normal(size=(200, 20)), train[:100] + RNG.normal(0, 0.05, (100, 20))
    found = memorized(nearest(np.concatenate([fresh, copies]), train, 2))
    assert not found[:200].any()
    assert found[200:].all()
    blurred = nearest(np.zeros((1, 20)), train, 2)  # near to all
    assert not memorized(blurred).any()
    twice = nearest(train[:1], np.concatenate([train, train]), 2)
    assert memorized(twice).all()
    with pytest.raises(UserError, match="two nearest"):
        memorized(Neighbours(np.zeros((3, 1)), np.zeros((3, 1), int)))


def test_duplicates():
    images = RNG.integers(0, 256, (10, 4, 4, 1), np.uint8)
    assert num_duplicates(images) == 0
    assert num_duplicates(np.concatenate([images, images[:3], images[:1]])) == 4
