"""Commands on latents and on the pictures of a run, with a family small enough to be checked."""

import dataclasses
import shutil
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.spatial import geometric_slerp

import gm_jax
from gm_jax import cli, drawing
from gm_jax.cli.closing import idle_devices, next_commands
from gm_jax.cli.output import in_a_name
from gm_jax.cli.report import show_figures
from gm_jax.data import Data, Digits
from gm_jax.data.spec import DataSpec, Extra
from gm_jax.errors import UserError
from gm_jax.evaluation.split import Figure
from gm_jax.experiment import Experiment, Training
from gm_jax.functional.dequantization import from_unit
from gm_jax.functional.latents import truncated_normal
from gm_jax.model import Encodes, Family, HasLatents, create_state, gradient_update
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.optimizer import Optimizer
from gm_jax.run import Run
from gm_jax.sampling import LatentSampling
from gm_jax.training.folder import RunFolder
from gm_jax.viz.grids import image_grid

NUM_LATENTS = 6


@dataclasses.dataclass(frozen=True)
class Linear(Family):
    """Images sigmoid(z W), all of whose pixels at the left edge show the label."""

    sampling: LatentSampling = LatentSampling()

    def init(self, rngs, spec):
        params = {"w": jax.random.normal(rngs("params"), (NUM_LATENTS, spec.num_dims))}
        return create_state(rngs, spec, params, Optimizer())

    def update(self, state, batch, rngs):
        return gradient_update(
            state, lambda params: ((params["w"] ** 2).mean(), ({}, {})), Optimizer()
        )

    def evaluate(self, state, batch, rngs):
        return {"loss": jnp.zeros(len(batch["image"]))}

    def sample(self, state, rngs, num, condition=None):
        return self.decode(state, self.draw_latents(state, rngs, num), condition)

    def draw_latents(self, state, rngs, num):
        return truncated_normal(rngs("prior"), (num, NUM_LATENTS), self.sampling.truncation)

    def decode(self, state, z, condition=None):
        labels = jnp.arange(len(z)) % 10 if condition is None else jnp.asarray(condition)
        unit = jax.nn.sigmoid(z @ state.params["w"]).reshape(-1, *state.spec.shape)
        edge = labels[:, None].astype(jnp.uint8)
        return from_unit(unit, state.spec.num_levels).at[:, :, 0, 0].set(edge)


@dataclasses.dataclass(frozen=True)
class LinearBothWays(Linear):
    """One that has a code for each image, too."""

    def encode(self, state, batch):
        return jnp.zeros((len(batch["image"]), NUM_LATENTS))


@dataclasses.dataclass(frozen=True)
class NoLatents(Family):
    """One that can only sample."""

    init, update, evaluate = Linear.init, Linear.update, Linear.evaluate

    def sample(self, state, rngs, num, condition=None):
        return jnp.zeros((num, *state.spec.shape), jnp.uint8)


def fit(model, folder, **training):
    data = Data(Digits(), train="train", valid=None, test="test", batch_size=8, limit=24)
    training = {"num_steps": 1, "sample_every": 0, **training}
    return gm_jax.fit(Experiment(data, model, Training(**training)), folder)


@pytest.fixture(scope="module")
def latent_run(tmp_path_factory):
    return fit(Linear(), tmp_path_factory.mktemp("runs") / "linear")


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """The folder of a run that made a picture after each of its 3 steps."""
    folder = tmp_path_factory.mktemp("runs") / "painted"
    fit(Linear(), folder, num_steps=3, sample_every=1)
    return folder


def told(capsys, *argv):
    """Runs one command; returns what it printed."""
    with pytest.raises(SystemExit) as stop:
        cli.main([str(a) for a in argv])
    printed = capsys.readouterr()
    assert stop.value.code == 0, printed.err
    return printed.out


