"""Runs go on, and records hold, only where a family learns what it learned.

What three steps of a tiny model of each family give is pinned in golden_steps.json.

The settings are kept there as a run keeps them, so they behave as on the day they were pinned,
whatever defaults have become. Where the numbers change, the family learns something else than it
did: its `numerics` goes up, and then this pins the new ones:

    python tests/test_golden_steps.py
"""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

import gm_jax.models
from gm_jax import Optimizer, models, nets
from gm_jax.data import DataSpec, Extra
from gm_jax.experiment_json import from_plain, to_plain
from gm_jax.model import Family
from gm_jax.rng import Rngs

FILE = Path(__file__).with_name("golden_steps.json")
STEPS = 3

_IMAGES = DataSpec((8, 8, 1), num_levels=17, num_classes=3)
_FRAMES = DataSpec(
    (2, 16, 16, 1),
    extras=(
        Extra("context", (3, 16, 16, 1), "uint8"),
        Extra("context_time", (3,), "float32"),
        Extra("time", (2,), "float32"),
    ),
)
# A large eps: without it the direction of a step along a gradient of 0 is chance.
_ADAM = Optimizer(learning_rate=1e-2, eps=1e-3, clip_norm=1.0, weight_decay=0.1, ema_decay=0.9)
_DENSE = {
    "generator": nets.DenseGenerator(hidden=(8,), norm="batch"),
    "discriminator": nets.DenseDiscriminator(hidden=(8,)),
    "latent_dim": 3,
    "generator_optimizer": _ADAM,
    "discriminator_optimizer": Optimizer(learning_rate=1e-2, eps=1e-3),
}

# How a family that is not pinned yet begins.
BEGINNINGS = {
    "ARM": lambda: models.ARM(channels=4, kernel_size=3, dilations=(1, 2), optimizer=_ADAM),
    "Autoencoder": lambda: models.Autoencoder(
        coder=nets.DenseCoder(hidden=(8,)), latent_dim=3, optimizer=_ADAM
    ),
    "Bayes": lambda: models.Bayes(shrinkage=0.5, variance_floor=0.05),
    "CGAN": lambda: models.CGAN(**_DENSE),
    "Classifier": lambda: models.Classifier(optimizer=_ADAM).quick(),
    "ConvLSTM": lambda: models.ConvLSTM(optimizer=_ADAM).quick(),
    "DCGAN": lambda: models.DCGAN(
        **{
            **_DENSE,
            "generator": nets.ConvGenerator(features=(4,)),
            "discriminator": nets.ConvDiscriminator(features=(4,)),
        }
    ),
    "DDPM": lambda: models.DDPM(
        network=nets.UNet(channels=4, multipliers=(1,), num_blocks=1, attention=()),
        num_steps=10,
        optimizer=_ADAM,
    ),
    "GAN": lambda: models.GAN(**_DENSE),
    "GMM": lambda: models.GMM().quick(),
    "NaiveDiffusion": lambda: models.NaiveDiffusion(optimizer=_ADAM).quick(),
    "PixelCNN": lambda: models.PixelCNN(
        gated=True, channels=4, first_kernel=5, num_blocks=2, optimizer=_ADAM
    ),
    "RealNVP": lambda: models.RealNVP(optimizer=_ADAM).quick(),
    "SimVP": lambda: models.SimVP(optimizer=_ADAM).quick(),
    "UNetAttention": lambda: models.UNetAttention(optimizer=_ADAM).quick(),
    "VAE": lambda: models.VAE(
        coder=nets.DenseCoder(hidden=(8,)),
        latent_dim=3,
        likelihood="discretized_logistic",
        optimizer=_ADAM,
    ),
}


def families() -> dict[str, type[Family]]:
    """Those that gm_jax has, by name."""
    public = {name: getattr(gm_jax.models, name) for name in gm_jax.models.__all__}
    return {n: c for n, c in public.items() if isinstance(c, type) and issubclass(c, Family)}


def pinned() -> dict[str, dict]:
    """By family: {"model", "spec", "numerics", "losses", "weights"}."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def three_steps(model: Family, spec: DataSpec) -> dict[str, list[float] | float]:
    """The losses, and the mean size of what was learned, averages among it."""
    key = Rngs(jax.random.key(0))
    state = jax.jit(lambda: model.init(key, spec))()
    update = jax.jit(lambda state, batch: model.update(state, batch, key.at("train", state.step)))
    losses = []
    for step in range(STEPS):
        state, metrics = update(state, _batch(spec, step))
        losses.append(float(metrics["loss"]))
    leaves = jax.tree.leaves((state.params, state.model_state, state.ema_params))
    return {"losses": losses, "weights": float(np.mean([np.abs(leaf).mean() for leaf in leaves]))}


def _batch(spec: DataSpec, step: int, size: int = 12) -> dict[str, np.ndarray]:
    rng = np.random.Generator(np.random.PCG64(step))
    batch = {
        "image": rng.integers(0, spec.num_levels, (size, *spec.shape), np.uint8),
        "index": np.arange(size, dtype=np.int32),
    }
    if spec.num_classes is not None:
        batch["label"] = batch["index"] % spec.num_classes
    for extra in spec.extras:
        shape = (size, *extra.shape)
        if extra.dtype == "uint8":
            batch[extra.name] = rng.integers(0, spec.num_levels, shape, np.uint8)
        else:
            after = np.cumsum(rng.integers(600, 2400, shape), 1).astype(np.float32)
            batch[extra.name] = after - after[:, -1:] if "context" in extra.name else after
    return batch


def pin() -> None:
    """Pins what each family gives now."""
    cases = pinned()
    for name, family in sorted(families().items()):
        if name not in cases:
            spec = _FRAMES if family.takes_sequences else _IMAGES
            cases[name] = {"model": to_plain(BEGINNINGS[name]()), "spec": to_plain(spec)}
        model, spec = from_plain(cases[name]["model"]), from_plain(cases[name]["spec"])
        given = three_steps(model, spec)
        cases[name] |= {"numerics": model.numerics, **given}
    FILE.write_text(json.dumps(dict(sorted(cases.items())), indent=1) + "\n")


PINNED = pinned()


def test_every_family_is_pinned():
    assert set(PINNED) == set(families()), "python tests/test_golden_steps.py pins a new family"


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n == "UNetAttention" else ()) for n in PINNED],
)
def test_a_family_learns_as_it_did_or_says_so(name):
    case = PINNED[name]
    model = from_plain(case["model"])
    assert model.numerics == case["numerics"], (
        f"{name}.numerics is new: python tests/test_golden_steps.py pins what it learns now"
    )
    given = three_steps(model, from_plain(case["spec"]))
    for what in ("losses", "weights"):
        np.testing.assert_allclose(
            given[what],
            case[what],
            rtol=1e-4,
            err_msg=f"{name} learns something else than before: raise {name}.numerics, "
            "then run python tests/test_golden_steps.py",
        )


if __name__ == "__main__":
    pin()
