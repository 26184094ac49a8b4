"""Every experiment, in miniature, through fit, evaluate, sample, save, resume and open.

New files in experiments/ are found by themselves.
"""

import dataclasses
import functools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import gm_jax
from gm_jax.data import ImageData, Sevir
from gm_jax.data.sequences.sevir_writer import write_synthetic_sevir
from gm_jax.errors import UserError
from gm_jax.experiment_file import find_experiments, load
from gm_jax.model import (
    Classifies,
    Encodes,
    Family,
    Forecasts,
    HasLogProb,
    Reconstructs,
    SampleMeans,
    Samples,
)
from gm_jax.rng import rngs_from_seed
from gm_jax.training.records import read_records

EXPERIMENTS = [e.name for e in find_experiments()]
RECIPES = [name for e in find_experiments() for name in e.recipes]


def plain(state):
    """The leaves of a state as NumPy arrays, the key as its words."""
    state = state.replace(key=jax.random.key_data(state.key))
    return jax.tree.map(np.asarray, state)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of 40 images of several sizes."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for i in range(40):
        pixels = rng.integers(0, 256, (*rng.integers(20, 50, 2), 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def sevir(tmp_path_factory):
    """A folder of small synthetic files in SEVIR's layout."""
    folder = tmp_path_factory.mktemp("sevir")
    write_synthetic_sevir(folder, num_events=40, size=32, num_frames=13)
    return folder


@pytest.fixture(scope="module")
def quick(images, sevir):
    """Loads an experiment in miniature; skips where its data are not there."""

    def get(name):
        experiment = load(name).quick()
        try:
            assert experiment.data.spec.num_dims > 0
        except UserError as error:
            if isinstance(experiment.data, ImageData):  # any images will do
                return experiment.replace(**{"data.path": images})
            if isinstance(experiment.data.source, Sevir):
                return experiment.replace(**{"data.path": str(sevir)})
            pytest.skip(f"real data: {error}")
        return experiment

    return get


# What takes a minute or two in all, of most kinds of family. The others are compiled by
# `make slow` only; their shapes are checked here without compiling.
COMPILED = {"digits/vae"}
# Where the states are of different kinds; of digits/vae and digits/ae see training/test_resume.py.
RESUMED = {"digits/arm_cnn1d"}


def unless_slow(run_here):
    """Every experiment, of which those that `run_here` says no to are left to `make slow`."""
    return [pytest.param(n, marks=() if run_here(n) else pytest.mark.slow) for n in EXPERIMENTS]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if ":" in n else ()) for n in RECIPES]
)
def test_shapes(name, quick):
    """An update leaves the state as it is, figures are per example, samples are images."""
    experiment = quick(name)
    model, spec = experiment.model, experiment.data.spec
    num = experiment.data.batch_size
    dtype = jnp.float32 if spec.continuous else jnp.uint8
    batch = {"image": jax.ShapeDtypeStruct((num, *spec.shape), dtype)}
    for key in ("label", "index"):
        batch[key] = jax.ShapeDtypeStruct((num,), jnp.int32)
    for extra in spec.extras:
        batch[extra.name] = jax.ShapeDtypeStruct((num, *extra.shape), jnp.dtype(extra.dtype))
    rngs = rngs_from_seed(0)
    state = jax.eval_shape(lambda: model.init(rngs, spec))
    after, metrics = jax.eval_shape(model.update, state, batch, rngs)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
    assert "loss" in metrics
    chex.assert_shape(list(metrics.values()), ())
    figures = jax.eval_shape(model.evaluate, state, batch, rngs)
    chex.assert_shape(list(figures.values()), (num,))
    if isinstance(model, Samples):
        sample = jax.eval_shape(lambda s: model.sample(s, rngs, 3), state)
        chex.assert_shape(sample, (3, *spec.shape))
        assert sample.dtype == dtype


@pytest.fixture(scope="module")
def trainable(quick):
    """As `quick`; skips also where a source knows its shapes without its data (binarized MNIST)."""

    def get(name):
        experiment = quick(name)
        try:
            experiment.data.source.open(experiment.data.test)
        except UserError as error:
            if "gm-jax data prepare" not in str(error):
                raise
            pytest.skip(f"real data: {error}")
        return experiment

    return get


@pytest.fixture(scope="module")
def straight(trainable, tmp_path_factory):
    """Trains an experiment without a stop, once: its run."""

    @functools.cache
    def get(name):
        return gm_jax.fit(trainable(name), tmp_path_factory.mktemp("runs") / "straight")

    return get


@pytest.mark.parametrize("name", unless_slow(lambda n: n in RESUMED))
def test_resume(name, trainable, straight, tmp_path):
    """Half the steps, then the other half: the same bits in every leaf, the same record."""
    experiment = trainable(name)
    run = straight(name)
    half = dataclasses.replace(
        experiment, training=dataclasses.replace(experiment.training, num_steps=2)
    )
    gm_jax.fit(half, tmp_path / "resumed")
    resumed = gm_jax.fit(experiment, tmp_path / "resumed")
    at_the_end = gm_jax.open(run.folder, step="latest")
    chex.assert_trees_all_equal(
        plain(gm_jax.open(tmp_path / "resumed", step="latest").state), plain(at_the_end.state)
    )
    assert resumed.step == run.step

    def record(folder):
        lines = read_records(folder / "metrics.jsonl")
        return [{k: v for k, v in line.items() if k != "time"} for line in lines]

    assert record(run.folder) == record(tmp_path / "resumed")


@pytest.mark.parametrize("name", unless_slow(lambda n: n in COMPILED | RESUMED))
def test_fit_evaluate_sample_open(name, straight):
    run = straight(name)
    assert isinstance(run.model, Family)
    spec = run.spec

    # Opened again it gives the same figures.
    again = gm_jax.open(run.folder)
    figures = run.evaluate("test")
    assert figures
    for key, figure in again.evaluate("test").items():
        assert math.isfinite(figure.value), key
        assert figure == figures[key]
        assert figure.n == min(24, figure.n)

    # Whatever else the family can do gives images of the right kind.
    batch = run.batch(3)
    made = {}
    if isinstance(run.model, Samples):
        made["sample"] = run.sample(3)
        np.testing.assert_array_equal(made["sample"], again.sample(3))
        assert (made["sample"] != run.sample(3, seed=1)).any()
    if isinstance(run.model, SampleMeans):
        chex.assert_shape(run.sample_means(3), (3, *spec.shape))
    if isinstance(run.model, Reconstructs):
        made["reconstruct"] = run.reconstruct(batch)
    if isinstance(run.model, Encodes):
        made["decode"] = run.decode(run.encode(batch))
        chex.assert_shape(run.interpolate(batch["image"], batch["image"], 4), (3, 4, *spec.shape))
    if isinstance(run.model, HasLogProb):
        chex.assert_shape(run.log_prob(batch, 2), (3,))
    if isinstance(run.model, Classifies):
        chex.assert_shape(run.model.classify(run.state, batch), (3, spec.num_classes))
    for images in made.values():
        chex.assert_shape(images, (3, *spec.shape))
        chex.assert_type(images, np.float32 if spec.continuous else np.uint8)
        assert spec.continuous or images.max() < spec.num_levels
    pictures = list((run.folder / "samples").glob("step_*.png"))
    assert bool(pictures) == isinstance(run.model, (Forecasts, Reconstructs, Samples))