def refused(capsys, *argv):
    """Runs one command that is bad; returns the one line it was answered."""
    with pytest.raises(SystemExit) as stop:
        cli.main([str(a) for a in argv])
    lines = capsys.readouterr().err.splitlines()
    assert (stop.value.code, len(lines)) == (2, 1)
    return lines[0]


def levels(path):
    with np.load(path) as arrays:
        return arrays["image"]


def test_the_stand_ins_are_what_they_are_for():
    assert isinstance(Linear(), HasLatents)
    assert not isinstance(Linear(), Encodes)
    assert isinstance(LinearBothWays(), Encodes)


def test_truncated_samples(latent_run):
    z = latent_run.draw_latents(500, seed=3, truncation=0.5)
    assert z.shape == (500, NUM_LATENTS)
    assert 0.4 < np.abs(z).max() <= 0.5
    np.testing.assert_array_equal(
        latent_run.sample(500, seed=3, truncation=0.5), latent_run.decode(z)
    )
    assert np.abs(latent_run.draw_latents(500, seed=3)).max() > 2
    np.testing.assert_array_equal(
        latent_run.sample(9, seed=3), latent_run.decode(latent_run.draw_latents(9, seed=3))
    )


def test_truncated_samples_of_a_class(latent_run):
    condition = np.full(5, 7)
    images = latent_run.sample(5, condition=condition, truncation=0.5)
    assert (images[:, :, 0, 0] == 7).all()


def test_sample_with_truncation(latent_run, tmp_path, capsys):
    command = ("sample", latent_run.folder, "--num", 9, "--seed", 3, "--out")
    out = told(capsys, *command, tmp_path / "a.npz", "--truncation", 0.5, "--label", 4)
    assert "9 images · seed 3 · truncation 0.5" in out
    wanted = latent_run.sample(9, 3, np.full(9, 4), truncation=0.5)
    np.testing.assert_array_equal(levels(tmp_path / "a.npz"), wanted)
    assert "· truncation" not in told(capsys, *command, tmp_path / "b.npz")
    np.testing.assert_array_equal(levels(tmp_path / "b.npz"), latent_run.sample(9, 3))


def test_help_of_sample_shows_the_ways_of_the_very_run(latent_run, capsys):
    text = told(capsys, "sample", latent_run.folder, "--help")
    assert "--truncation {None}|FLOAT" in text
    assert "--guidance" not in text
    # Options may stand before the run.
    told(capsys, "sample", "--num", 2, "--truncation", 0.5, latent_run.folder)


def test_a_way_of_drawing_is_checked(latent_run):
    with pytest.raises(UserError, match="no guidance: it has truncation"):
        latent_run.sample(1, guidance=2.0)
    with pytest.raises(UserError, match="truncation must be a number or None, not '1'"):
        latent_run.draw_latents(1, truncation="1")


