"""The variants that follow a reference or a paper to the letter: sizes counted by hand."""

import jax
import pytest

from gm_jax.data.spec import DataSpec, Extra
from gm_jax.experiment_file import load
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.rng import rngs_from_seed


def num_parameters(model, known, wanted, size):
    spec = DataSpec(
        (wanted, size, size, 1),
        extras=(
            Extra("context", (known, size, size, 1), "uint8"),
            Extra("context_time", (known,)),
            Extra("time", (wanted,)),
        ),
    )
    state = jax.eval_shape(lambda: model.init(rngs_from_seed(0), spec))
    return sum(p.size for p in jax.tree.leaves(state.params))


def conv(side, inputs, outputs):
    return side**2 * inputs * outputs + outputs


def norm(channels):
    return 2 * channels


def dense(inputs, outputs):
    return conv(1, inputs, outputs)


TOLD = dense(2 * 14, 64) + dense(64, 64) + 2 * dense(64, 2 * 64)  # of intervals and times
MEMORY = conv(3, 64 + 128, 4 * 128) + conv(3, 128 + 64, 4 * 64)
DECODER = conv(3, 64, 64) + norm(64) + conv(3, 64, 32) + norm(32) + conv(3, 32, 1)
CAE = conv(3, 1, 32) + norm(32) + conv(3, 32, 64) + norm(64)
ENCODERS = {
    "cnn": conv(7, 1, 64) + norm(64),
    "cae": CAE,
    "cae_attention": CAE + 4 * 32 * 4 + 1,  # query, key, value, out; gamma
}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_convlstms(encoder):
    experiment = load(f"storms/{encoder}_convlstm:reference")
    model = experiment.model
    assert num_parameters(model, 4, 3, 32) == ENCODERS[encoder] + MEMORY + DECODER + TOLD
    assert (model.encoder, model.norm, model.head) == (encoder, "batch", "frame")
    assert model.loss == ForecastLoss(ssim=1.0)  # 1 - SSIM: the slope of -SSIM
    assert encoder == "cnn" or model.dropout == 0.2
    check_optimizer(model.optimizer)
    assert experiment.data.batch_size == 16


@pytest.mark.slow
def test_the_unet_told_the_times():
    model = load("storms/unet_attention:reference").model
    levels = (0, 1, 2, 3, 4, 3, 2, 1, 0)  # down and up, each modulated once
    told = dense(5 * 14, 64) + dense(64, 64) + sum(dense(64, 2 * 64 * 2**i) for i in levels)
    count = num_parameters(model, 4, 3, 32) - told - conv(3, 64, 1)
    assert round(count / 1e6, 1) == 31.7
    assert model.loss == ForecastLoss(ssim=0.3, gradient=0.2, l1=0.2)
    assert (model.norm, model.head) == ("batch", "frame")
    check_optimizer(model.optimizer)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "published"), [("paper", 46.8), ("tau", 44.7)])
def test_simvp_has_openstls_size(variant, published):
    model = load(f"moving_mnist/simvp:{variant}").model
    told = 70_000  # what it takes to be told the times
    assert num_parameters(model, 10, 10, 64) - told == pytest.approx(1e6 * published, rel=0.005)


def check_optimizer(optimizer):
    assert (optimizer.name, optimizer.learning_rate, optimizer.schedule) == (
        "adam",
        1e-3,
        "constant",
    )
    assert (optimizer.clip_norm, optimizer.weight_decay) == (None, 0.0)
