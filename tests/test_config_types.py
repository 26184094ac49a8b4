"""Fields of configs made in Python hold what their types say, or one line says why not."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from gm_jax.config_types import Config, spoken_type
from gm_jax.data import CenterCrop, Data, DataSpec, ImageFolder, Resize, Tfds
from gm_jax.errors import ConfigError
from gm_jax.experiment import Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import ConvCoder, DenseCoder
from gm_jax.optimizer import Optimizer
from gm_jax.sampling import LatentSampling


def test_lists_become_tuples_and_whole_floats_whole_numbers():
    coder = ConvCoder(features=[8.0, np.int64(16)], strides=[1, 2])
    assert coder == ConvCoder(features=(8, 16), strides=(1, 2))
    assert [type(f) for f in coder.features] == [int, int]
    model = VAE(latent_dim=3.0, beta=2, coder=DenseCoder(hidden=[]))
    assert (type(model.latent_dim), type(model.beta)) == (int, float)
    hash(Experiment(data=Data(transforms=[Resize([6, 8])]), model=model))
    assert Data(transforms=[Resize([6, 8])]).transforms == (Resize((6, 8)),)
    assert DataSpec([8, 8, 1]).shape == (8, 8, 1)
    assert Optimizer(learning_rate=np.float32(0.5)).learning_rate == 0.5
    assert ImageFolder(Path("x")).path == Path("x")


def test_replace_is_checked_too():
    experiment = Experiment(data=Data(), model=VAE())
    changed = experiment.replace(**{"model.coder.hidden": [4], "training.num_steps": 1e2})
    assert (changed.model.coder.hidden, changed.training.num_steps) == ((4,), 100)
    with pytest.raises(ConfigError, match=r"Training\.num_steps must be a whole number, not '3'"):
        experiment.replace(**{"training.num_steps": "3"})
    with pytest.raises(ConfigError, match=r"Experiment\.model must be a Family, not the class VAE"):
        experiment.replace(model=VAE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VAE(latent_dim="3"), "VAE.latent_dim must be a whole number, not '3'"),
        (lambda: VAE(latent_dim=2.5), "VAE.latent_dim must be a whole number, not 2.5"),
        (lambda: VAE(latent_dim=True), "VAE.latent_dim must be a whole number, not True"),
        (lambda: VAE(latent_dim=float("inf")), "VAE.latent_dim must be a whole number, not inf"),
        (lambda: VAE(latent_dim=None), "VAE.latent_dim must be a whole number, not None"),
        (lambda: VAE(beta="1"), "VAE.beta must be a number, not '1'"),
        (lambda: VAE(coder="conv"), "VAE.coder must be a Coder, not 'conv'"),
        (lambda: DenseCoder(hidden=8), "DenseCoder.hidden must be a tuple of whole numbers, not 8"),
        (lambda: DenseCoder(hidden="88"), "DenseCoder.hidden must be a tuple of whole numbers"),
        (lambda: Resize((1, 2, 3)), r"a whole number or a tuple of 2 whole numbers, not \(1, 2, 3"),
        (lambda: Training(patience="no"), "must be a whole number or None, not 'no'"),
        (lambda: Training(monitor=3), "Training.monitor must be text or None, not 3"),
        (lambda: CenterCrop(size="8"), "CenterCrop.size must be a whole number or None, not '8'"),
        (lambda: Data(source="mnist"), "Data.source must be a Source, not 'mnist'"),
        (lambda: Data(source=Tfds), r"not the class Tfds: Tfds\(\) makes one"),
        (lambda: Data(transforms=Resize(8)), "Data.transforms must be a tuple of Transforms, not"),
        (lambda: LatentSampling(truncation="1"), "must be a number or None, not '1'"),
        (lambda: Experiment(data=Data(), model="vae"), "must be a Family, not 'vae'"),
    ],
)
def test_other_types_are_refused_in_one_line(make, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@dataclasses.dataclass(frozen=True)
class Own(Config):
    """One of somebody's own, without checks."""

    mode: Literal["a", "b"] = "a"
    pairs: tuple[tuple[int, float], ...] = ()
    where: Path = Path()
    flag: bool = False


@dataclasses.dataclass(frozen=True)
class Derived(Own):
    width: int = 1

    def __post_init__(self):
        super().__post_init__()
        assert self.pairs == tuple(self.pairs)


def test_classes_of_ones_own():
    own = Derived(pairs=[[1.0, 2]], where="x", width=2.0)
    assert own == Derived(pairs=((1, 2.0),), where=Path("x"), width=2)
    with pytest.raises(ConfigError, match=r"Derived\.mode must be one of \['a', 'b'\], not 'c'"):
        Derived(mode="c")
    with pytest.raises(ConfigError, match=r"Derived\.flag must be True or False, not 1"):
        Derived(flag=1)


def test_another_class_that_is_no_plain_value_may_do():
    class Coder:
        """One that was defined anew, as notebooks do."""

    stranger = Coder()
    assert VAE(coder=stranger).coder is stranger


def test_what_is_as_it_should_be_stays_the_same_object():
    features = (8, 16)
    assert ConvCoder(features=features, strides=(1, 2)).features is features


def test_types_in_words():
    assert spoken_type(int | None) == "a whole number or None"
    assert spoken_type(tuple[float, float]) == "a tuple of 2 numbers"
    assert spoken_type(tuple[str, ...]) == "a tuple of text"