def test_many_are_drawn_in_chunks_that_are_shown(latent_run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(drawing, "_CHUNK_VALUES", 0)  # 64 images, in whole turns of 10 classes
    out = told(capsys, "sample", latent_run.folder, "--num", 100, "--out", tmp_path / "a.npz")
    assert "samples image 100/100" in out
    drawn = levels(tmp_path / "a.npz")
    np.testing.assert_array_equal(drawn[:70], latent_run.sample(70))
    np.testing.assert_array_equal(drawn[:, 0, 0, 0], np.arange(100) % 10)


@pytest.mark.parametrize("truncation", ["0", "-1", "nan", "inf"])
def test_a_truncation_that_cannot_be(latent_run, capsys, truncation):
    line = refused(capsys, "sample", latent_run.folder, "--truncation", truncation)
    assert f"truncation must be greater than 0, not {float(truncation)}" in line


def test_interpolated_latents(latent_run):
    lines, num, seed = 3, 5, 2
    got = latent_run.interpolate_latents(lines, num, seed)
    assert got.shape == (lines, num, *latent_run.spec.shape)
    assert got.dtype == np.uint8
    # Lines join draws 0 and 1, 2 and 3, ..., which are those that `sample` shows.
    z = latent_run.draw_latents(2 * lines, seed)
    t = np.linspace(0, 1, num)
    for i in range(lines):
        a, b = z[2 * i].astype(np.float64), z[2 * i + 1].astype(np.float64)
        r, s = np.linalg.norm(a), np.linalg.norm(b)
        path = geometric_slerp(a / r, b / s, t) * ((1 - t) * r + t * s)[:, None]
        wanted = latent_run.decode(path.astype(np.float32), np.full(num, i))
        assert np.abs(got[i].astype(int) - wanted).max() <= 1
    # The model chose labels by their order in the batch; along a line they stay.
    np.testing.assert_array_equal(
        got[..., 0, 0], np.broadcast_to(np.arange(lines)[:, None, None], (lines, num, 8))
    )
    held = latent_run.interpolate_latents(lines, num, seed, np.full(lines, 6))
    assert (held[..., 0, 0] == 6).all()


def test_interpolate_between_latents(latent_run, tmp_path, capsys):
    command = ("interpolate", latent_run.folder, "--lines", 2)
    out = told(capsys, *command, "--num", 4, "--out", tmp_path / "a.png")
    assert "2 lines of 4 images between latents · seed 0" in out
    flat = latent_run.interpolate_latents(2, 4).reshape(-1, *latent_run.spec.shape)
    with Image.open(tmp_path / "a.png") as picture:
        grid = image_grid(flat, 17, num_columns=4)[..., 0]
        np.testing.assert_array_equal(np.asarray(picture)[-len(grid) :], grid)  # below its names
    told(capsys, *command, "--out", tmp_path / "b.gif", "--seed", 1, "--label", 3)
    between = latent_run.interpolate_latents(2, 30, 1, np.full(2, 3))
    with Image.open(tmp_path / "b.gif") as gif:
        assert gif.info["loop"] == 0
        # There and back; frames that look like the one before are shown as one.
        seconds = 0
        for i in range(gif.n_frames):
            gif.seek(i)
            seconds += gif.info["duration"] / 1000
        assert seconds == pytest.approx(2 * 0.5 + 2 * 28 * 0.1)
        gif.seek(0)
        first = image_grid(between[:, 0], 17)[..., 0]
        np.testing.assert_array_equal(np.asarray(gif.convert("L")), first)


def test_interpolate_goes_between_images_where_there_is_an_encoder(tmp_path, capsys):
    folder = fit(LinearBothWays(), tmp_path / "both").folder
    assert "between images of test" in told(capsys, "interpolate", folder)
    assert "between latents · seed 0" in told(capsys, "interpolate", folder, "--label", 3)
    assert "between latents · seed 5" in told(capsys, "interpolate", folder, "--seed", 5)
    line = refused(capsys, "interpolate", folder, "--seed", 5, "--split", "test")
    assert "--split test: LinearBothWays goes between latents here: leave it out" in line


def test_what_does_not_fit_the_family(latent_run, tmp_path, capsys):
    line = refused(capsys, "interpolate", latent_run.folder, "--split", "valid")
    assert "--split valid: Linear goes between latents here" in line
    line = refused(capsys, "interpolate", latent_run.folder, "--label", 10)
    assert "--label must be 0 to 9, not 10" in line
    line = refused(capsys, "interpolate", latent_run.folder, "--num", 1)
    assert "at least 2 images a line, not 1" in line
    line = refused(capsys, "interpolate", latent_run.folder, "--num", 10**9)
    assert "too many at once" in line
    with pytest.raises(UserError, match="Linear can't encode"):
        latent_run.encode(np.zeros((1, 8, 8, 1), np.uint8))


def test_a_label_for_a_family_that_decodes_without(tmp_path):
    run = gm_jax.fit(gm_jax.load("digits/vae").quick(), tmp_path / "vae")
    z = run.encode(run.batch(2))
    with pytest.raises(UserError, match="VAE was trained without labels: leave out"):
        run.decode(z, np.zeros(2, int))


def test_next_come_the_commands_that_the_family_can_do(latent_run):
    folder = latent_run.folder
    assert next_commands(latent_run) == (
        f"gm-jax sample {folder}   gm-jax interpolate {folder}   gm-jax list"
    )


def test_a_command_that_the_data_rule_out_is_not_recommended(tmp_path):
    spec = DataSpec((8, 8, 1), extras=(Extra("ir", (8, 8, 1), "uint8"),))  # images, to translate
    model = UNetAttention().quick()
    state = SimpleNamespace(spec=spec)
    translator = Run(tmp_path, SimpleNamespace(model=model), state, None)
    assert next_commands(translator) == f"gm-jax evaluate {tmp_path}   gm-jax list"


def test_next_is_inpainting_and_who_reads_the_samples(tmp_path):
    spec = DataSpec((8, 8, 1), num_levels=17, num_classes=10)

    def a_run(name, model):
        state = SimpleNamespace(spec=spec)
        return Run(tmp_path / name, SimpleNamespace(model=model), state, None)

    pixels = a_run("pixels", gm_jax.load("digits/arm_pixelcnn").model)
    assert next_commands(pixels) == (
        f"gm-jax sample {tmp_path}/pixels   gm-jax inpaint {tmp_path}/pixels   gm-jax list"
    )
    gan = a_run("gan", gm_jax.load("digits/gan").model)
    experiment = gm_jax.load("digits/classifier").quick()
    classifier = RunFolder(tmp_path / "classifier")
    classifier.claim(experiment, experiment.data.spec, 0)
    assert "--classifier" not in next_commands(gan)  # it has learned nothing yet
    (classifier.checkpoints / "4").mkdir(parents=True)
    wanted = f"gm-jax evaluate {tmp_path}/gan --classifier {tmp_path}/classifier   gm-jax list"
    assert next_commands(gan).endswith(wanted)


def test_devices_that_a_batch_leaves_idle_are_said(monkeypatch):
    devices = jax.devices()[:3]
    monkeypatch.setattr(jax, "devices", lambda: devices)
    experiment = gm_jax.load("digits/vae")
    assert idle_devices(experiment) == (
        "2 of 3 share each batch, because 128 does not divide by 3: "
        "--data.batch-size 126 or 129 uses all"
    )
    assert idle_devices(experiment.replace(**{"data.batch_size": 129})) is None
    assert idle_devices(experiment.replace(**{"sharding.data": 2})) is None
    assert "--data.batch-size 3 uses all" in idle_devices(
        experiment.replace(**{"data.batch_size": 2})
    )


def test_columns_align_for_any_split(capsys):
    figures = {
        "kl": Figure(1.0, "estimate", 24, 0.25),
        "a_figure_with_a_long_name/10": Figure(-123456789.0, "error", 1, 12.0),
    }
    for topic in ("test", "validation[:1000]"):
        show_figures(topic, figures)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("test      KL (nats)   ")
    assert lines[2:] == ["validation[:1000]", lines[0].replace("test", "    "), lines[1]]
    for mark in ("±", "("):
        assert len({line.index(mark, 25) for line in (*lines[:2], *lines[3:])}) == 1


def test_what_was_asked_for_is_in_the_name(latent_run, capsys):
    folder = latent_run.folder / "samples"
    command = ("sample", latent_run.folder)
    for options, name in [
        ((), "seed_0"),
        (("--seed", 2, "--num", 10), "seed_2_num_10"),
        (("--label", 3, "--truncation", 0.7), "seed_0_label_3_truncation_0.7"),
        (("--truncation", 2, "--step", "latest"), "seed_0_truncation_2_step_1"),
    ]:
        assert f"{folder / name}.png · " in told(capsys, *command, *options)
        assert (folder / f"{name}.png").is_file()
    told(capsys, "interpolate", latent_run.folder, "--label", 3, "--lines", 2)
    assert (folder / "interpolation_label_3_lines_2.png").is_file()


def test_other_splits_have_other_names():
    splits = ["test", "test[:100]", "test[100:]", "test[-100:]", "test[:-100]", "test[:100%]"]
    names = [in_a_name(split) for split in splits]
    assert names[1:3] == ["test_-100", "test_100-"]
    assert len(set(names)) == len(splits)
    assert not any(set(name) & set("/:[]%") for name in names)


def durations(path):
    with Image.open(path) as gif:
        found = []
        for i in range(gif.n_frames):
            gif.seek(i)
            found.append(gif.info["duration"])
    return found


def test_animate(painted, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(painted, folder)
    # A run that was killed has pictures and no checkpoint; one of them has a step of nine digits.
    shutil.rmtree(folder / "checkpoints")
    shutil.copy(folder / "samples" / "step_00000001.png", folder / "samples" / "step_100000000.png")
    out = told(capsys, "animate", folder)
    assert f"{folder / 'progress.gif'} · 4 pictures, 0.3 s each" in out
    assert durations(folder / "progress.gif") == [300, 300, 300, 1500]
    told(capsys, "animate", folder, "--seconds", 0.1, "--out", tmp_path / "new" / "x.gif")
    assert durations(tmp_path / "new" / "x.gif") == [100, 100, 100, 500]


def test_animate_reconstructions_where_there_are_no_samples(painted, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(painted, folder)
    for path in (folder / "samples").glob("step_*.png"):
        path.rename(path.with_name(f"{path.stem}_reconstructions.png"))
    assert "3 pictures" in told(capsys, "animate", folder)


def test_animate_as_a_video(painted, tmp_path, capsys, monkeypatch):
    (tmp_path / "ffmpeg").write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        "pathlib.Path(sys.argv[-1]).write_bytes(sys.stdin.buffer.read()[:5])\n"
    )
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    told(capsys, "animate", painted, "--out", tmp_path / "x.mp4")
    assert len((tmp_path / "x.mp4").read_bytes()) == 5
    told(capsys, "interpolate", painted, "--num", 2, "--out", tmp_path / "y.mp4")
    assert len((tmp_path / "y.mp4").read_bytes()) == 5


def test_too_few_pictures_to_animate(latent_run, painted, tmp_path, capsys):
    line = refused(capsys, "animate", latent_run.folder)
    assert "has none: train with --training.sample-every N" in line
    folder = tmp_path / "run"
    shutil.copytree(painted, folder)
    for step in (1, 2):
        (folder / "samples" / f"step_0000000{step}.png").unlink()
    assert "has 1: train with --training.sample-every N" in refused(capsys, "animate", folder)


def test_a_family_that_can_only_sample(tmp_path, capsys):
    folder = fit(NoLatents(), tmp_path / "run").folder
    line = refused(capsys, "interpolate", folder)
    assert "NoLatents can't interpolate: the family has no such part" in line
    line = refused(capsys, "sample", folder, "--truncation", "1")
    assert "has no option truncation" in line
    run = gm_jax.open(folder)
    with pytest.raises(UserError, match="no truncation: it draws in one way only"):
        run.sample(1, truncation=1.0)
    with pytest.raises(UserError, match="NoLatents can't draw latents"):
        run.interpolate_latents(2)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (np.array([0, 10]), "0 to 9, not 0..10"),
        (np.array([-1, 0]), "0 to 9"),
        (np.array([0, 1, 2]), "one integer label or 2"),
        (np.array([0.0, 1.0]), "float64"),
    ],
)
def test_labels_that_cannot_be(latent_run, condition, words):
    with pytest.raises(UserError, match=words):
        latent_run.sample(2, condition=condition)
    with pytest.raises(UserError, match=words):
        latent_run.decode(np.zeros((2, NUM_LATENTS)), condition)


def test_one_label_for_all(latent_run):
    assert (latent_run.sample(3, condition=5)[:, :, 0, 0] == 5).all()
