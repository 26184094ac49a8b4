import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import skimage.metrics
from scipy.special import log_expit

from gm_jax.functional.likelihoods import bernoulli_log_prob
from gm_jax.metrics.image import MAX_PSNR, bce, kld, mse, psnr

RNG = np.random.default_rng(0)
SHAPE = (3, 9, 7, 2)


def pair():
    return RNG.random((2, *SHAPE)).astype(np.float32)


class PerExampleTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equal_to_scikit_image_and_scipy(self):
        x, y = pair()
        for metric, reference in (
            (mse, lambda a, b: skimage.metrics.mean_squared_error(b, a)),
            (psnr, lambda a, b: skimage.metrics.peak_signal_noise_ratio(b, a, data_range=1.0)),
            (kld, lambda a, b: scipy.stats.entropy(b.ravel(), a.ravel())),
        ):
            got = self.variant(metric)(x, y)
            want = [
                reference(a.astype(np.float64), b.astype(np.float64))
                for a, b in zip(x, y, strict=True)
            ]
            chex.assert_shape(got, (3,))
            chex.assert_type(got, jnp.float32)
            chex.assert_trees_all_close(got, np.float32(want), rtol=1e-5)


def test_bce_equals_the_cross_entropy_of_logits():
    logits = RNG.normal(0, 2, SHAPE)
    target = RNG.random(SHAPE)
    want = -(target * log_expit(logits) + (1 - target) * log_expit(-logits)).mean((1, 2, 3))
    got = bce(jax.nn.sigmoid(jnp.float32(logits)), target)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    from_logits = -bernoulli_log_prob(jnp.float32(logits), target).mean((1, 2, 3))
    np.testing.assert_allclose(got, from_logits, rtol=1e-5)


def test_certain_and_wrong_stays_finite():
    zeros, ones = jnp.zeros((1, 4)), jnp.ones((1, 4))
    value, grad = jax.value_and_grad(lambda p: bce(p, ones).sum())(zeros)
    chex.assert_tree_all_finite((value, grad))
    np.testing.assert_allclose(value, -np.log(1e-7), rtol=1e-5)
    np.testing.assert_allclose(bce(ones, ones), 0.0, atol=2e-7)
    one_hot = jnp.array([[1.0, 0, 0, 0]])
    chex.assert_tree_all_finite(
        jax.value_and_grad(lambda p: kld(p, one_hot).sum())(one_hot[:, ::-1])
    )


def test_kld_ignores_the_scale_of_an_image():
    x, y = pair()
    np.testing.assert_allclose(kld(x, 7 * y), kld(x, y), rtol=1e-4)
    np.testing.assert_allclose(kld(x, x), 0.0, atol=1e-6)


def test_kld_of_black_images_is_that_of_uniform_ones():
    np.testing.assert_allclose(kld(jnp.zeros((2, 5)), jnp.ones((2, 5))), 0.0, atol=1e-6)


@pytest.mark.parametrize("data_range", [1.0, 2.0, 255.0])
def test_psnr_data_range(data_range):
    x, y = data_range * pair()
    want = [
        skimage.metrics.peak_signal_noise_ratio(b, a, data_range=data_range)
        for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(psnr(x, y, data_range), want, rtol=1e-5)


def test_psnr_of_equal_images_is_the_greatest_there_is():
    x, _ = pair()
    np.testing.assert_array_equal(psnr(x, x), MAX_PSNR)
    # One value of 150,000 off by one level of 256 is less.
    target = np.zeros((1, 300, 500, 1), np.float32)
    prediction = target.copy()
    prediction[0, 7, 9, 0] = 1 / 255
    assert 99 < float(psnr(prediction, target)[0]) < MAX_PSNR


def test_uint8_levels_do_not_wrap():
    got = mse(jnp.array([[0, 255]], jnp.uint8), jnp.array([[255, 0]], jnp.uint8))
    np.testing.assert_allclose(got, 255.0**2)


@pytest.mark.parametrize("metric", [mse, bce, kld, psnr])
def test_shapes_must_agree(metric):
    with pytest.raises(ValueError, match="shape"):
        metric(jnp.ones((2, 4, 4, 3)), jnp.ones((2, 4, 4, 1)))


@pytest.mark.parametrize("metric", [mse, bce, kld, psnr])
def test_an_empty_batch_gives_no_numbers(metric):
    chex.assert_shape(metric(jnp.ones((0, 4, 4, 3)), jnp.ones((0, 4, 4, 3))), (0,))
