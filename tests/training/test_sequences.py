"""Models of images are given no sequences, and the other way round."""

import dataclasses

import pytest

from gm_jax.data import Data, DataSpec, Digits, Extra, SyntheticStorms
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.models.vae import VAE
from gm_jax.training.checks import check_sequences
from gm_jax.training.loop import train


def test_the_other_kind_of_data_is_refused(tmp_path):
    storms = Data(source=SyntheticStorms(size=8, num_train=8), train="train", valid=None)
    with pytest.raises(UserError, match="SyntheticStorms gives sequences, but VAE takes images"):
        train(Experiment(data=storms, model=VAE()), tmp_path / "vae")
    with pytest.raises(UserError, match="Digits gives images, but ConvLSTM takes sequences only"):
        train(Experiment(data=Data(source=Digits()), model=ConvLSTM()), tmp_path / "convlstm")
    assert not list(tmp_path.iterdir())


def test_images_beside_images_are_for_models_that_translate():
    spec = DataSpec((8, 8, 1), extras=(Extra("vis", (8, 8, 1), "uint8"),))
    experiment = Experiment(data=Data(), model=UNetAttention())
    check_sequences(experiment, spec)
    with pytest.raises(UserError, match="gives images, but ConvLSTM takes sequences only"):
        check_sequences(dataclasses.replace(experiment, model=ConvLSTM()), spec)
    check_sequences(dataclasses.replace(experiment, model=VAE()), spec)  # sees the image alone
