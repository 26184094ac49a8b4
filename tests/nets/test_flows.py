"""Flows and their layers: invertible, with the Jacobian's log-determinant, whatever the weights."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.conditioners import GatedConditioner, Style
from gm_jax.nets.couplings import ActNorm
from gm_jax.nets.flows import ImageFlow, VectorFlow

LABELS = jax.nn.one_hot(jnp.arange(3), 5)
MAP = jax.random.normal(jax.random.key(9), (3, 4, 4, 2))

# name: flow, shape of an image, condition
FLOWS = {
    "vector": (VectorFlow(couplings=3, hidden=(8,)), (2, 2, 3), None),
    "vector of odd length": (VectorFlow(couplings=2, hidden=(8,)), (1, 5, 1), None),
    "vector, separate nets, labels": (
        VectorFlow(couplings=2, hidden=(8,), separate_nets=True, actnorm=False),
        (1, 1, 2),
        LABELS,
    ),
    "vector beside a map": (VectorFlow(couplings=2, hidden=(8,)), (4, 4, 1), MAP),
    "scales": (
        ImageFlow(halvings=1, checkerboard=1, channelwise=1, width=2, blocks=0),
        (4, 4, 1),
        None,
    ),
    "three scales, labels": (
        ImageFlow(halvings=2, checkerboard=1, channelwise=1, width=2, blocks=0),
        (4, 4, 1),
        LABELS,
    ),
    "one scale, plain nets, odd size": (
        ImageFlow(halvings=0, checkerboard=2, width=2, residual=False, separate_nets=True),
        (3, 5, 1),
        None,
    ),
    "gated, labels": (
        ImageFlow(halvings=0, checkerboard=2, width=2, gated=True, separate_nets=True),
        (3, 4, 1),
        LABELS,
    ),
    "a number for each scale, gated": (
        ImageFlow(
            halvings=2,
            checkerboard=(1, 0, 2),
            channelwise=(0, 1),
            width=(1, 2, 3),
            blocks=1,
            gated=True,
        ),
        (4, 4, 1),
        None,
    ),
    "odd sizes at every scale": (
        ImageFlow(halvings=2, checkerboard=1, channelwise=1, width=2, blocks=0),
        (5, 7, 1),
        None,
    ),
    "odd height, no actnorm, labels": (
        ImageFlow(halvings=1, checkerboard=(1, 2), channelwise=1, width=2, blocks=0, actnorm=False),
        (3, 4, 2),
        LABELS,
    ),
    "odd width": (
        ImageFlow(halvings=1, checkerboard=1, channelwise=1, width=2, blocks=0),
        (2, 5, 1),
        None,
    ),
    "one scale beside a map": (ImageFlow(halvings=0, checkerboard=1, width=2), (4, 4, 1), MAP),
}


def random_weights(module, *args):
    """Variables far from the identity that a flow starts as."""
    variables = jax.jit(module.init)(jax.random.key(0), *args)
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda p: p + 0.3 * rng.normal(size=p.shape).astype(np.float32), variables)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n == "three scales, labels" else n for n in FLOWS],
)
def test_a_flow_inverts_and_its_log_determinant_is_the_jacobians(name):
    flow, shape, condition = FLOWS[name]
    x = jax.random.normal(jax.random.key(2), (3, *shape))
    variables = random_weights(flow.module(shape, jnp.float32), x, condition)
    with jax.enable_x64(True):  # far from the identity, float32 loses digits
        check_inverse_and_log_det(flow.module(shape, jnp.float64), variables, x, condition)


def check_inverse_and_log_det(module, variables, x, condition):
    variables, x = jax.tree.map(lambda v: jnp.asarray(v, jnp.float64), (variables, x))

    @jax.jit
    def everything(x):
        z, log_det = module.apply(variables, x, condition)
        back, log_det_back = module.apply(variables, z, condition, inverse=True)
        jacobians = jax.jacrev(lambda x: module.apply(variables, x, condition)[0].sum(0))(x)
        return z, log_det, back, log_det_back, jacobians

    z, log_det, back, log_det_back, jacobians = everything(x)
    d = x[0].size
    assert z.shape == (3, d)
    assert back.shape == x.shape
    assert float(jnp.abs(z - x.reshape(3, d)).max()) > 0.2  # no identity
    np.testing.assert_allclose(back, x, atol=1e-4)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-3)
    _, expected = np.linalg.slogdet(np.reshape(jacobians, (d, 3, d)).transpose(1, 0, 2))
    np.testing.assert_allclose(log_det, expected, atol=1e-3)


@pytest.mark.parametrize("name", ["vector", "scales", "a number for each scale, gated"])
def test_a_flow_starts_as_the_identity(name):
    flow, shape, _ = FLOWS[name]
    module = flow.module(shape, jnp.float32)
    x = jax.random.normal(jax.random.key(2), (2, *shape))
    z, log_det = jax.jit(module.apply)(jax.jit(module.init)(jax.random.key(0), x), x)
    # But for the order of the values.
    np.testing.assert_allclose(np.sort(z), np.sort(x.reshape(2, -1)), atol=1e-6)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-6)


def test_actnorm_is_set_from_a_batch_where_parameters_may_change():
    x = 5.0 + 0.1 * jax.random.normal(jax.random.key(0), (64, 3, 3, 2))
    variables = ActNorm().init(jax.random.key(0), x)
    np.testing.assert_array_equal(ActNorm().apply(variables, x)[0], x)
    (y, _), fitted = ActNorm().apply(variables, x, mutable=["params"])
    for z in (y, ActNorm().apply(fitted, x)[0]):
        np.testing.assert_allclose(z.mean((0, 1, 2)), 0.0, atol=1e-3)
        np.testing.assert_allclose(z.var((0, 1, 2)), 1.0, atol=1e-3)


def test_every_coupling_of_a_fitted_flow_sees_mean_0_and_variance_1():
    flow = VectorFlow(couplings=3, hidden=(8,))
    module = flow.module((1, 1, 4), jnp.float32)
    x = jnp.exp(jax.random.normal(jax.random.key(0), (200, 1, 1, 4)))
    _, fitted = module.apply(random_weights(module, x), x, mutable=["params"])
    _, seen = module.apply(
        fitted, x, capture_intermediates=lambda layer, _: isinstance(layer, ActNorm)
    )
    outputs = [v["__call__"][0][0] for v in seen["intermediates"]["chain"].values()]
    assert len(outputs) == 3
    for y in outputs:
        np.testing.assert_allclose(y.mean(0), 0.0, atol=1e-3)
        np.testing.assert_allclose(y.var(0), 1.0, atol=1e-3)


def test_each_scale_has_as_many_couplings_of_as_many_channels_as_it_is_given():
    flow = ImageFlow(
        halvings=2, checkerboard=(3, 0, 4), channelwise=(1, 2), width=(4, 5, 6), actnorm=False
    )
    params = jax.eval_shape(
        flow.module((4, 4, 1), jnp.float32).init, jax.random.key(0), jnp.zeros((1, 4, 4, 1))
    )["params"]
    widths = [
        [c["ScaleAndShift_0"]["ConvConditioner_0"]["Conv_0"]["kernel"].shape[-1] for c in scale]
        for scale in ([*params[f"scales_{i}"].values()] for i in range(3))
    ]
    assert widths == [[4, 4, 4, 5], [6, 6], [6, 6, 6, 6]]
    doubled = dataclasses.replace(flow, checkerboard=2, channelwise=1, width=4)
    spelt = dataclasses.replace(flow, checkerboard=(2, 2, 2), channelwise=(1, 1), width=(4, 8, 16))
    trees = [
        jax.eval_shape(
            f.module((4, 4, 1), jnp.float32).init, jax.random.key(0), jnp.zeros((1, 4, 4, 1))
        )
        for f in (doubled, spelt)
    ]
    chex.assert_trees_all_equal_shapes(*trees)
    assert flow.quick().checkerboard == (1, 0)


def test_gates_are_as_in_flow_plus_plus():
    style = Style("relu", 0.2, "lecun_normal", False, jnp.float32)
    net = GatedConditioner(num_outputs=2, width=3, blocks=1, style=style)
    x = jax.random.normal(jax.random.key(1), (2, 4, 5, 2))
    params = net.init(jax.random.key(0), x, None)["params"]

    def conv(i, x):
        layer = params[f"Conv_{i}"]
        y = jax.lax.conv_general_dilated(
            x, layer["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + layer["bias"].reshape(1, 1, 1, -1)

    def both(h):
        return jnp.concatenate([jax.nn.elu(h), jax.nn.elu(-h)], -1)

    h = conv(0, x)
    a, b = jnp.split(conv(2, both(conv(1, both(h)))), 2, -1)
    h = h + a * jax.nn.sigmoid(b)
    h = (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(net.apply({"params": params}, x, None), conv(3, both(h)), atol=1e-5)


def test_scales_leave_half_of_the_channels_each():
    flow = ImageFlow(halvings=2)
    assert flow.latent_shapes((28, 28, 1)) == [(14, 14, 2), (7, 7, 4), (7, 7, 4)]
    assert sum(np.prod(s) for s in flow.latent_shapes((32, 32, 3))) == 32 * 32 * 3
    assert flow.num_left_over((32, 32, 3)) == [0, 0]


def test_rows_and_columns_left_over_make_up_what_the_scales_leave():
    flow = ImageFlow(halvings=3)
    for shape in [(17, 23, 5), (8, 9, 1), (15, 15, 2), (16, 8, 3)]:
        done = sum(np.prod(s) for s in flow.latent_shapes(shape))
        assert done + sum(flow.num_left_over(shape)) == np.prod(shape)
    assert flow.num_left_over((17, 23, 5)) == [(23 + 16) * 5, 8 * 10, 4 * 20]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((7, 30, 1), r"halvings is 3, .* 7x30 allow 2: set it to that, .* 8 pixels and more"),
        ((40, 1, 3), r"halvings is 3, .* 40x1 allow 0"),
        ((1, 1, 2), "take VectorFlow for points"),
    ],
)
def test_images_that_cannot_be_halved_are_refused(shape, message):
    model = RealNVP(flow=ImageFlow(halvings=3))
    with pytest.raises(ConfigError, match=message) as caught:
        jax.eval_shape(lambda key: model.init(lambda name: key, DataSpec(shape)), jax.random.key(0))
    assert "\n" not in str(caught.value)


def test_impossible_flows_are_refused_when_built():
    with pytest.raises(ConfigError, match="ImageFlow has no coupling"):
        ImageFlow(checkerboard=0, halvings=0)
    with pytest.raises(ConfigError, match="ImageFlow has no coupling"):
        ImageFlow(checkerboard=(0, 0, 0), channelwise=(0, 0))
    with pytest.raises(
        ConfigError, match="checkerboard must have 3 entries with 2 halvings, not 2"
    ):
        ImageFlow(checkerboard=(1, 2))
    with pytest.raises(ConfigError, match="channelwise must be 0 or greater"):
        ImageFlow(channelwise=(1, -2))
    with pytest.raises(ConfigError, match="gated is of residual blocks"):
        ImageFlow(gated=True, residual=False)
    with pytest.raises(ConfigError, match=r"VectorFlow\.couplings must be greater than 0"):
        VectorFlow(couplings=0)
    with pytest.raises(ConfigError, match="log_scale_limit must be greater than 0"):
        ImageFlow(log_scale_limit=0.0)
    with pytest.raises(ConfigError, match="2 values or more"):
        VectorFlow().check((1, 1, 1))
