import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy.special import log_expit, logsumexp

from gm_jax.functional.likelihoods import (
    bernoulli_log_prob,
    categorical_log_prob,
    discretized_logistic_log_prob,
    gaussian_log_prob,
    importance_log_prob,
    nats_to_bits_per_dim,
    sum_per_example,
)

RNG = np.random.default_rng(0)


class BernoulliTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_scipy(self):
        logits = RNG.normal(0, 3, (5, 4)).astype(np.float32)
        x = RNG.integers(0, 2, (5, 4))
        got = self.variant(bernoulli_log_prob)(logits, x)
        want = scipy.stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits.astype(np.float64))))
        chex.assert_trees_all_close(got, want.astype(np.float32), rtol=1e-5)


def test_bernoulli_grey_values_give_the_cross_entropy():
    logits = np.linspace(-4, 4, 9, dtype=np.float32)
    x = np.linspace(0, 1, 9, dtype=np.float32)
    want = x * log_expit(logits) + (1 - x) * log_expit(-logits)
    chex.assert_trees_all_close(bernoulli_log_prob(logits, x), want, atol=1e-6)


def test_bernoulli_far_logits_stay_finite():
    logits = jnp.array([-1e6, -100.0, 100.0, 1e6])
    for x in (0.0, 0.5, 1.0):
        value, grad = jax.vmap(jax.value_and_grad(bernoulli_log_prob), (0, None))(logits, x)
        chex.assert_tree_all_finite((value, grad))


def test_gaussian_equals_scipy():
    x, mean, log_scale = RNG.normal(0, 2, (3, 6, 5)).astype(np.float32)
    want = scipy.stats.norm.logpdf(x, mean, np.exp(log_scale))
    chex.assert_trees_all_close(
        gaussian_log_prob(x, mean, log_scale), want.astype(np.float32), rtol=1e-4, atol=1e-5
    )


def test_gaussian_with_a_tiny_scale_is_finite():
    got = gaussian_log_prob(jnp.ones(2), jnp.ones(2), jnp.full(2, -60.0))
    chex.assert_trees_all_close(got, np.full(2, 60.0 - 0.9189385, np.float32), rtol=1e-6)


def test_categorical_equals_scipy_and_sums_to_one():
    logits = RNG.normal(0, 3, (4, 3, 7)).astype(np.float32)
    levels = RNG.integers(0, 7, (4, 3)).astype(np.uint8)
    log_p = logits - logsumexp(logits, axis=-1, keepdims=True)
    want = np.take_along_axis(log_p, levels[..., None].astype(int), -1)[..., 0]
    got = categorical_log_prob(logits, levels)
    chex.assert_shape(got, (4, 3))
    chex.assert_trees_all_close(got, want, rtol=1e-5)
    everything = categorical_log_prob(
        jnp.broadcast_to(logits[..., None, :], (4, 3, 7, 7)),
        jnp.broadcast_to(jnp.arange(7), (4, 3, 7)),
    )
    chex.assert_trees_all_close(jnp.exp(everything).sum(-1), np.ones((4, 3)), atol=1e-5)


def test_categorical_level_out_of_range_is_nan():
    assert np.isnan(categorical_log_prob(jnp.zeros((1, 3)), jnp.array([3])))[0]


def test_uint8_level_255_of_256_is_not_negative():
    logits = jnp.zeros((1, 256)).at[0, 255].set(50.0)
    got = categorical_log_prob(logits, jnp.array([255], jnp.uint8))
    chex.assert_trees_all_close(got, np.zeros(1, np.float32), atol=1e-6)


def reference_mass(levels, mean, log_scale, num_levels):
    """Differences of scipy's logistic cdf in float64, taken on the side of the nearer tail."""
    dist = scipy.stats.logistic(np.float64(mean), np.exp(np.float64(log_scale)))
    upper = np.where(levels == num_levels - 1, np.inf, (2 * levels + 1) / (num_levels - 1) - 1)
    lower = np.where(levels == 0, -np.inf, (2 * levels - 1) / (num_levels - 1) - 1)
    right = lower > mean
    return np.where(right, dist.sf(lower) - dist.sf(upper), dist.cdf(upper) - dist.cdf(lower))


