"""Arrays of one's own through every family, and through `gm_jax.fit(experiment, data=...)`."""

import contextlib
import io
import shlex
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import gm_jax
from gm_jax import cli
from gm_jax.cli.commands import COMMANDS
from gm_jax.data import ArrayData, Data, Quantize
from gm_jax.data.arrays import keeping
from gm_jax.data.arrays import source as source_module
from gm_jax.data.arrays.keeping import with_arrays
from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.experiment_file import find_experiments
from gm_jax.model import Reconstructs, Samples
from gm_jax.models import CGAN, VAE, Autoencoder, NaiveDiffusion, PixelCNN
from gm_jax.nets import ConvCoder, ResidualCoder
from gm_jax.rng import rngs_from_seed

RNG = np.random.default_rng(0)
SHAPE = (17, 23, 5)
IMAGES = RNG.integers(0, 256, (60, *SHAPE), dtype=np.uint8)
LABELS = np.arange(60) % 4
FAMILIES = [e.name for e in find_experiments() if e.name.startswith("arrays/")]
OTHERS = {
    "naive diffusion": NaiveDiffusion(),
    "cgan": CGAN(),
    "residual vae": VAE(coder=ResidualCoder(), likelihood="categorical"),
    "plain pixelcnn": PixelCNN(channels=32, num_blocks=2),
    "pooling": Autoencoder(coder=ConvCoder(dense=None, code_stride=2, pooling=True)),
}
QUICKEST = {"arrays/gmm"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file of 60 images of 17x23 pixels and 5 channels, with labels."""
    path = tmp_path_factory.mktemp("arrays") / "my.npz"
    np.savez(path, images=IMAGES, labels=LABELS)
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_there_is_an_experiment_of_each_family():
    kinds = "ae arm bayes classifier dcgan ddpm gan gmm pixelcnn realnvp vae"
    assert {f"arrays/{kind}" for kind in kinds.split()} <= set(FAMILIES)


@pytest.mark.parametrize(
    "shape",
    [SHAPE, *(pytest.param(s, marks=pytest.mark.slow) for s in [(5, 40, 16), (31, 4, 2)])],
)
@pytest.mark.parametrize("name", [*FAMILIES, *OTHERS])
def test_a_recipe_takes_images_of_any_shape(name, shape):
    """The recipe as it stands, not in miniature; nothing is compiled."""
    model = OTHERS[name] if name in OTHERS else gm_jax.load(name).model
    spec = DataSpec(shape, num_levels=9, num_classes=3)
    batch = {"image": jax.ShapeDtypeStruct((4, *shape), jnp.uint8)}
    batch |= {key: jax.ShapeDtypeStruct((4,), jnp.int32) for key in ("label", "index")}
    rngs = rngs_from_seed(0)
    state = jax.eval_shape(lambda: model.init(rngs, spec))
    chex.assert_trees_all_equal_shapes(jax.eval_shape(model.update, state, batch, rngs)[0], state)
    if isinstance(model, Samples):
        sample = jax.eval_shape(lambda s: model.sample(s, rngs, 3), state)
        assert (sample.shape, sample.dtype) == ((3, *shape), jnp.uint8)
    if isinstance(model, Reconstructs):
        again = jax.eval_shape(lambda s, b: model.reconstruct(s, rngs, b), state, batch)
        assert again.shape == (4, *shape)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICKEST else pytest.mark.slow) for n in FAMILIES]
)
def test_a_family_trains_samples_and_is_drawn(name, path, home):
    experiment = gm_jax.load(name).quick().replace(**{"data.path": path})
    run = gm_jax.fit(experiment, "run")
    assert run.spec == DataSpec(SHAPE, 256, 4)
    made = []
    if isinstance(run.model, Samples):
        made.append(run.sample(3))
    if isinstance(run.model, Reconstructs):
        made.append(run.reconstruct(run.batch(3)))
    for images in made:
        chex.assert_shape(images, (3, *SHAPE))
        chex.assert_type(images, np.uint8)
    figures = run.evaluate("test")
    assert all(np.isfinite(figure.value) for figure in figures.values())
    for drawn in run.paint("final", num=4):
        with Image.open(drawn) as picture:
            assert picture.mode == "L"  # a grey panel for each channel
            assert min(picture.size) > 3 * 17


# --- fit(experiment, data=...) -------------------------------------------------------------------

SMALL = RNG.integers(0, 17, (60, 5, 4, 2), dtype=np.uint8)


@pytest.fixture
def experiment():
    return gm_jax.load("arrays/gmm").quick().replace(**{"data.num_levels": 17})


def plain(state):
    return jax.tree.map(np.asarray, state.replace(key=jax.random.key_data(state.key)))


def test_a_run_of_arrays_resumes_and_finds_them_again(experiment, home, monkeypatch):
    given = (SMALL, LABELS)
    straight = gm_jax.fit(experiment, home / "straight", data=given)
    gm_jax.fit(experiment.replace(**{"training.num_steps": 2}), home / "resumed", data=given)
    resumed = gm_jax.fit(experiment, home / "resumed", data=given)
    assert (straight.step, straight.spec.num_classes) == (4, 4)
    chex.assert_trees_all_equal(plain(resumed.state), plain(straight.state))
    figures = straight.evaluate("test")

    # One copy for both, of which the experiment holds no absolute path.
    (kept,) = home.joinpath("cache/gm_jax/data/arrays").iterdir()
    assert straight.experiment.data.path == f"arrays/{kept.name}"

    # From another folder, with nothing in memory; and as with the same arrays in a file.
    source_module._read.cache_clear()
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = gm_jax.open(home / "straight")
    assert again.evaluate("test") == figures
    np.savez("my.npz", x=SMALL, y=LABELS)
    by_path = gm_jax.fit(experiment.replace(**{"data.path": "my.npz"}), home / "by_path")
    chex.assert_trees_all_equal(plain(by_path.state), plain(straight.state))

    # Other arrays are another run.
    with pytest.raises(UserError, match=r"data\.path is 'arrays/\w+\.npz' there and 'arrays/"):
        gm_jax.fit(experiment, home / "straight", data=(SMALL, (LABELS + 1) % 4))

    # The cache may be deleted at any time; the call that made it makes it anew.
    kept.unlink()
    with pytest.raises(UserError, match=f"no file arrays/{kept.name}.*the same arrays keeps"):
        gm_jax.open(home / "straight").evaluate("test")
    assert gm_jax.fit(experiment, home / "straight", data=given).evaluate("test") == figures


@pytest.mark.slow
def test_another_process_evaluates_a_run_of_arrays(experiment, home):
    run = gm_jax.fit(experiment, home / "run", data=SMALL)
    code = "import gm_jax; print(gm_jax.open('run').evaluate('test')['bits_per_dim'].value)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=home
    )
    assert float(done.stdout) == pytest.approx(run.evaluate("test")["bits_per_dim"].value)


def kept_by(data, like=None):
    """The source after arrays were taken in."""
    return with_arrays(like or ArrayData(), data).source


@pytest.mark.usefixtures("home")
def test_arrays_may_be_given_in_several_ways():
    alone, with_none = kept_by(SMALL), kept_by((SMALL, None))
    assert alone == with_none
    assert alone.spec == DataSpec((5, 4, 2), 256, None)
    assert kept_by((SMALL.tolist(), LABELS.tolist())).spec.num_classes == 4
    assert kept_by(jnp.asarray(SMALL)) == alone
    names = np.array(["cat", "dog", "emu", "fox"])[LABELS]
    assert kept_by((SMALL, names)).spec.num_classes == 4
    assert kept_by((SMALL, names.astype(object))) == kept_by((SMALL, names))
    assert kept_by((SMALL, names)) != kept_by((SMALL, names[::-1]))
    assert kept_by(SMALL[::-1]) != alone
    assert kept_by(SMALL.astype(np.int32)) != alone
    parts = kept_by({"train": (SMALL[:50], LABELS[:50]), "test": (SMALL[50:], LABELS[50:])})
    np.testing.assert_array_equal(parts.open("test").load_all()["image"], SMALL[50:])
    np.testing.assert_array_equal(parts.open("test").load_all()["label"], LABELS[50:])
    assert len(parts.open("train")) + len(parts.open("validation")) == 50
    only = kept_by({"train": SMALL, "valid": SMALL[:9]})
    assert len(only.open("validation")) == 9


@pytest.mark.usefixtures("home")
def test_what_else_the_experiment_says_of_its_data_holds():
    like = ArrayData(range=(0, 1), num_levels=8, batch_size=7, test_fraction=0.3, augment=())
    data = with_arrays(like, (SMALL / 16, LABELS))
    assert (data.batch_size, data.test_fraction) == (7, 0.3)
    assert data.spec == DataSpec((5, 4, 2), 8, 4)
    fixed = Data(transforms=(Quantize(4),), batch_size=9, limit=20)
    data = with_arrays(fixed, SMALL)
    assert data.open("train").num_examples == 20
    assert (data.batch_size, data.spec.num_levels) == (9, 4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (SMALL / 16, "data is float64 from 0 to 1: say which range"),
        (SMALL[0, 0], r"data is \[4, 2\]: images are \[N, H, W\]"),
        ((SMALL, LABELS[:3]), r"labels of shape \[3\], but needs one for each of 60 images"),
        ((SMALL, LABELS, LABELS), r"images, or \(images, labels\), not 3 arrays"),
        ({"train": SMALL, "tset": SMALL}, "data has 'tset', which is no split"),
        ({"test": SMALL}, "data has test_images, but no images to train on"),
        ({}, "data holds no arrays"),
        ([SMALL, SMALL[:, :3]], "data is no array"),
        ("my.npz", "data is a path: say it as data.path"),
    ],
)
def test_what_does_not_fit_is_not_kept(home, data, message):
    with pytest.raises(UserError, match=message) as caught:
        kept_by(data)
    assert "\n" not in str(caught.value)
    assert not (home / "cache").exists()


@pytest.mark.usefixtures("home")
def test_nowhere_to_keep_arrays(monkeypatch):
    monkeypatch.setattr(keeping, "is_writable", lambda folder: False)
    with pytest.raises(UserError, match="can be written to: set XDG_CACHE_HOME"):
        kept_by(SMALL)


# --- The command line ----------------------------------------------------------------------------


def test_labels_are_left_out_from_the_command_line():
    """tyro reads "none" as None where a field may be that."""
    command = COMMANDS["train"].parsed("train", shlex.split("arrays/vae --data.labels none"))
    assert command.experiment.data.labels == "none"
    assert command.experiment.data.spec.num_classes is None


@pytest.mark.slow
def test_a_file_of_arrays_is_trained_on_from_the_command_line(home):
    np.savez(home / "my.npz", images=(SMALL / 16).astype(np.float32), labels=LABELS)
    typed = (
        "train arrays/gmm --data.path my.npz --data.range 0 1 --data.num-levels 17 --run run "
        "--model.num-components 2 --data.batch-size 16 --training.num-steps 2"
    )
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as stop:
        cli.main(typed.split())
    assert stop.value.code == 0
    assert "arrays/gmm · 5x4x2 · 17 levels" in said.getvalue()
    assert "my.npz: 60 images 5x4x2, float32 from 0 to 1 as 17 levels" in said.getvalue()
    assert "4 labels; " in said.getvalue()
    assert (home / "run/samples/final.png").is_file()
