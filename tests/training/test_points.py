"""Points (float32) through the loop, instead of images of levels."""

import chex
import numpy as np
import pytest
from PIL import Image

import gm_jax
from gm_jax.cli import dispatch
from gm_jax.data import Data, Ring
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gan import GAN
from gm_jax.models.realnvp import RealNVP
from gm_jax.models.vae import VAE
from gm_jax.nets.discriminators import DenseDiscriminator
from gm_jax.nets.flows import VectorFlow
from gm_jax.nets.generators import DenseGenerator
from gm_jax.rng import rngs_from_seed
from gm_jax.run import Run
from gm_jax.training.sharding import DataMesh

DATA = Data(source=Ring(num_train=64), train="train", valid="validation", batch_size=16, limit=64)
TRAINING = Training(num_steps=2, eval_every=2, sample_every=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    model = GAN(
        generator=DenseGenerator(hidden=(8,), output="linear"),
        discriminator=DenseDiscriminator(hidden=(8,)),
        latent_dim=2,
    )
    experiment = Experiment(data=DATA, model=model, training=TRAINING)
    return gm_jax.fit(experiment, tmp_path_factory.mktemp("runs") / "gan")


def test_pictures_are_scatter_pictures(run):
    pictures = sorted((run.folder / "samples").glob("step_*.png"))
    assert [p.name for p in pictures] == ["step_00000001.png", "step_00000002.png"]
    for path in pictures:
        chex.assert_shape(np.asarray(Image.open(path)), (450, 450, 3))
    (final,) = run.paint("final")
    chex.assert_shape(np.asarray(Image.open(final)), (450, 450, 3))


def test_samples_are_points(run):
    points = run.sample(5)
    chex.assert_shape(points, (5, 1, 1, 2))
    chex.assert_type(points, np.float32)
    assert gm_jax.open(run.folder).spec == Ring().spec


def test_batches_of_points_are_checked(run):
    batch = run.batch(3)
    chex.assert_type(batch["image"], np.float32)
    chex.assert_type(run._batch(batch)["image"], np.float32)
    with pytest.raises(UserError, match="points must be float32, not float64"):
        run._batch(batch["image"].astype(np.float64))


def test_commands(run, tmp_path, capsys):
    png, npz = tmp_path / "points.png", tmp_path / "points.npz"
    for out in (png, npz):
        assert dispatch(["sample", str(run.folder), "--num", "7", "--out", str(out)]) == 0
    assert "7 points" in capsys.readouterr().out
    chex.assert_shape(np.asarray(Image.open(png)), (450, 450, 3))
    with np.load(npz) as arrays:
        assert arrays.files == ["image"]
        np.testing.assert_array_equal(arrays["image"], run.sample(7))
    with pytest.raises(UserError, match="was trained on points"):
        dispatch(["interpolate", str(run.folder)])


def test_points_have_no_bits_per_dim(tmp_path):
    model = RealNVP(flow=VectorFlow(couplings=2, hidden=(4,)))
    state = model.init(rngs_from_seed(0), DATA.spec)
    flow = Run(tmp_path, Experiment(data=DATA, model=model), state, DataMesh(1))
    assert set(flow.evaluate("test", num_samples=2)) == {"neg_log_prob"}


def test_a_family_for_images_says_so(tmp_path):
    experiment = Experiment(data=DATA, model=VAE(), training=TRAINING)
    with pytest.raises(UserError, match=r"^Ring gives points, but VAE takes images") as error:
        gm_jax.fit(experiment, tmp_path / "vae")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "vae").exists()
