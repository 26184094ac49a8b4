import dataclasses

import chex
import numpy as np
import pytest
from scipy import stats

from gm_jax.data import (
    ArrayExamples,
    Clusters,
    Data,
    DataSpec,
    Grid,
    HorizontalFlip,
    Resize,
    Ring,
    Split,
)
from gm_jax.errors import ConfigError, UserError


def points_of(source, split="train"):
    arrays = source.open(split).load_all()
    return arrays["image"][:, 0, 0], arrays["label"]


@pytest.mark.parametrize("source", [Ring(), Ring(num_modes=3, radius=1.0, scale=0.3), Grid()])
def test_the_mixture_is_what_it_says(source):
    points, modes = points_of(source)
    chex.assert_shape(points, (50_000, 2))
    assert points.dtype == np.float32
    assert modes.dtype == np.int32
    centers = source.centers
    assert source.spec == DataSpec((1, 1, 2), num_classes=len(centers), continuous=True)
    # Equal shares, and round Gaussians of the scale around the centre that the label names.
    assert stats.chisquare(np.bincount(modes, minlength=len(centers))).pvalue > 1e-3
    noise = (points - centers[modes]) / source.scale
    for axis in range(2):
        assert stats.kstest(noise[:, axis], "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise.T)[0, 1]) < 4 / np.sqrt(len(noise))


def test_centers():
    ring = Ring().centers
    np.testing.assert_allclose(np.linalg.norm(ring, axis=1), 2.0, rtol=1e-6)
    neighbours = np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1)
    np.testing.assert_allclose(neighbours, 4 * np.sin(np.pi / 8), rtol=1e-6)
    np.testing.assert_allclose(ring[0], [2, 0])
    expected = [(x, y) for y in (-4, -2, 0, 2, 4) for x in (-4, -2, 0, 2, 4)]
    np.testing.assert_array_equal(Grid().centers, expected)


@pytest.mark.parametrize(
    "source",
    [
        Clusters(),
        Clusters(weights=(0.7, 0.3), means=(-1.0, 2.0), deviations=(0.5, 1.0), correlations=()),
    ],
    ids=["plane", "line"],
)
def test_clusters_are_the_gaussians_they_say(source):
    arrays = source.open("train").load_all()
    points, modes = arrays["image"][:, 0, 0], arrays["label"]
    num_modes, num_dims = source.centers.shape
    assert source.spec == DataSpec((1, 1, num_dims), num_classes=num_modes, continuous=True)
    chex.assert_type(points, np.float32)
    counts = np.bincount(modes, minlength=num_modes)
    assert stats.chisquare(counts, len(modes) * np.array(source.weights)).pvalue > 1e-3
    for k, covariance in enumerate(source.covariances):
        deviations = np.array(source.deviations).reshape(num_modes, num_dims)[k]
        np.testing.assert_allclose(np.sqrt(np.diag(covariance)), deviations)
        # Whitened by the covariance that is claimed: independent standard normals.
        residual = points[modes == k] - source.centers[k]
        white = np.linalg.solve(np.linalg.cholesky(covariance), residual.T)
        for line in white:
            assert stats.kstest(line, "norm").pvalue > 1e-3
        if num_dims == 2:
            assert abs(np.corrcoef(white)[0, 1]) < 4 / np.sqrt(len(residual))
            found = np.corrcoef(residual.T)[0, 1]
            assert found == pytest.approx(source.correlations[k], abs=0.05)
    fewer = dataclasses.replace(source, num_train=100).open("train").load_all()
    np.testing.assert_array_equal(fewer["image"], arrays["image"][:100])


