"""The families that forecast: times, shapes, figures, and what is refused."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec, Extra
from gm_jax.errors import ConfigError, UserError
from gm_jax.functional.dequantization import to_unit
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.model import Forecasts, Translates, kind_of
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.models.simvp import SimVP
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed

SPEC = DataSpec(
    (2, 12, 13, 1),
    extras=(
        Extra("context", (3, 12, 13, 1), "uint8"),
        Extra("context_time", (3,)),
        Extra("time", (2,)),
    ),
)
RNG = np.random.default_rng(0)
CONTEXT = {
    "context": RNG.integers(0, 256, (2, 3, 12, 13, 1)).astype(np.uint8),
    "context_time": np.array([[-3000, -900, 0], [-5000, -2000, 0]], np.float32),
}
TIMES = np.array([[1000, 2500], [500, 4000]], np.float32)
BATCH = {
    **CONTEXT,
    "time": TIMES,
    "image": RNG.integers(0, 256, (2, 2, 12, 13, 1)).astype(np.uint8),
}
SMALL = ForecastLoss(ssim=0.0, l1=1.0)  # compiles quickly

SEVIR = DataSpec(
    (13, 16, 1),
    extras=(
        Extra("vis", (13, 16, 1), "uint8"),
        Extra("ir069", (7, 8, 1), "uint8"),
        Extra("ir107", (7, 8, 1), "uint8"),
    ),
)
IMAGES = {e.name: RNG.integers(0, 256, (2, *e.shape)).astype(np.uint8) for e in SEVIR.extras}
IMAGES["image"] = RNG.integers(0, 256, (2, *SEVIR.shape)).astype(np.uint8)

MODELS = {
    "unet_attention": UNetAttention(loss=SMALL),
    "simvp": SimVP(loss=SMALL, head="frame", patch=2, block="tau"),
    "cnn": ConvLSTM(encoder="cnn", loss=SMALL, head="blend"),
    "cae_attention": ConvLSTM(encoder="cae_attention", peepholes=True, head="frame", loss=SMALL),
}


def shaken(model, spec=SPEC):
    """A state whose parameters are not those of the start, which give persistence."""
    state = jax.eval_shape(lambda: model.init(rngs_from_seed(0), spec))
    rng = np.random.default_rng(1)

    def values(path, p):
        scale = 1.0 if path[-1].key == "scale" else 0.0  # of the normalization
        return jnp.asarray(scale + 0.3 * rng.normal(size=p.shape), p.dtype)

    return state.replace(params=jax.tree_util.tree_map_with_path(values, state.params))


def started(model, spec=SPEC):
    return jax.jit(lambda: model.init(rngs_from_seed(0), spec))()


@functools.partial(jax.jit, static_argnums=(0, 1))
def _predict(model, spec, params, context, times):
    return model._predict(params, {}, spec, {**context, "time": times}, None)[0]


def predict(model, state, times, context=CONTEXT):
    return np.asarray(_predict(model, state.spec, state.params, context, jnp.asarray(times)))


@pytest.fixture(scope="module", params=MODELS)
def trained(request):
    model = MODELS[request.param].quick()
    return model, shaken(model)


def test_a_forecast_changes_with_every_time_there_is(trained):
    model, state = trained
    before = predict(model, state, TIMES)
    later = TIMES.copy()
    later[:, 1] *= 1.5
    after = predict(model, state, later)
    assert np.abs(after - before)[:, 1].max() > 1e-3
    np.testing.assert_allclose(after[:, 0], before[:, 0], atol=1e-6)  # asked for before it
    older = {**CONTEXT, "context_time": 2 * CONTEXT["context_time"]}
    assert np.abs(predict(model, state, TIMES, older) - before).max() > 1e-3


def test_more_and_fewer_times_than_in_training(trained):
    model, state = trained
    assert isinstance(model, Forecasts)
    times = np.array([[300, 1000, 2500, 90000], [500, 4000, 4001, 8000]], np.float32)
    frames = jax.jit(model.forecast)(state, rngs_from_seed(0), CONTEXT, times)
    chex.assert_shape(frames, (2, 4, 12, 13, 1))
    chex.assert_type(frames, np.uint8)
    many = predict(model, state, times)
    assert np.isfinite(many).all()
    if model.head != "persistence":
        assert many.min() >= 0
        assert many.max() <= 1
    many = many.clip(0, 1)
    np.testing.assert_array_equal(frames, np.round(255 * many))
    one = predict(model, state, times[:, :1]).clip(0, 1)
    np.testing.assert_allclose(one, many[:, :1], atol=1e-6)


def test_examples_do_not_mix(trained):
    model, state = trained
    together = predict(model, state, TIMES)
    alone = predict(model, state, TIMES[1:], {k: v[1:] for k, v in CONTEXT.items()})
    np.testing.assert_allclose(together[1:], alone, atol=1e-5)


def test_bfloat16_computes_close_to_float32(trained):
    model, state = trained
    low = dataclasses.replace(model, dtype="bfloat16")
    out = predict(low, state, TIMES)
    assert out.dtype == np.float32
    assert np.abs(out - predict(model, state, TIMES)).mean() < 0.03


@pytest.mark.parametrize(
    "name",
    [n if n == "unet_attention" else pytest.param(n, marks=pytest.mark.slow) for n in MODELS],
)
def test_an_untrained_model_is_persistence(name):
    model = dataclasses.replace(MODELS[name].quick(), head="persistence")
    state = started(model)
    times = np.array([[1, 1000, 1e6], [1e-3, 4000, 1e9]], np.float32)
    last = CONTEXT["context"][:, -1:].repeat(3, 1)
    np.testing.assert_array_equal(predict(model, state, times), to_unit(last, 256))
    frames = jax.jit(model.forecast)(state, rngs_from_seed(0), CONTEXT, times)
    np.testing.assert_array_equal(frames, last)


@pytest.mark.slow
def test_it_learns_one_batch_by_heart():
    optimizer = Optimizer(learning_rate=0.02)
    model = ConvLSTM(loss=SMALL, dropout=0.0, head="frame", optimizer=optimizer).quick()
    state, update = started(model), jax.jit(model.update)
    flat = {**BATCH, "image": np.full_like(BATCH["image"], 30)}
    flat["image"][:, 1] = 220  # the second time is brighter
    losses = []
    for step in range(60):
        state, metrics = update(state, flat, rngs_from_seed(0).at(step))
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.3 * losses[0]
    first, second = predict(model, state, TIMES).mean((0, 2, 3, 4))
    assert first + 0.3 < second


def test_a_time_of_the_unet_does_not_depend_on_what_else_is_asked():
    model = MODELS["unet_attention"].quick()
    state = shaken(model)
    both = predict(model, state, TIMES)
    np.testing.assert_allclose(predict(model, state, TIMES[:, 1:]), both[:, 1:], atol=1e-5)


def test_scan_and_unrolled_agree():
    rolled = dataclasses.replace(MODELS["cnn"].quick(), unroll=False)
    state = shaken(rolled)
    unrolled = dataclasses.replace(rolled, unroll=True)
    np.testing.assert_allclose(
        predict(rolled, state, TIMES), predict(unrolled, state, TIMES), atol=1e-5
    )


def test_evaluation_has_every_lead_time(trained):
    model, state = trained
    figures = jax.jit(model.evaluate)(state, BATCH, rngs_from_seed(0))
    y = predict(model, state, TIMES).clip(0, 1)
    error = ((y - BATCH["image"] / 255.0) ** 2).mean((2, 3, 4))
    for i in range(2):
        np.testing.assert_allclose(figures[f"mse_t{i + 1}"], error[:, i], rtol=1e-4)
    np.testing.assert_allclose(figures["mse"], error.mean(1), rtol=1e-4)
    assert {"mae_t1", "psnr_t2", "ssim_t1", "ssim_t2", "ssim", "loss"} <= set(figures)
    assert {kind_of(model, name, SPEC) for name in figures} == {"error"}


def test_configurations_that_cannot_be():
    with pytest.raises(ConfigError, match="needs a feature function"):
        ConvLSTM(loss=ForecastLoss(perceptual=0.3))
    with pytest.raises(ConfigError, match="ConvLSTM forecasts sequences"):
        ConvLSTM().init(rngs_from_seed(0), DataSpec((12, 13, 1)))
    with pytest.raises(ConfigError, match="num_heads 3 does not divide the 64 channels"):
        UNetAttention(num_heads=3)
    with pytest.raises(ConfigError, match="attention_levels must be from 0 to 5"):
        UNetAttention(attention_levels=6)
    with pytest.raises(ConfigError, match=r"ConvLSTM\.time_scale must be greater than 0"):
        ConvLSTM(time_scale=0.0)
    with pytest.raises(ConfigError, match=r"ConvLSTM\.flow_steps must be greater than 0"):
        ConvLSTM(flow_steps=0)


def test_the_unet_has_31_7_million_parameters_at_full_size():
    size = (384, 384, 1)
    spec = DataSpec(
        size,
        extras=(
            Extra("vis", size, "uint8"),
            Extra("ir069", (192, 192, 1), "uint8"),
            Extra("ir107", (192, 192, 1), "uint8"),
        ),
    )
    state = jax.eval_shape(lambda: UNetAttention().init(rngs_from_seed(0), spec))
    assert round(sum(p.size for p in jax.tree.leaves(state.params)) / 1e6, 1) == 31.7


def test_every_channel_counts_in_a_translation():
    model = MODELS["unet_attention"].quick()
    assert isinstance(model, Translates)
    state = shaken(model, SEVIR)
    translate = jax.jit(model.translate)
    image = np.asarray(translate(state, IMAGES))
    chex.assert_shape(image, (2, 13, 16, 1))
    chex.assert_type(image, np.uint8)
    for extra in SEVIR.extras:
        changed = {**IMAGES, extra.name: 255 - IMAGES[extra.name]}
        assert (np.asarray(translate(state, changed)) != image).any(), extra.name
    figures = jax.jit(model.evaluate)(state, IMAGES, rngs_from_seed(0))
    error = ((image / 255.0 - IMAGES["image"] / 255.0) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(figures["mse"], error, rtol=0.02)  # of levels, which are rounded
    assert set(figures) == {"loss", "mse", "mae", "psnr", "ssim"}


def test_a_unet_does_what_it_was_trained_for():
    model = MODELS["unet_attention"].quick()
    with pytest.raises(UserError, match="trained on sequences: it forecasts, and can't translate"):
        model.translate(shaken(model), IMAGES)
    with pytest.raises(UserError, match="trained on single images, not on sequences"):
        model.forecast(shaken(model, SEVIR), rngs_from_seed(0), CONTEXT, TIMES)


@pytest.mark.parametrize(
    ("shapes", "line"),
    [
        ([], "have others beside them, and these data are single images"),
        ([(13, 16, 1), (5, 8, 1)], "has maps of 13x16, 7x8, and e1 of 5x8x1 fits none"),
        ([(7, 8, 1)], "at least one image of the size 13x16 that it makes, and e0 are smaller"),
    ],
)
def test_images_that_cannot_be_translated(shapes, line):
    extras = tuple(Extra(f"e{i}", shape, "uint8") for i, shape in enumerate(shapes))
    with pytest.raises(ConfigError, match=line):
        UNetAttention().quick().init(rngs_from_seed(0), DataSpec((13, 16, 1), extras=extras))


@pytest.mark.parametrize(
    ("model", "spec", "batch", "num_norms"),
    [
        (ConvLSTM(encoder="cae", loss=SMALL, dropout=0.0), SPEC, BATCH, 4),
        pytest.param(UNetAttention(loss=SMALL), SEVIR, IMAGES, 6, marks=pytest.mark.slow),
    ],
    ids=["cae", "unet_attention"],
)
@pytest.mark.slow
def test_batch_norm_learns_by_the_batch_and_forecasts_by_running_statistics(
    model, spec, batch, num_norms
):
    model = dataclasses.replace(model.quick(), norm="batch")
    state = started(model, spec)
    means = [
        v
        for path, v in jax.tree_util.tree_leaves_with_path(state.model_state)
        if path[-1].key == "mean"
    ]
    paths = [str(path) for path, _ in jax.tree_util.tree_leaves_with_path(state.params)]
    assert len(means) == num_norms
    assert all("SelfAttention" in path for path in paths if "GroupNorm" in path)
    rngs = rngs_from_seed(1)
    later, _ = jax.jit(model.update)(state, batch, rngs)
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), state.model_state, later.model_state)
    assert all(jax.tree.leaves(moved))
    evaluate = jax.jit(model.evaluate)
    alone = {name: value[:1] for name, value in batch.items()}
    whole, part = (evaluate(later, b, rngs)["mse"] for b in (batch, alone))
    np.testing.assert_allclose(part, whole[:1], rtol=1e-4)
    # Each batch makes its own statistics in training.
    losses = [jax.jit(model.update)(later, b, rngs)[1]["mse"] for b in (batch, alone)]
    assert abs(float(losses[1]) - float(whole[0])) > 1e-6
    with pytest.raises(ConfigError, match="norm batch has statistics of the parameters as they"):
        dataclasses.replace(model, optimizer=Optimizer(ema_decay=0.99))


def test_a_derived_family_has_features():
    @dataclasses.dataclass(frozen=True)
    class Perceptual(ConvLSTM):
        @property
        def features(self):
            return lambda images: images.mean((1, 2))

    model = Perceptual(loss=ForecastLoss(ssim=0.0, perceptual=1.0)).quick()
    state = shaken(model)
    figures = jax.jit(model.evaluate)(state, BATCH, rngs_from_seed(0))
    y = predict(model, state, TIMES)
    expected = ((y.mean((2, 3)) - (BATCH["image"] / 255).mean((2, 3))) ** 2).mean((1, 2))
    np.testing.assert_allclose(figures["loss"], expected, rtol=1e-3)


@pytest.mark.parametrize("spec", [SEVIR, SPEC], ids=["translation", "forecast"])
def test_checkpoints_know_the_unet_by_this_name(spec):
    model = MODELS["unet_attention"].quick()
    state = jax.eval_shape(lambda: model.init(rngs_from_seed(0), spec))
    assert "UNet_0" in state.params
    assert not [name for name in state.params if "Backbone" in name]
