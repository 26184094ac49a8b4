"""Initial values: their closed forms, and that every network starts as its config says."""

import math

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec, Extra
from gm_jax.errors import ConfigError
from gm_jax.models.arm import ARM
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.nets.coders import ConvCoder, DenseCoder
from gm_jax.nets.conv import Conv, ConvTranspose
from gm_jax.nets.denoisers import DenseDenoiser
from gm_jax.nets.discriminators import ConvDiscriminator, DenseDiscriminator
from gm_jax.nets.flows import ImageFlow, VectorFlow
from gm_jax.nets.generators import ConvGenerator, DenseGenerator
from gm_jax.nets.initializers import initial, last
from gm_jax.nets.mlp import MLP, activation_of
from gm_jax.nets.unet import UNet
from gm_jax.rng import Rngs

SHAPE = (8, 8, 1)
X, Z = jnp.ones((1, *SHAPE)), jnp.ones((1, 6))
TIME, LABEL = jnp.ones((1,)), jnp.eye(1, 3)


@pytest.mark.parametrize(
    ("name", "bound", "variance", "bias_bound"),
    [
        ("lecun_normal", 2 / 0.87962566 / math.sqrt(300), 1 / 300, 0.0),
        ("torch", 1 / math.sqrt(300), 1 / (3 * 300), 1 / math.sqrt(300)),
        ("glorot", math.sqrt(6 / 500), 2 / 500, 0.0),
        ("normal_002", math.inf, 0.02**2, 0.0),
    ],
)
def test_values_have_their_bound_and_their_variance(name, bound, variance, bias_bound):
    start = initial(name, 300)
    kernel = np.asarray(start["kernel_init"](jax.random.key(0), (300, 200)))
    assert np.abs(kernel).max() <= bound
    if math.isfinite(bound):
        assert np.abs(kernel).max() > 0.99 * bound
    # Five standard errors, whatever the distribution, of 60,000 values.
    np.testing.assert_allclose(kernel.var(), variance, rtol=5 * math.sqrt(2 / kernel.size))
    np.testing.assert_allclose(kernel.mean(), 0.0, atol=5 * math.sqrt(variance / kernel.size))
    bias = np.asarray(start["bias_init"](jax.random.key(0), (2000,)))
    assert np.abs(bias).max() <= bias_bound
    assert np.abs(bias).max() >= 0.99 * bias_bound


@pytest.mark.parametrize("layer", [nn.Dense, Conv, ConvTranspose])
def test_the_default_is_flaxs_to_the_bit(layer):
    size = () if layer is nn.Dense else ((3, 3),)
    x = jnp.zeros((1, 4, 4, 3))
    plain, named = (
        layer(5, *size, **start).init(jax.random.key(0), x)
        for start in ({}, initial("lecun_normal", 27))
    )
    chex.assert_trees_all_equal(plain, named)
    zeros = layer(5, *size, **last("torch", 27, zero=True)).init(jax.random.key(0), x)
    assert not any(map(np.any, jax.tree.leaves(zeros)))


def autoregressive(model):
    spec = DataSpec(SHAPE, 4, 3)
    return (model._network(spec), model._inputs(X), LABEL)


