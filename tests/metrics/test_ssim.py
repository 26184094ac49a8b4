import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from skimage.metrics import structural_similarity
from sklearn.datasets import load_digits

from gm_jax.errors import UserError
from gm_jax.metrics.ssim import SSIM_WINDOW, WindowError, ssim

RNG = np.random.default_rng(0)

# Keyword arguments of ours, and the same of scikit-image.
VARIANTS = {
    "wang2004": (
        {},
        {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    ),
    "skimage_default": ({"window": "uniform", "use_sample_covariance": True}, {}),
    "uniform_5": (
        {"window": "uniform", "window_size": 5},
        {"win_size": 5, "use_sample_covariance": False},
    ),
    "narrow_gaussian": (
        {"sigma": 0.8, "use_sample_covariance": True},
        {"gaussian_weights": True, "sigma": 0.8},
    ),
}


def reference(x, y, data_range, **kwargs):
    return np.array(
        [
            structural_similarity(
                a.astype(np.float64),
                b.astype(np.float64),
                data_range=data_range,
                channel_axis=-1,
                **kwargs,
            )
            for a, b in zip(x, y, strict=True)
        ]
    )


def real_images():
    """Photographs, and one with large flat regions, each beside a worse copy: [4, 40, 56, 3]."""
    astronaut, cat = skimage.data.astronaut(), skimage.data.chelsea()
    x = np.stack([astronaut[20:60, 190:246], astronaut[100:140, 200:256], cat[100:140, 100:156]])
    flat = np.zeros((1, 40, 56, 3), np.uint8)
    flat[:, :20], flat[:, 20:, 30:] = 255, 131
    x = np.concatenate([x, flat]).astype(np.float32) / 255
    noise = np.array([0.0, 0.02, 0.1, 0.02])[:, None, None, None] * RNG.normal(size=x.shape)
    return x, np.clip(np.float32(x + noise), 0, 1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("shape", [(2, 11, 11, 1), (3, 16, 23, 3), (1, 32, 32, 3)])
def test_equals_scikit_image_on_noise(variant, shape):
    ours, theirs = VARIANTS[variant]
    x, y = RNG.random((2, *shape)).astype(np.float32)
    y = 0.7 * x + 0.3 * y
    got = ssim(x, y, **ours)
    chex.assert_shape(got, shape[:1])
    chex.assert_type(got, jnp.float32)
    np.testing.assert_allclose(got, reference(x, y, 1.0, **theirs), atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_scikit_image_on_real_images(variant):
    ours, theirs = VARIANTS[variant]
    x, y = real_images()
    got = jax.jit(lambda x, y: ssim(x, y, **ours))(x, y)
    np.testing.assert_allclose(got, reference(x, y, 1.0, **theirs), atol=1e-5)
    assert (np.asarray(got)[1:] < 0.999).all()  # the copies do differ


def test_equals_scikit_image_on_digits():
    x = load_digits().images[:32, :, :, None].astype(np.float32) / 16
    y = np.roll(x, 1, axis=0)
    got = ssim(x, y, window="uniform", use_sample_covariance=True)
    np.testing.assert_allclose(got, reference(x, y, 1.0), atol=1e-5)


@pytest.mark.parametrize("data_range", [2.0, 255.0])
def test_data_range(data_range):
    x, y = real_images()
    got = ssim(data_range * x, data_range * y, data_range)
    np.testing.assert_allclose(got, ssim(x, y), atol=1e-5)


def test_equal_images_have_similarity_one():
    x, _ = real_images()
    np.testing.assert_allclose(ssim(x, x), 1.0, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_gradient_is_finite_on_constant_images(value):
    x = jnp.full((1, 12, 12, 1), value)
    for y in (x, jnp.zeros_like(x), jnp.asarray(RNG.random(x.shape), jnp.float32)):
        grads = jax.grad(lambda x, y: ssim(x, y).sum(), (0, 1))(x, y)
        chex.assert_tree_all_finite(grads)


def test_gradient_points_uphill():
    x, y = real_images()
    grad = jax.grad(lambda y: ssim(x, y)[2])(y)
    assert ssim(x, y + 1e-2 * np.sign(grad))[2] > ssim(x, y)[2]
    chex.assert_trees_all_equal(grad[0], jnp.zeros_like(grad[0]))  # examples do not mix


def test_small_images_are_an_error_or_shrink_the_window():
    x, y = RNG.random((2, 2, 8, 9, 1)).astype(np.float32)
    with pytest.raises(
        WindowError, match="window of 11x11 pixels is larger than the images of 8x9"
    ):
        ssim(x, y)
    assert issubclass(WindowError, UserError)
    assert issubclass(WindowError, ValueError)
    got = ssim(x, y, shrink_window=True)
    np.testing.assert_allclose(got, ssim(x, y, window_size=7))
    np.testing.assert_allclose(  # a window of one pixel has no variance: luminance alone
        ssim(x[:, :1], y[:, :1], shrink_window=True), ssim(x[:, :1], y[:, :1], window_size=1)
    )


@pytest.mark.parametrize("window_size", [0, 4, -3])
def test_windows_are_odd(window_size):
    with pytest.raises(WindowError, match="odd window_size"):
        ssim(jnp.ones((1, 8, 8, 1)), jnp.ones((1, 8, 8, 1)), window_size=window_size)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shape"):
        ssim(jnp.ones((1, 16, 16, 3)), jnp.ones((1, 16, 16, 1)))
    with pytest.raises(ValueError, match="shape"):
        ssim(jnp.ones((16, 16, 3)), jnp.ones((16, 16, 3)))


def test_the_papers_window_is_the_smallest_image():
    x, y = RNG.random((2, 1, SSIM_WINDOW, SSIM_WINDOW, 1)).astype(np.float32)
    assert np.isfinite(ssim(x, y)).all()
    with pytest.raises(WindowError, match=f"{SSIM_WINDOW}x{SSIM_WINDOW}"):
        ssim(x[:, 1:], y[:, 1:])