@pytest.mark.parametrize("num_levels", [2, 3, 17, 256])
@pytest.mark.parametrize("log_scale", [-7.0, -3.0, 0.0, 3.0])
def test_discretized_logistic_equals_differences_of_the_cdf(num_levels, log_scale):
    levels = np.arange(num_levels)
    for mean in (-1.3, -0.2, 0.0, 0.71):
        want = reference_mass(levels, mean, log_scale, num_levels)
        got = discretized_logistic_log_prob(
            levels, jnp.float32(mean), jnp.float32(log_scale), num_levels
        )
        seen = want > 1e-250  # beyond, float64 itself has run out
        # In units of the scale an edge is known to 1e-7 exp(-log_scale): that bounds the error.
        atol = 2e-6 + 3e-7 * np.exp(-log_scale)
        chex.assert_trees_all_close(np.float64(got)[seen], np.log(want[seen]), rtol=2e-6, atol=atol)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_discretized_logistic_sums_to_one(num_levels):
    mean = jnp.linspace(-3, 3, 13)[:, None, None]
    log_scale = jnp.linspace(-7, 5, 13)[None, :, None]
    levels = jnp.arange(num_levels)[None, None, :]
    got = discretized_logistic_log_prob(levels, mean, log_scale, num_levels)
    chex.assert_shape(got, (13, 13, num_levels))
    assert (got <= 0).all()
    chex.assert_trees_all_close(
        jnp.exp(jax.nn.logsumexp(got, axis=-1)), np.ones((13, 13), np.float32), atol=2e-5
    )


def test_discretized_logistic_is_finite_in_far_tails_with_its_gradient():
    mean = jnp.array([-1e4, -5.0, 0.0, 5.0, 1e4])[:, None, None]
    log_scale = jnp.array([-20.0, -7.0, 0.0, 20.0, 60.0])[None, :, None]
    levels = jnp.arange(256)[None, None, :]

    def total(mean, log_scale):
        return discretized_logistic_log_prob(levels, mean, log_scale, 256).sum()

    log_mass = discretized_logistic_log_prob(levels, mean, log_scale, 256)
    chex.assert_tree_all_finite((log_mass, jax.grad(total, (0, 1))(mean, log_scale)))


@pytest.mark.parametrize("log_scale", [-7.0, -2.0, 2.0])
def test_discretized_logistic_gradient_equals_float64_differences(log_scale):
    levels = np.array([0, 1, 100, 254, 255])

    def mass(mean, log_scale):
        return discretized_logistic_log_prob(levels, mean, log_scale, 256).sum()

    got = jax.grad(mass, (0, 1))(jnp.float32(0.1), jnp.float32(log_scale))
    with jax.enable_x64(True):
        eps = 1e-6
        want = tuple(
            (mass(*(jnp.float64(v) for v in up)) - mass(*(jnp.float64(v) for v in down)))
            / (2 * eps)
            for up, down in (
                ((0.1 + eps, log_scale), (0.1 - eps, log_scale)),
                ((0.1, log_scale + eps), (0.1, log_scale - eps)),
            )
        )
    np.testing.assert_allclose(got, want, rtol=2e-3)


def test_discretized_logistic_needs_two_levels():
    with pytest.raises(ValueError, match="at least 2 levels"):
        discretized_logistic_log_prob(jnp.zeros(1), jnp.zeros(1), jnp.zeros(1), 1)


@pytest.mark.parametrize(
    "log_prob",
    [
        lambda p: bernoulli_log_prob(p, jnp.ones(3)),
        lambda p: gaussian_log_prob(p, p, p),
        lambda p: categorical_log_prob(p[None], jnp.array([1])),
        lambda p: discretized_logistic_log_prob(jnp.arange(3), p, p, 256),
    ],
    ids=["bernoulli", "gaussian", "categorical", "discretized_logistic"],
)
def test_bfloat16_parameters_are_upcast_first(log_prob):
    params = jnp.array([-1.0, 0.5, 2.0])  # exact in bfloat16
    low = log_prob(params.astype(jnp.bfloat16))
    chex.assert_type(low, jnp.float32)
    chex.assert_trees_all_close(low, log_prob(params))


def test_sum_per_example():
    x = RNG.normal(size=(3, 2, 4, 5)).astype(np.float32)
    got = sum_per_example(x)
    chex.assert_shape(got, (3,))
    chex.assert_trees_all_close(got, x.sum((1, 2, 3)), rtol=1e-5)
    chex.assert_trees_all_equal(sum_per_example(jnp.arange(3.0)), np.arange(3.0, dtype=np.float32))
    chex.assert_shape(sum_per_example(jnp.zeros((1, 0))), (1,))


def test_uniform_levels_cost_their_number_of_bits():
    nats = jnp.full(2, 64 * np.log(16))
    chex.assert_trees_all_close(nats_to_bits_per_dim(nats, 64), np.full(2, 4.0), rtol=1e-6)


def test_importance_log_prob_is_the_log_of_the_mean_weight():
    log_weights = RNG.normal(-1000, 5, (7, 3)).astype(np.float32)
    got = importance_log_prob(log_weights)
    want = logsumexp(log_weights.astype(np.float64), axis=0) - np.log(7)
    chex.assert_shape(got, (3,))
    chex.assert_trees_all_close(got, want.astype(np.float32), rtol=1e-6)
    assert (got >= log_weights.mean(0)).all()  # Jensen
    chex.assert_trees_all_close(importance_log_prob(log_weights[:1]), log_weights[0])
