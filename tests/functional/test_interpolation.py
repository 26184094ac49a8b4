import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import geometric_slerp

from gm_jax.functional.interpolation import lerp, slerp

RNG = np.random.default_rng(0)
T = np.linspace(0, 1, 7).astype(np.float32)


def normals(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def formula(a, b, t):
    """Weights of Shoemake for the directions, in double precision; norms by a straight line."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    r, s = np.linalg.norm(a), np.linalg.norm(b)
    u, v = a / r, b / s
    angle = np.arccos(u @ v)
    points = [(np.sin((1 - w) * angle) * u + np.sin(w * angle) * v) / np.sin(angle) for w in t]
    return np.stack([((1 - w) * r + w * s) * p for w, p in zip(t, points, strict=True)])


def angles(path, a):
    cosine = path @ a / (np.linalg.norm(path, axis=-1) * np.linalg.norm(a))
    return np.arccos(np.clip(cosine, -1, 1))


def test_lerp_equals_the_formula():
    a, b = normals(2, 3, 5), normals(2, 3, 5)
    got = lerp(a, b, T)
    assert got.shape == (2, 3, 7, 5)
    for i, w in enumerate(T):
        np.testing.assert_allclose(got[:, :, i], (1 - w) * a + w * b, atol=1e-6)


@pytest.mark.parametrize("size", [2, 3, 100])
def test_slerp_equals_the_formula(size):
    a, b = normals(4, size), 3 * normals(4, size)
    got = jax.jit(slerp)(a, b, T)
    assert got.shape == (4, 7, size)
    assert got.dtype == jnp.float32
    for i in range(4):
        np.testing.assert_allclose(got[i], formula(a[i], b[i], T), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("size", [2, 3, 64])
def test_slerp_of_unit_vectors_equals_scipy(size):
    a, b = (x / np.linalg.norm(x) for x in normals(2, size).astype(np.float64))
    wanted = geometric_slerp(a, b, T)
    np.testing.assert_allclose(slerp(jnp.float32(a), jnp.float32(b), T), wanted, atol=1e-6)


def test_draws_of_a_normal_stay_where_draws_are():
    a, b = normals(16, 128), normals(16, 128)
    norms = np.linalg.norm(slerp(a, b, T), axis=-1)
    ends = np.stack([np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1)], axis=-1)
    np.testing.assert_allclose(norms, ends @ np.stack([1 - T, T]), rtol=1e-5)
    middle = np.linalg.norm(lerp(a, b, T)[:, 3], axis=-1)
    assert (middle < 0.85 * ends.min(-1)).all()  # why lines are not straight


def test_ends_are_the_vectors_themselves():
    a, b = normals(8, 20), normals(8, 20)
    path = np.asarray(slerp(a, b, T))
    np.testing.assert_allclose(path[:, 0], a, atol=1e-6)
    np.testing.assert_allclose(path[:, -1], b, atol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-6, 0.3, 3.0])
def test_parallel_vectors_are_joined_by_a_straight_line(factor):
    a = normals(10)
    np.testing.assert_allclose(slerp(a, factor * a, T), lerp(a, factor * a, T), atol=1e-5)


@pytest.mark.parametrize("nudge", [1e-6, 1e-4, 1e-2])
def test_almost_parallel_vectors(nudge):
    a = normals(10)
    b = a + np.float32(nudge) * normals(10)
    np.testing.assert_allclose(slerp(a, b, T), lerp(a, b, T), atol=1e-3 * nudge + 2e-6)


@pytest.mark.parametrize("size", [2, 3, 100])
@pytest.mark.parametrize("factor", [1.0, 0.3, 3.0])
@pytest.mark.parametrize("nudge", [0.0, 1e-7, 1e-5, 1e-3])
def test_opposite_vectors_are_joined_by_a_half_turn(size, factor, nudge):
    a = normals(size)
    b = np.float32(-factor) * a + np.float32(nudge) * normals(size)
    path = np.asarray(slerp(a, b, T))
    norms = np.linalg.norm(path, axis=-1)
    wanted = (1 - T) * np.linalg.norm(a) + T * np.linalg.norm(b)
    np.testing.assert_allclose(norms, wanted, rtol=1e-4)
    np.testing.assert_allclose(path[-1], b, atol=1e-4 * np.linalg.norm(b))
    np.testing.assert_allclose(angles(path, a), np.pi * T, atol=2e-2)


@pytest.mark.parametrize("axis", range(3))
def test_opposite_vectors_along_an_axis(axis):
    a = np.eye(3, dtype=np.float32)[axis]
    path = np.asarray(slerp(a, -a, T))
    np.testing.assert_allclose(np.linalg.norm(path, axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(angles(path, a), np.pi * T, atol=1e-3)


def test_a_zero_vector_leaves_a_straight_line():
    a, zero = normals(6), np.zeros(6, np.float32)
    for start, end in [(a, zero), (zero, a), (zero, zero)]:
        np.testing.assert_allclose(slerp(start, end, T), lerp(start, end, T), atol=1e-6)


def test_one_dimension_is_a_straight_line():
    a, b = normals(4, 1), normals(4, 1)
    np.testing.assert_array_equal(slerp(a, b, T), lerp(a, b, T))


def test_bfloat16_is_upcast():
    a, b = jnp.ones(3, jnp.bfloat16), -jnp.ones(3, jnp.bfloat16)
    assert slerp(a, b, T).dtype == lerp(a, b, T).dtype == jnp.float32
