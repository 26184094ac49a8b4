"""Points (float32) through the loop, instead of images of levels."""

import chex
import numpy as np
import pytest
from PIL import Image

import gm_jax
from gm_jax.cli import dispatch
from gm_jax.data import Data, PointData, Ring
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment, Training
from gm_jax.models.bayes import Bayes
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


@pytest.fixture
def table(tmp_path):
    """A .csv of three columns in units of their own, with a label."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 60)
    values = rng.normal(size=(60, 2)) * [1, 1000] + label[:, None] * [5, 8000]
    lines = [
        f"{a:.4f},{b:.1f},{('owl', 'wren')[k]}" for (a, b), k in zip(values, label, strict=True)
    ]
    path = tmp_path / "birds.csv"
    path.write_text("\n".join(["size,height,kind", *lines]) + "\n")
    return path


def test_a_table_from_file_to_samples(table, tmp_path, capsys):
    folder = tmp_path / "run"
    experiment = Experiment(
        data=PointData(table, label="kind", standardize=True, batch_size=16),
        model=Bayes(covariance="diagonal"),
        training=Training(num_steps=3, log_every=1, eval_every=3, sample_every=3),
    )
    run = gm_jax.fit(experiment, folder)
    made = {p.name for p in (folder / "samples").glob("*.png")}
    assert made == {"step_00000003.png", "step_00000003_density.png"}
    assert run.evaluate("test")["neg_log_prob"].value > np.log(1000)  # in units of the table
    points = run.sample(200)[:, 0, 0]
    chex.assert_type(points, np.float32)
    np.testing.assert_allclose(points[1::2].mean(0), [5, 8000], rtol=0.2)

    # It is opened, drawn from and written without its table.
    table.rename(tmp_path / "elsewhere.csv")
    for name in ("s.csv", "s.npy", "s.npz"):
        assert dispatch(["sample", str(folder), "--num", "4", "--out", str(tmp_path / name)]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "s.npy"), points[:4])
    header, *rows = (tmp_path / "s.csv").read_text().splitlines()
    assert header == "size,height,kind"
    assert [row.split(",")[2] for row in rows] == ["owl", "wren", "owl", "wren"]
    read = np.array([row.split(",")[:2] for row in rows], np.float32)
    np.testing.assert_array_equal(read, points[:4])
    one = ["sample", str(folder), "--num", "2", "--label", "1", "--out", str(tmp_path / "w.csv")]
    assert dispatch(one) == 0
    assert (tmp_path / "w.csv").read_text().count("wren") == 2
    (tmp_path / "elsewhere.csv").rename(table)

    # What it learned is in the units of this table, and not of another.
    capsys.readouterr()
    assert dispatch(["evaluate", str(folder)]) == 0
    assert "the table's own units" in capsys.readouterr().out
    table.write_text(table.read_text() + "9,90000,owl\n" * 10)
    longer = experiment.replace(**{"training.num_steps": 4})
    with pytest.raises(UserError, match="was trained on a table that has changed since") as error:
        gm_jax.fit(longer, folder)
    assert "\n" not in str(error.value)
    assert gm_jax.open(folder).step == 3
    table.write_text("size,kind\n" + "1,owl\n2,wren\n" * 9)
    with pytest.raises(UserError, match="with the columns size, height, and it has size now"):
        gm_jax.open(folder).evaluate("test")


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