def test_points_depend_on_seed_and_split_only():
    points, modes = points_of(Ring())
    again, _ = points_of(Ring())
    np.testing.assert_array_equal(points, again)
    # A smaller split is the beginning of a larger one, and a part of a split is that part.
    fewer, fewer_modes = points_of(Ring(num_train=1000))
    np.testing.assert_array_equal(fewer, points[:1000])
    np.testing.assert_array_equal(fewer_modes, modes[:1000])
    part, _ = points_of(Ring(), "train[10:20]+test[:5]")
    np.testing.assert_array_equal(part[:10], points[10:20])
    np.testing.assert_array_equal(part[10:], points_of(Ring(), "test")[0][:5])
    for other in (points_of(Ring(seed=1))[0], points_of(Ring(), "test")[0]):
        assert not (other[:1000] == points[:1000]).all(1).any()
    # Position says nothing of the mode: any part has all of them.
    assert set(modes[:200]) == set(range(8))


def test_splits():
    assert len(Ring().open("validation")) == len(Ring().open("valid")) == 2_000
    assert len(Ring().open("test[:10%]")) == 1_000
    with pytest.raises(UserError, match="no split 'tset'"):
        Ring().open("tset")


def test_batches_of_points():
    data = Data(source=Ring(num_train=100), train="train", valid="validation", batch_size=32)
    resident = data.open("train")
    streamed = Data(**{**vars(data), "device_budget_mib": 0}).open("train")
    assert resident.resident
    assert not streamed.resident
    for step in (0, 3, 50):  # 3 lies across the end of an epoch
        batch = resident.batch_at(step)
        chex.assert_shape(batch["image"], (32, 1, 1, 2))
        assert batch["image"].dtype == np.float32
        for name, values in streamed.batch_at(step).items():
            assert values.dtype == batch[name].dtype
            np.testing.assert_array_equal(values, batch[name])
    last = list(data.open("valid").eval_batches(1500))[-1]
    assert last["mask"].sum() == 500
    # float32 takes four times the bytes of uint8.
    points = np.zeros((10, 1, 1, 2), np.float32)
    spec = DataSpec((1, 1, 2), continuous=True)
    assert Split(ArrayExamples(points), spec, resident_bytes=80).resident
    assert not Split(ArrayExamples(points), spec, resident_bytes=79).resident


def test_points_that_do_not_fit():
    spec = DataSpec((1, 1, 2), continuous=True)
    points = np.zeros((5, 1, 1, 2), np.float32)
    with pytest.raises(UserError, match=r"example 0 .* is float64, not float32"):
        Split(ArrayExamples(points.astype(np.float64)), spec)
    with pytest.raises(UserError, match=r"example 0 .* is float32, not uint8"):
        Split(ArrayExamples(points), DataSpec((1, 1, 2)))
    points[3, 0, 0, 1] = np.nan
    with pytest.raises(UserError, match=r"example 3 .* not finite"):
        Split(ArrayExamples(points), spec)


@pytest.mark.parametrize("transform", [HorizontalFlip(), Resize(4)])
def test_transforms_are_for_images(transform):
    data = Data(source=Ring(), train="train", valid="validation", transforms=(transform,))
    with pytest.raises(ConfigError, match="is for images, and these data are points") as error:
        assert data.spec
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Ring(num_modes=0),
        lambda: Ring(radius=-1.0),
        lambda: Ring(scale=0.0),
        lambda: Ring(seed=-1),
        lambda: Grid(side=0),
        lambda: Grid(spacing=0.0),
        lambda: Grid(num_test=0),
        lambda: Clusters(weights=(0.5, 0.6, 0.1, -0.2)),
        lambda: Clusters(weights=(0.5, 0.6)),
    ],
)
def test_wrong_fields(build):
    with pytest.raises(ConfigError, match="must be"):
        build()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weights": (0.5, 0.5)}, "means needs 2 numbers .* or 4 .* for 2 weights, not 8"),
        ({"deviations": (1.0, 2.0)}, "deviations needs as many numbers as means, 8, not 2"),
        ({"correlations": (0.5,)}, "correlations needs 4 numbers"),
        ({"correlations": (0.5, 1.0, 0.0, 0.0)}, "correlations needs 4 numbers in"),
    ],
)
def test_clusters_that_do_not_fit(fields, message):
    with pytest.raises(ConfigError, match=message) as error:
        Clusters(**fields)
    assert "\n" not in str(error.value)