def networks(initializer, slope=0.2):
    """Modules with arguments, all of their weights starting as the initializer says."""
    start = {"initializer": initializer}
    leaky = {"activation": "leaky_relu", "slope": slope, **start}
    flow = {"zero_last": False, **leaky}
    coders = (DenseCoder((7,), **leaky), ConvCoder((4, 5), dense=6, **leaky))
    maps = ConvCoder((4, 5), dense=None, code_stride=2, **leaky)
    generators = (DenseGenerator(hidden=(7,), **leaky), ConvGenerator(width=4, **leaky))
    critics = (
        DenseDiscriminator(slope=slope, hidden=(7,), **start),
        ConvDiscriminator(slope=slope, width=4, **start),
    )
    flows = {
        "vector": VectorFlow(couplings=1, hidden=(7,), **flow),
        "image": ImageFlow(halvings=1, checkerboard=1, channelwise=1, width=4, **flow),
        "gated": ImageFlow(halvings=0, checkerboard=1, width=4, gated=True, **flow),
    }
    causal = {"channels": 4, "kernel_size": 3, "dilations": (1, 2)}
    pixels = {"channels": 8, "num_blocks": 1, "visible_fan_in": False, **start}
    denoisers = {
        "dense denoiser": DenseDenoiser((7,), embedding_dim=6, zero_last=False, **leaky),
        "u-net": UNet(8, (1, 2), 1, attention=(), zero_last=False, **start),
    }
    return {
        **{f"{type(c).__name__} in": (c.encoder(1, 6, jnp.float32), X) for c in coders},
        **{f"{type(c).__name__} out": (c.decoder(SHAPE, 1, jnp.float32), Z) for c in coders},
        "maps in": (maps.encoder(1, 6, jnp.float32), X),
        "maps out": (maps.decoder(SHAPE, 1, jnp.float32), jnp.ones((1, 1, 1, 6))),
        **{type(g).__name__: (g.module(SHAPE, jnp.float32), Z, None, False) for g in generators},
        **{type(c).__name__: (c.module(jnp.float32), X, None, False) for c in critics},
        **{n: (f.module(SHAPE, jnp.float32), X, LABEL) for n, f in flows.items()},
        "arm": autoregressive(ARM(**causal, **leaky)),
        "wavenet": autoregressive(ARM(**causal, gated=True, **start)),
        "pixelcnn": autoregressive(PixelCNN(**pixels)),
        "gated pixelcnn": autoregressive(PixelCNN(**pixels, gated=True, first_kernel=5)),
        **{
            n: (d.module(SHAPE, 1, None, jnp.float32), X, TIME, None, False)
            for n, d in denoisers.items()
        },
    }


def layers_of(params, name=""):
    """Every layer that has a kernel, by its name; those of a label are left out."""
    if "kernel" in params:
        yield name, params
        return
    for key, value in params.items():
        if hasattr(value, "items"):
            yield from layers_of(value, f"{name}/{key}")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n in ("u-net", "image") else ())
        for n in networks("torch")
    ],
)
def test_every_layer_starts_as_pytorchs(name):
    module, *arguments = networks("torch")[name]
    params = module.init(jax.random.key(0), *arguments)["params"]
    layers = dict(layers_of(params))
    assert len(layers) > 1
    largest = []
    for layer, weights in layers.items():
        kernel = np.asarray(weights["kernel"])
        if kernel.shape[:-1] == (LABEL.shape[-1],) and "bias" not in weights:
            continue  # of the label, which the references do not have
        fan_in = math.prod(kernel.shape[:-1])
        if "ConvTranspose" in layer:
            fan_in = math.prod(kernel.shape[:-2]) * kernel.shape[-1]
        bound = 1 / math.sqrt(fan_in)
        for kind, values in weights.items():
            share = np.abs(values).max() / bound
            assert 0 < share <= 1, (layer, kind, share)
            largest += [share] * (values.size > 40)
    assert min(largest) > 0.8


@pytest.mark.parametrize("name", ["glorot", "normal_002"])
def test_other_names_reach_the_networks_too(name):
    draw = initial(name, 0)["kernel_init"]
    for module, *arguments in (networks(name)[n] for n in ("DenseCoder in", "arm")):
        layers = dict(layers_of(module.init(jax.random.key(0), *arguments)["params"]))
        for weights in layers.values():
            assert not np.any(weights.get("bias", 0))
            kernel = weights["kernel"]
            expected = np.std(draw(jax.random.key(1), kernel.shape))
            if kernel.size > 50:
                np.testing.assert_allclose(np.std(kernel), expected, rtol=0.3)


def test_only_leaky_relu_has_a_slope():
    x = jnp.array([-2.0, 3.0])
    np.testing.assert_allclose(activation_of("leaky_relu", 0.01)(x), [-0.02, 3.0])
    np.testing.assert_allclose(activation_of("relu", 0.01)(x), [0.0, 3.0])
    for slope in (0.2, 0.01):
        net = MLP((2,), "leaky_relu", activate_final=True, slope=slope)
        variables = {"params": {"Dense_0": {"kernel": jnp.eye(2), "bias": jnp.zeros(2)}}}
        np.testing.assert_allclose(net.apply(variables, x[None])[0], [-2 * slope, 3.0])


