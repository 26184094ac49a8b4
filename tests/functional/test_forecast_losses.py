"""Losses of forecasts against NumPy loops and scikit-image."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from gm_jax.errors import ConfigError
from gm_jax.functional.forecast_losses import (
    ForecastLoss,
    cross_entropy_loss,
    gradient_difference_loss,
    l1_loss,
    l2_loss,
    perceptual_loss,
    ssim_loss,
)

RNG = np.random.default_rng(0)
X, Y = RNG.random((2, 2, 3, 13, 12, 2)).astype(np.float32)  # [B, M, H, W, C]


def test_ssim_loss_is_one_minus_scikit_images_mean_over_frames():
    expected = [
        1
        - np.mean(
            [
                structural_similarity(
                    a,
                    b,
                    channel_axis=-1,
                    data_range=1.0,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                )
                for a, b in zip(xs, ys, strict=True)
            ]
        )
        for xs, ys in zip(X.astype(np.float64), Y.astype(np.float64), strict=True)
    ]
    np.testing.assert_allclose(ssim_loss(jnp.array(X), jnp.array(Y)), expected, atol=1e-5)


def test_l1_l2_and_gradient_difference_are_numpys_loops():
    np.testing.assert_allclose(l1_loss(X, Y), np.abs(X - Y).mean((1, 2, 3, 4)), rtol=1e-5)
    np.testing.assert_allclose(l2_loss(X, Y), ((X - Y) ** 2).mean((1, 2, 3, 4)), rtol=1e-5)
    expected = np.zeros(2)
    for b in range(2):
        vertical, horizontal = [], []
        for m in range(3):
            for i in range(13):
                for j in range(12):
                    x, y = X[b, m], Y[b, m]
                    if i:
                        vertical.append(
                            abs(abs(y[i, j] - y[i - 1, j]) - abs(x[i, j] - x[i - 1, j]))
                        )
                    if j:
                        horizontal.append(
                            abs(abs(y[i, j] - y[i, j - 1]) - abs(x[i, j] - x[i, j - 1]))
                        )
        expected[b] = np.mean(vertical) + np.mean(horizontal)
    np.testing.assert_allclose(gradient_difference_loss(X, Y), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [ssim_loss, l1_loss, l2_loss, gradient_difference_loss])
def test_gradients_are_finite_on_constant_images_and_zero_where_equal(loss):
    gradient = jax.jit(jax.grad(lambda x, y: loss(x, y).sum()))
    for value in (0.0, 0.3, 1.0):
        flat = jnp.full((1, 2, 12, 12, 1), value)
        for target in (flat, 0.0 * flat, flat + 0.1, jnp.array(X[:1, :2, :12, :, :1])):
            assert np.isfinite(gradient(flat, target)).all()
        np.testing.assert_allclose(gradient(flat, flat), 0.0, atol=1e-7)
        np.testing.assert_allclose(loss(flat, flat), 0.0, atol=1e-6)
    x = jnp.array(X)
    np.testing.assert_allclose(loss(x, x), 0.0, atol=1e-6)
    np.testing.assert_allclose(gradient(x, x), 0.0, atol=1e-7)


def test_cross_entropy_is_numpys_and_smallest_at_the_mean_of_what_may_come():
    a, b = (X.astype(np.float64) * 0.9998 + 1e-4, Y.astype(np.float64))
    expected = -(b * np.log(a) + (1 - b) * np.log(1 - a)).mean((1, 2, 3, 4))
    np.testing.assert_allclose(cross_entropy_loss(X, Y), expected, rtol=1e-5)

    p = jnp.array([0.3, 0.7]).reshape(1, 1, 1, 2, 1)  # of frames that are white so often
    frames = jnp.array([[[1.0, 1.0]] * 3 + [[0.0, 1.0]] * 4 + [[0.0, 0.0]] * 3])  # [1, 10, 2]

    def mean_loss(y):
        return cross_entropy_loss(jnp.tile(y, (1, 10, 1, 1, 1)), frames[:, :, None, :, None]).sum()

    np.testing.assert_allclose(jax.grad(mean_loss)(p), 0.0, atol=2e-4)
    wrong = jnp.zeros((1, 1, 1, 2, 1)), jnp.ones((1, 1, 1, 2, 1))  # sure, and not to be persuaded
    np.testing.assert_allclose(cross_entropy_loss(*wrong), -np.log(1e-4), rtol=1e-3)
    chex.assert_tree_all_finite(jax.grad(lambda y: cross_entropy_loss(y, wrong[1]).sum())(wrong[0]))


def test_the_sum_is_weighted():
    def features(images):
        return {"mean": images.mean((1, 2)), "double": 2 * images}

    x, y = jnp.array(X), jnp.array(Y)
    loss = ForecastLoss(ssim=0.3, l1=0.2, l2=0.5, cross_entropy=0.6, gradient=0.7, perceptual=0.1)
    expected = 0.3 * ssim_loss(x, y) + 0.2 * l1_loss(x, y) + 0.5 * l2_loss(x, y)
    expected += 0.6 * cross_entropy_loss(x, y) + 0.7 * gradient_difference_loss(x, y)
    means = (X.mean((2, 3)) - Y.mean((2, 3))) ** 2
    distance = means.mean((1, 2)) + 4 * ((X - Y) ** 2).mean((1, 2, 3, 4))
    np.testing.assert_allclose(perceptual_loss(x, y, features), distance, rtol=1e-5)
    np.testing.assert_allclose(loss(x, y, features), expected + 0.1 * distance, rtol=1e-5)


def test_weights_that_cannot_be():
    with pytest.raises(ConfigError, match=r"ForecastLoss\.l1 must be 0 or greater, not -1"):
        ForecastLoss(l1=-1.0)
    with pytest.raises(ConfigError, match="needs a weight above 0"):
        ForecastLoss(ssim=0.0)
    with pytest.raises(ConfigError, match=r"perceptual 0\.3 needs a feature function"):
        ForecastLoss(perceptual=0.3)(jnp.array(X), jnp.array(Y))


def test_what_was_not_seen_has_no_part():
    """Its levels change neither the loss nor the gradient, and get none; nothing seen is 0."""
    seen = np.ones(X.shape, bool)
    seen[0, 0, :2, :1] = False
    seen[0, 1, :, :] = False
    seen[1] = False
    loss = ForecastLoss(ssim=1.0, l1=1.0, l2=1.0, cross_entropy=1.0, gradient=1.0)

    def total(x, y):
        losses = loss(x, y, seen=jnp.array(seen))
        return losses.sum(), losses

    found = jax.jit(jax.value_and_grad(total, has_aux=True))
    (_, losses), gradient = found(jnp.array(X), jnp.array(Y))
    others = [np.where(seen, v, RNG.random(X.shape)).astype(np.float32) for v in (X, Y)]
    (_, same), same_gradient = found(*map(jnp.array, others))
    np.testing.assert_allclose(losses, same, rtol=1e-5)
    np.testing.assert_allclose(gradient, same_gradient, atol=1e-6)
    assert not np.asarray(gradient)[~seen].any()
    assert np.isfinite(gradient).all()
    assert losses[1] == 0
    part = seen[0]
    np.testing.assert_allclose(
        l1_loss(X, Y, jnp.array(seen))[0], np.abs(X - Y)[0][part].mean(), rtol=1e-5
    )
    steep = [
        abs(
            abs(Y[0, m, i, j, c] - Y[0, m, i - 1, j, c])
            - abs(X[0, m, i, j, c] - X[0, m, i - 1, j, c])
        )
        for m, i, j, c in np.argwhere(part)
        if i and part[m, i - 1, j, c]
    ]
    across = [
        abs(
            abs(Y[0, m, i, j, c] - Y[0, m, i, j - 1, c])
            - abs(X[0, m, i, j, c] - X[0, m, i, j - 1, c])
        )
        for m, i, j, c in np.argwhere(part)
        if j and part[m, i, j - 1, c]
    ]
    np.testing.assert_allclose(
        gradient_difference_loss(X, Y, jnp.array(seen))[0],
        np.mean(steep) + np.mean(across),
        rtol=1e-5,
    )
