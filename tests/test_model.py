"""What a family promises: defaults, misspellings, abilities, kinds of figures, labels, states."""

import dataclasses
from typing import ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec, Extra
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment_file import find_experiments, load
from gm_jax.labels import labels_of, labels_to_draw, num_labels, one_hot, refuse_condition
from gm_jax.model import Family, can, create_state, kind_of, require, sampling_of
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.models.cgan import CGAN
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.models.ddpm import DDPM
from gm_jax.models.gmm import GMM
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.models.vae import VAE
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed
from gm_jax.sampling import DiffusionSampling

IMAGES = DataSpec((8, 8, 1), num_levels=17)
FRAMES = DataSpec((3, 8, 8, 1), extras=(Extra("context", (2, 8, 8, 1), "uint8"),))


def family(**parts):
    """A family with these parts beside what it must have."""
    needed = dict.fromkeys(("init", "update", "evaluate"), lambda *_: None)
    return dataclasses.dataclass(frozen=True)(type("Mine", (Family,), {**needed, **parts}))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"figure_kind": lambda self, spec: {}}, r"Mine\.figure_kind .* mean figure_kinds\?"),
        ({"sampel": lambda self: None}, r"Mine\.sampel .* mean sample\?"),
        ({"monitr": "loss"}, r"Mine\.monitr .* mean monitor\?"),
        ({"__annotations__": {"take_points": bool}}, r"Mine\.take_points .* mean takes_points\?"),
        ({"helper": lambda self: None}, "begin its name with an underscore"),
    ],
)
def test_a_misspelt_promise_is_refused_when_the_class_is_made(parts, message):
    with pytest.raises(TypeError, match=message):
        family(**parts)


def test_what_a_family_may_have():
    parts = {"_helper": 1, "own_parts": ("features",), "features": 2, "sample": lambda *_: None}
    made = family(**parts, __annotations__={"width": int, "noise": float})(3, 0.5)
    said = (made.monitor, made.conditional, made.takes_points, made.numerics)
    assert said == ("loss", False, False, 1)
    assert made.quick() is made
    assert made.check_batch(1) is None
    assert not can(made, IMAGES, "corrupt")  # a field called noise is no promise

    class Derived(type(made)):
        features = 3  # what a class may have, those derived from it may have

    assert Derived(1, 1.0).features == 3


def test_a_family_without_its_three_methods_cannot_be_made():
    @dataclasses.dataclass(frozen=True)
    class Empty(Family):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Empty()


def test_ability_depends_on_the_data_and_the_fields():
    unet = UNetAttention(width=8)
    assert (can(unet, FRAMES, "forecast"), can(unet, FRAMES, "translate")) == (True, False)
    assert (can(unet, IMAGES, "forecast"), can(unet, IMAGES, "translate")) == (False, True)
    assert can(ConvLSTM(), FRAMES, "forecast")
    assert not can(ConvLSTM(), FRAMES, "translate")
    assert can(Autoencoder(noise=0.1), IMAGES, "corrupt")
    assert not can(Autoencoder(), IMAGES, "corrupt")
    assert can(VAE(), IMAGES, "draw_latents")
    assert not can(GMM(), IMAGES, "decode")
    with pytest.raises(UserError, match=r"UNetAttention can't forecast: .*single images"):
        require(unet, IMAGES, "forecast")
    with pytest.raises(UserError, match="GMM can't encode: the family has no such part"):
        require(GMM(), IMAGES, "encode")
    with pytest.raises(KeyError):
        can(unet, IMAGES, "fly")


def test_what_means_the_same_everywhere_has_one_kind():
    for name in ("mse", "psnr", "ssim", "bce", "error", "mae", "mse_t2"):
        assert {kind_of(m, name, FRAMES) for m in (VAE(), Autoencoder(), DDPM(), ConvLSTM())} == {
            "error"
        }
    assert kind_of(VAE(), "kl", IMAGES) == "estimate"
    assert kind_of(DDPM(), "bits_per_dim", IMAGES) == "bound"


@pytest.mark.parametrize("name", [e.name for e in find_experiments()])
def test_every_experiment_has_a_family(name):
    model = load(name).model
    assert isinstance(model, Family)
    assert type(model).numerics >= 1
    assert sampling_of(model) is getattr(model, "sampling", None)


def test_how_a_family_draws_is_no_part_of_what_it_learns():
    assert sampling_of(DDPM(sampling=DiffusionSampling("ddim"))).sampler == "ddim"
    assert sampling_of(GMM()) is None


def test_labels():
    spec = DataSpec((2, 2, 1), num_classes=3)
    chex.assert_trees_all_equal(np.asarray(labels_to_draw(None, 5, spec)), np.arange(5) % 3)
    chex.assert_trees_all_equal(np.asarray(labels_to_draw([2, 0], 2, spec)), np.array([2, 0]))
    chex.assert_trees_all_equal(np.asarray(one_hot([1], spec)), np.eye(3, dtype=np.float32)[1:2])
    assert num_labels("X", spec) == 3
    with pytest.raises(ConfigError, match="X needs labels, and these data have none"):
        num_labels("X", IMAGES)
    with pytest.raises(UserError, match=r"X was trained with labels .* give a batch"):
        labels_of("X", {"image": 1})
    refuse_condition("X", None)
    with pytest.raises(UserError, match="X was trained without labels"):
        refuse_condition("X", 1)


def test_a_conditional_ddpm_asked_without_labels_says_so():
    model, spec = DDPM(conditional=True).quick(), DataSpec((8, 8, 1), 17, num_classes=10)
    state = jax.eval_shape(lambda: model.init(rngs_from_seed(0), spec))
    image = jax.ShapeDtypeStruct((2, 8, 8, 1), jnp.uint8)
    with pytest.raises(UserError, match="this DDPM was trained with labels"):
        jax.eval_shape(lambda i: model.log_prob(state, {"image": i}, rngs_from_seed(0)), image)


def test_states_of_none_one_and_several_optimizers():
    rngs, params = rngs_from_seed(0), {"a": jnp.ones(2), "b": jnp.zeros(3)}
    plain = Optimizer(name="sgd", b1=0.9)
    averaged = Optimizer(name="sgd", b1=0.9, ema_decay=0.5)
    none = create_state(rngs, IMAGES, params, None, {"seen": jnp.zeros(())})
    assert none.opt_state == {}
    assert none.ema_params is None
    assert set(none.model_state) == {"seen"}
    one = create_state(rngs, IMAGES, params, averaged)
    chex.assert_trees_all_equal(one.ema_params, params)
    both = create_state(rngs, IMAGES, params, {"a": plain, "b": averaged})
    chex.assert_trees_all_equal(both.ema_params, {"b": params["b"]})
    chex.assert_trees_all_equal(both.opt_state["a"], plain.build().init(params["a"]))
    assert create_state(rngs, IMAGES, params, {"a": plain, "b": plain}).ema_params is None


def test_a_class_attribute_may_make_a_family_conditional():
    assert CGAN.conditional is True
    assert CGAN().conditional
    assert family(conditional=True, __annotations__={"conditional": ClassVar[bool]})().conditional