WITHOUT_SLOPE = ("gated", "wavenet", "pixelcnn", "gated pixelcnn", "u-net")


@pytest.mark.parametrize("name", [n for n in networks("torch") if n not in WITHOUT_SLOPE])
def test_the_slope_reaches_the_networks(name):
    outputs = []
    for slope in (0.2, 0.01):
        module, *arguments = networks("torch", slope)[name]
        variables = module.init(jax.random.key(0), *arguments)
        outputs.append(module.apply(variables, *arguments))
    largest = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), *outputs)
    assert max(jax.tree.leaves(largest)) > 1e-4


def forecaster(model):
    """Parameters of one that forecasts 2 frames from 3."""
    spec = DataSpec(
        (2, 16, 16, 1),
        256,
        None,
        extras=(
            Extra("context", (3, 16, 16, 1), "uint8"),
            Extra("context_time", (3,), "float32"),
            Extra("time", (2,), "float32"),
        ),
    )
    return model.init(Rngs(jax.random.key(0)), spec).params


@pytest.mark.parametrize(
    "encoder",
    ["cae", *(pytest.param(e, marks=pytest.mark.slow) for e in ("cnn", "cae_attention"))],
)
@pytest.mark.slow
def test_a_convlstm_starts_as_pytorchs_one_convolution_of_both(encoder):
    model = ConvLSTM(encoder=encoder, widths=(4, 6), hidden=(5,), initializer="torch")
    params = forecaster(model)
    memory = params["StackedConvLSTM_0"]["ConvLSTM_0"]
    bound = 1 / math.sqrt(9 * (6 + 5))
    for values in (memory["input"]["kernel"], memory["input"]["bias"], memory["recurrent"]):
        assert 0.6 * bound < np.abs(values).max() <= bound
    for part in ("Encoder_0", "Decoder_0"):
        for name, weights in params[part].items():
            if not name.startswith("Conv"):
                continue
            *size, num_in, num_out = weights["kernel"].shape
            fan_in = math.prod(size) * (num_out if name.startswith("ConvTranspose") else num_in)
            bound = 1 / math.sqrt(fan_in)
            assert 0.6 * bound < np.abs(weights["kernel"]).max() <= bound, name
            assert 0 < np.abs(weights["bias"]).max() <= bound, name


def test_a_convlstm_remembers_at_first_by_default():
    memory = forecaster(ConvLSTM(widths=(4, 6), hidden=(5,)))["StackedConvLSTM_0"]["ConvLSTM_0"]
    np.testing.assert_array_equal(memory["input"]["bias"], [0] * 5 + [1] * 5 + [0] * 10)


@pytest.mark.slow
def test_a_unet_starts_as_pytorchs():
    model = UNetAttention(
        width=8, depth=1, attention_levels=1, num_heads=1, embedding_dim=4, initializer="torch"
    )
    backbone = forecaster(model)["UNet_0"]
    convs = {n: w for n, w in layers_of(backbone) if "/Conv" in n}
    assert len(convs) == 7  # two at each of three places, and the way up
    for name, weights in convs.items():
        *size, num_in, num_out = weights["kernel"].shape
        fan_in = math.prod(size) * (num_out if "ConvTranspose" in name else num_in)
        bound = 1 / math.sqrt(fan_in)
        assert 0.8 * bound < np.abs(weights["kernel"]).max() <= bound, name
        assert 0 < np.abs(weights["bias"]).max() <= bound, name


def test_two_ways_to_start_are_refused():
    for config in (ConvGenerator, DenseDiscriminator):
        with pytest.raises(ConfigError, match=r"init_scale 0\.02 and initializer torch both"):
            config(init_scale=0.02, initializer="torch")
    with pytest.raises(ConfigError, match=r"UNet\.initializer must be one of"):
        UNet(initializer="he")
    with pytest.raises(ConfigError, match=r"DenseCoder\.slope must be 0 or greater"):
        DenseCoder(slope=-0.1)
