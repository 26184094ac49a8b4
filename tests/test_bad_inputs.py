"""Bad input of every kind gets one line that says what to do, and costs nothing that was there.

docs/errors.md is made of the same cases, in this order:

    WRITE_ERRORS_DOC=1 .venv/bin/python -m pytest tests/test_bad_inputs.py
"""

import contextlib
import dataclasses
import errno
import io
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

import gm_jax
from gm_jax import cli
from gm_jax.data import Digits
from gm_jax.data.sequences.sevir_writer import write_synthetic_sevir
from gm_jax.data.source import ArrayExamples
from gm_jax.data.spec import DataSpec
from gm_jax.data.split import Split
from gm_jax.data.store import making
from gm_jax.errors import UserError
from gm_jax.training import loop
from gm_jax.training.folder import locked
from gm_jax.training.saving import Saver

DOC = Path(__file__).parent.parent / "docs" / "errors.md"
WRITING = "WRITE_ERRORS_DOC" in os.environ
# What makes digits/vae and digits/ae tiny; the runs that the cases start from were made like this.
TINY = (
    "--training.num-steps 2 --training.log-every 1 --training.sample-every 0 --data.batch-size 8 "
    "--data.limit 24 --model.coder.hidden 4 --evaluation.num-samples 0"
)
# The same for digits/classifier.
TINY_CLASSIFIER = (
    "--training.num-steps 2 --training.log-every 1 --data.batch-size 8 --data.limit 24 "
    "--model.features 4 --model.dense 4"
)
# The same for toy/ddpm.
TINY_DDPM = (
    "--training.num-steps 2 --training.log-every 1 --training.sample-every 0 --data.batch-size 8 "
    "--data.limit 24 --model.network.hidden 4 --evaluation.num-samples 0"
)
SMALL_IMAGES = """
from gm_jax.data import Data, Resize
from gm_jax.experiment import Experiment
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import ImageFlow

def get_config():
    data = Data(transforms=(Resize(3),))
    return Experiment(data=data, model=RealNVP(flow=ImageFlow(halvings=2)))
"""
STORMS = """
from gm_jax.data import Data, Storms
from gm_jax.experiment import Experiment
from gm_jax.models.convlstm import ConvLSTM

def get_config():
    data = Data(source=Storms("storm", context=3, targets=2), train="all", valid=None, test="all")
    return Experiment(data=data, model=ConvLSTM())
"""
SEVIR = """
from gm_jax.data import Data, Sevir
from gm_jax.experiment import Experiment
from gm_jax.models.unet_attention import UNetAttention

def get_config():
    data = Data(source=Sevir("sevir"), train="train", valid=None, test="test")
    return Experiment(data=data, model=UNetAttention())
"""
IMAGES_OF_STORMS = """
from gm_jax.data import Data, SyntheticStorms
from gm_jax.experiment import Experiment
from gm_jax.models.vae import VAE

def get_config():
    data = Data(source=SyntheticStorms(num_train=4), train="train", valid="validation")
    return Experiment(data=data, model=VAE())
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """One bad input: what is typed, words of the answer, and what is made wrong before."""

    typed: str
    words: tuple[str, ...]
    given: Callable[[Path, pytest.MonkeyPatch], object] | None = None
    note: str = ""
    tiny: bool = False  # adds TINY, which the doc leaves out
    starts: bool = False  # whether training starts, and so adds to the run's record


def case(typed, *words, **rest):
    return Case(typed, words, **rest)


def config(text):
    """Writes the experiment file c.py."""
    return lambda folder, patch: (folder / "c.py").write_text(text)


def picture(name, size=(8, 8), keep=None):
    """Writes an image, of which only the first `keep` bytes are left."""

    def write(folder, patch):
        path = folder / name
        pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), np.uint8)
        Image.fromarray(pixels).save(path)
        path.write_bytes(path.read_bytes()[:keep])

    return write


def file(name, text="some text"):
    def write(folder, patch):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


def inception(name, content=None):
    """Names a file of Inception's weights, and writes it where it has any content."""

    def write(folder, patch):
        if name is None:
            patch.delenv("GM_JAX_INCEPTION", raising=False)
        else:
            patch.setenv("GM_JAX_INCEPTION", name)
        if content is not None:
            (folder / name).write_bytes(content)

    return write


def images(*kinds):
    """Files 0.jpg, 1.jpg, ... in the folder mine, of these kinds: grey, cut, text, json or heic."""

    def write(folder, patch):
        no_data(folder, patch)
        (folder / "mine").mkdir()
        for i, kind in enumerate(kinds):
            if kind == "text":
                file(f"mine/{i}.jpg")(folder, patch)
            elif kind in ("json", "heic"):
                file(f"mine/{i}.{kind}")(folder, patch)
            else:
                picture(f"mine/{i}.jpg", keep=100 if kind == "cut" else None)(folder, patch)

    return write


def no_jpeg(folder, patch):
    """Three images, and a Pillow that cannot read them."""
    images("grey", "grey", "grey")(folder, patch)
    patch.setattr(features, "check", lambda name: name != "jpg")


def archive(name, *kinds):
    """An archive of a folder as `images` makes it, which is removed."""

    def write(folder, patch):
        images(*kinds)(folder, patch)
        shutil.make_archive(str(folder / name), "zip", folder / "mine")
        shutil.rmtree(folder / "mine")

    return write


def arrays(keep=None, **named):
    """Writes my.npz, of which only the first `keep` bytes are left, where nothing else is."""

    def write(folder, patch):
        no_data(folder, patch)
        np.savez(folder / "my.npz", **named)
        path = folder / "my.npz"
        path.write_bytes(path.read_bytes()[:keep])

    return write


def npy(array):
    """Writes my.npy, where nothing else is."""

    def write(folder, patch):
        no_data(folder, patch)
        np.save(folder / "my.npy", array)

    return write


def storm(times, sizes=(8,), text=None, keep=None):
    """c.py, and the storm that it reads: frames at these times, of these sizes in turn.

    The features of the last frame are `text`, if given; of its image the first `keep` bytes.
    """

    def write(folder, patch):
        config(STORMS)(folder, patch)
        (folder / "storm").mkdir()
        for i, time in enumerate(times):
            size, last = sizes[i % len(sizes)], i == len(times) - 1
            kept = keep if last else None
            picture(f"storm/ana_{i:03d}.jpg", (size, size), kept)(folder, patch)
            features = json.dumps({"storm_id": "ana", "relative_time": str(time)})
            features = text if last and text is not None else features
            if features:
                (folder / "storm" / f"ana_{i:03d}_features.json").write_text(features)

    return write


def table(text):
    """Writes my.csv, of a header and these lines."""
    return file("my.csv", f"a,b\n{text}")


def sequences(frames=(5, 7, 4, 4), times=(7,), kind=np.uint8):
    """Writes my.npz, with frames and times of these shapes."""

    def write(folder, patch):
        seconds = np.broadcast_to(np.arange(float(times[-1])), times)
        np.savez(folder / "my.npz", frames=np.zeros(frames, kind), times=seconds)

    return write


def no_storm(folder, patch):
    """c.py, and nowhere the storm that it would read."""
    no_data(folder, patch)
    config(STORMS)(folder, patch)


def truncated_sevir(folder, patch):
    """c.py, and SEVIR files of which one is cut short."""
    config(SEVIR)(folder, patch)
    write_synthetic_sevir(folder / "sevir", num_events=4, size=16, num_frames=3)
    path = sorted((folder / "sevir").rglob("*.h5"))[0]
    path.write_bytes(path.read_bytes()[:1000])


def recorded(old, new):
    """Changes the record of the experiment in runs/vae."""

    def change(folder, patch):
        path = folder / "runs/vae/experiment.json"
        text, count = re.subn(old, new, path.read_text(), count=1, flags=re.DOTALL)
        assert count == 1
        path.write_text(text)

    return change


def damage(pattern, change):
    """Changes the bytes of files of the checkpoint of runs/vae."""

    def apply(folder, patch):
        paths = [p for p in (folder / "runs/vae/checkpoints/2").glob(pattern) if p.is_file()]
        assert paths
        for path in paths:
            path.write_bytes(change(path.read_bytes()))

    return apply


def damage_later(folder, patch):
    """A later checkpoint of runs/vae, with other bytes than were written."""
    later = shutil.copytree(folder / "runs/vae/checkpoints/2", folder / "runs/vae/checkpoints/3")
    for path in (later / "default/d").iterdir():
        path.write_bytes(garbled(path.read_bytes()))


def weights(change=None, name="w.safetensors"):
    """The weights of runs/vae in a file, whose bytes are changed."""

    def write(folder, patch):
        path = gm_jax.open(folder / "runs/vae").export(folder / name)
        if change is not None:
            path.write_bytes(change(path.read_bytes()))

    return write


def other_samples(folder, patch):
    """Samples of runs/vae in the folder images."""
    gm_jax.open(folder / "runs/vae").sample_to_folder(folder / "images", 3)


def half(data):
    return data[: len(data) // 2]


def garbled(data):
    return bytes(byte ^ 0x5A for byte in data)


def no_data(folder, patch):
    """A machine on which nothing is prepared."""
    patch.delenv("TFDS_DATA_DIR", raising=False)
    patch.setenv("GM_JAX_DATA", "no_data")
    patch.setenv("HOME", str(folder))
    patch.setenv("XDG_CACHE_HOME", str(folder / ".cache"))


def no_network(folder, patch):
    """A machine on which nothing is prepared, and that reaches no server."""

    def nobody(*args, **rest):
        raise urllib.error.URLError(socket.gaierror(-2, "Name or service not known"))

    no_data(folder, patch)
    patch.delenv("GM_JAX_OFFLINE")
    patch.setattr(urllib.request, "urlopen", nobody)


def no_room(folder, patch):
    """The same, where the disk is nearly full."""
    no_network(folder, patch)
    usage = shutil.disk_usage(folder)._replace(free=1_000_000)
    patch.setattr(shutil, "disk_usage", lambda path: usage)


def broken_cifar(folder, patch):
    no_data(folder, patch)
    file("mine/cifar-10-binary.tar.gz")(folder, patch)


def odd_mirror(folder, patch):
    no_network(folder, patch)
    patch.setenv("GM_JAX_MIRROR", "ftp://mirror")


def no_programs(folder, patch):
    """A machine without ffmpeg."""
    patch.setenv("PATH", str(folder))


def failing_ffmpeg(folder, patch):
    """An ffmpeg that says why it stops."""
    (folder / "ffmpeg").write_text(
        "#!/bin/sh\necho a warning >&2\necho Unknown encoder >&2\nexit 1"
    )
    (folder / "ffmpeg").chmod(0o755)
    patch.setenv("PATH", str(folder))


def cut_picture(folder, patch):
    """Two pictures of the training of runs/vae, of which the second is cut short."""
    picture("runs/vae/samples/step_00000001.png")(folder, patch)
    picture("runs/vae/samples/step_00000002.png", keep=60)(folder, patch)


def no_labels(folder, patch):
    """Digits that nobody has labelled."""
    patch.setattr(Digits, "spec", property(lambda self: DataSpec((8, 8, 1), num_levels=17)))


def nowhere_to_write(folder, patch):
    images("grey", "grey", "grey")(folder, patch)
    patch.setattr(making, "is_writable", lambda folder: False)


def fails(code, owner, name):
    """Lets a function fail as the system does: a full disk, or no permission."""

    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return lambda folder, patch: patch.setattr(owner, name, refuse)


def someone_trains(folder, patch):
    """Holds runs/vae as another process would; returns what lets go of it."""
    held = contextlib.ExitStack()
    held.enter_context(locked(folder / "runs/vae"))
    return held


V, A = "train digits/vae", "train digits/ae"
F = "train folder/vae --data.path"
S = "train sequences/cnn_convlstm --data.path"
P = "train points/realnvp --data.path"
N = "train arrays/vae --data.path my.npz"
GREY = np.zeros((9, 4, 5), np.uint8)
UNIT = np.linspace(0, 1, GREY.size, dtype=np.float32).reshape(GREY.shape)
LISTS = "(gm-jax train digits/vae --help lists all)"

CASES = {
    "Commands and experiments": [
        case("trian digits/vae", "no command trian", "Did you mean train?"),
        case("train", "needs an experiment", "gm-jax train digits/vae"),
        case("train --run runs/new", "needs an experiment", "gm-jax train digits/vae"),
        case("train --run runs/new digits/vea", "no experiment digits/vea", "digits/vae?"),
        case("help trian", "no command trian", "Did you mean train?"),
        case("train digits/vea", "no experiment digits/vea", "Did you mean digits/vae?"),
        case("train experiments/mine.py", "there is no file experiments/mine.py"),
        case(
            "train c.py:smal",
            "c.py has no variant smal: it has small, paper",
            given=config(
                "from gm_jax import Experiment\ndef get_config() -> Experiment: ...\n"
                "def paper() -> Experiment: ...\ndef small() -> Experiment: ...\n"
            ),
            note="there are get_config, paper and small",
        ),
        case(
            "train c.py:paper",
            "c.py has no variant paper: it has one recipe only, c.py",
            given=config("def get_config(): ...\n"),
            note="there is get_config",
        ),
        case("list mnits", "no experiment mnits", "Did you mean mnist?"),
        case("show digits/vea", "no experiment digits/vea", "Did you mean digits/vae?"),
        case(
            "train c.py",
            "c.py:2: syntax error",
            given=config("def get_config():\n    return (\n"),
            note="line 2 does not end",
        ),
        case(
            "train c.py",
            "c.py:1: ModuleNotFoundError",
            given=config("import nonesuch\n"),
            note="line 1 imports nonesuch",
        ),
        case(
            "train c.py",
            "c.py:4: ConfigError",
            "VAE.latent_dim must be greater than 0",
            given=config(
                "from gm_jax import Experiment\nfrom gm_jax.models.vae import VAE\n"
                "def get_config():\n    return VAE(latent_dim=0)\n"
            ),
            note="line 4 makes VAE(latent_dim=0)",
        ),
        case("train c.py", "c.py defines no get_config()", given=config("x = 1\n"), note="x = 1"),
        case(
            "train c.py",
            "must return an Experiment, not 5",
            given=config("def get_config():\n    return 5\n"),
            note="get_config returns 5",
        ),
    ],
    "Options": [
        case(f"{V} --model.latnet-dim 512", "has no field model.latnet-dim", LISTS),
        case(f"{V} --zzz 1", "experiment digits/vae has no field zzz", LISTS),
        case(f"{V} 512", "'512'"),
        case(f"{V} --model.latent-dim", "--model.latent-dim needs a value"),
        case(f"{V} --model.latent-dim x", "--model.latent-dim must be a whole number, not 'x'"),
        case(f"{V} --model.latent-dim 1.5", "--model.latent-dim must be a whole number, not '1.5'"),
        case("evaluate runs/vae --json=maybe", "--json must be true or false, not 'maybe'"),
        case(f"{V} --model.beta x", "--model.beta must be a number, not 'x'"),
        case(f"{V} --data.limit x", "--data.limit must be None or INT, not 'x'"),
        case(f"{V} --model.coder.hidden 4 x", "--model.coder.hidden", "'x'"),
        case(f"{V} --model.likelihood bernouli", "must be one of", "Did you mean bernoulli?"),
        case(f"{V} --data.batch-size 0", "Data.batch_size must be greater than 0, not 0"),
        case(f"{V} --data.limit -1", "Data.limit must be greater than 0, not -1"),
        case(f"{V} --model.latent-dim 0", "VAE.latent_dim must be greater than 0, not 0"),
        case(f"{V} --model.coder.hidden 64 0", "hidden must be greater than 0, not (64, 0)"),
        case(f"{V} --training.num-steps -5", "Training.num_steps must be greater than 0, not -5"),
        case(f"{V} --model.optimizer.learning-rate 0", "learning_rate must be greater than 0"),
        case(f"{V} --model.optimizer.learning-rate nan", "learning_rate must be", "not nan"),
        case(f"{V} --model.optimizer.ema-decay 1", "ema_decay must be in [0, 1), not 1.0"),
        case(f"{V} --seed -1", "Experiment.seed must be 0 or greater, not -1"),
        case(f"{V} --seed 99999999999999999999", "Experiment.seed must be at most"),
        case("sample", "gm-jax sample needs PATH: Folder of the run"),
        case("sample runs/vae --nm 9", "no option nm", "Did you mean num?"),
        case("sample runs/vae --num x", "--num must be a whole number, not 'x'"),
    ],
    "Sweeps": [
        case(f"{V} --sweep model.latent-dim", "--sweep needs FIELD=VALUE,VALUE,..."),
        case(f"{V} --sweep model.latent-dim=", "--sweep needs FIELD=VALUE,VALUE,..."),
        case(f"{V} --sweep model.latent-dim=4,,8", "--sweep needs FIELD=VALUE,VALUE,..."),
        case(f"{V} --sweep model.latent-dim=4,4", "names a value twice"),
        case(f"{V} --sweep model.latnet-dim=4,8", "no field", "Did you mean model.latent-dim?"),
        case(f"{V} --sweep model.latent-dim=4,x", "must be a whole number, not 'x'"),
        case(f"{V} --sweep run=a,b", "not over --run"),
        case(f"{V} --sweep", "--sweep needs FIELD=VALUE,VALUE,..."),
        case(f"{V} --sweep seed=1,2 --sweep seed=3", "--sweep names seed twice"),
        case(f"{V} --sweep model.beta=1,1.0", "one training of beta = 1 and beta = 1.0"),
        case(f"{V} --sweep seed=1,2 --jobs 0", "--jobs must be at least 1, not 0"),
        case(f"{V} --sweep seed=1,2 --jobs x", "--jobs must be a whole number, not 'x'"),
        case(f"{V} --jobs 2", "--jobs 2 is for a sweep"),
    ],
    "Devices, figures, splits": [
        case(f"{V} --sharding.data 99", "sharding.data is 99, but there are"),
        case(f"{V} --sharding.data 3", "data.batch_size 128 does not divide by sharding.data 3"),
        case(f"{V} --sharding.state-rules kernel", "must be REGEX=AXIS or REGEX=whole, such as"),
        case(f"{V} --profile 20:10", "steps to trace must lie from 1 to", "they are 20:10"),
        case(f"{V} --profile 10", "steps to trace are FIRST:LAST"),
        case(f"{V} --profile 1:1000000000", "steps to trace must lie from 1 to"),
        case(f"{V} --coordinator node0", "must be host:port, not 'node0'"),
        case(
            f"{V} --coordinator node0:1234 --num-processes 2 --process-id 2",
            "the process id must be 0 to 1, not 2",
        ),
        case(f"{V} --sweep seed=1,2 --num-processes 2", "--sweep trains in one process"),
        case("plan", "needs an experiment first, e.g. gm-jax plan digits/vae"),
        case("plan digits/vae --devices 0", "--devices must be at least 1, not 0"),
        case(
            "plan digits/vae --devices 99999 --data.batch-size 64",
            "--devices is 99999, but a batch has 64 examples to share: take fewer, or a larger "
            "--data.batch-size",
        ),
        case("plan digits/vae --memory lots", "a size such as 16GiB or 80GB, not 'lots'"),
        case(f"{V} --training.monitor elbo", "training.monitor is elbo", "neg_elbo"),
        case(
            f"{V} --training.samples-for-metrics 20 --training.metrics-classifier runs/classifier "
            "--training.monitor classes_covered",
            "classes_covered, which is better when large, and training.monitor_mode is min",
        ),
        case(f"{V} --training.samples-for-metrics 5", "must be 0, or 10 or more, not 5"),
        case(
            f"{V} --training.metrics-classifier runs/classifier",
            "metrics_classifier reads samples: give samples_for_metrics too",
        ),
        case(
            f"{V} --training.samples-for-metrics 20 --training.metrics-classifier runs/no",
            "training.metrics_classifier: there is no run runs/no",
        ),
        case(
            f"{V} --training.samples-for-metrics 20 --training.eval-every 0",
            "it needs training.eval_every above 0",
        ),
        case(
            f"{A} --training.samples-for-metrics 20",
            "Autoencoder can't sample",
        ),
        case(f"{V} --data.train tran", "there is no split 'tran'", "train (1,497), test (300)"),
        case(f"{V} --data.train train[:0]", "train[:0]", "no "),
        case(f"{V} --data.test tset", "there is no split 'tset'"),
        case("evaluate runs/vae --split tset", "there is no split 'tset'"),
        case(
            "train c.py",
            "CenterCrop.size 9 is larger than the images, 8x8",
            given=config(
                "from gm_jax import Experiment\nfrom gm_jax.data import CenterCrop, Data\n"
                "from gm_jax.models.vae import VAE\n\ndef get_config():\n"
                "    return Experiment(Data(transforms=(CenterCrop(9),)), VAE())\n"
            ),
            note="crops 8x8 images to 9x9",
        ),
        case(
            f"{V} --model.optimizer.learning-rate 1e30",
            "step 2 gave",
            "loss = ",
            "no checkpoint had been saved yet",
            "--model.optimizer.learning-rate, --model.optimizer.clip-norm",
            tiny=True,
            starts=True,
        ),
        case(
            f"{V} --training.num-steps 3 --run runs/vae",
            "step 3 gave loss = nan",
            "the last good checkpoint is step 2 in runs/vae/checkpoints",
            given=lambda folder, patch: patch.setattr(
                loop, "make_train_step", lambda *args: lambda state, *rest: (state, NAN)
            ),
            note="the loss of step 3 is not a number",
            tiny=True,
            starts=True,
        ),
    ],
    "Records": [
        case("record runs/no", "there is no run runs/no"),
        case("record runs/vae", "runs/vae is no run of digits/vae as it stands", "(and", "variant"),
        case(
            "record runs/vae",
            "runs/vae started from w.safetensors: a record is of a recipe alone",
            given=recorded('"numerics"', '"init": {"path": "w.safetensors"}, "numerics"'),
            note="it started from given weights",
        ),
        case("results nothing/* --plan", "no recipe fits nothing/*"),
        case("results --train --minutes -1", "--minutes must be 0 or greater and finite, not -1"),
    ],
    "Comparing runs": [
        case("compare", 'gm-jax compare needs runs, or --records "digits/*"'),
        case("compare runs/nonesuch", "there is no run runs/nonesuch"),
        case(
            "compare mine",
            "no run lies in mine",
            given=lambda folder, patch: (folder / "mine").mkdir(),
            note="mine is empty",
        ),
        case("compare runs", "runs/ae and runs/ddpm can't stand in one table: shape is 8x8x1"),
        case(
            "compare runs/vae --sort fdi",
            "there is no column fdi, but ",
            "bits_per_dim",
            "(--sort)",
        ),
        case("compare runs/vae --only fdi", "fdi fits no column; there are parameters", "(--only)"),
        case("compare runs/vae --format html", "--format must be one of"),
        case("compare --records digits/nonesuch*", "no record fits digits/nonesuch*"),
        case(
            "compare --records digits/* --split valid",
            "--records have figures of test, and --split is valid",
        ),
        case(
            "compare runs/vae",
            "experiment.json is damaged (KeyError 'experiment'): leave runs/vae out",
            given=file("runs/vae/experiment.json", "{}"),
            note="experiment.json holds {}",
        ),
        case(
            "compare runs/vae",
            "runs/vae/measured.json holds no figures",
            given=file("runs/vae/measured.json", "[1"),
            note="measured.json is cut short",
        ),
        case(
            "compare runs/vae --out notes/x.md",
            "notes is a file, not a folder",
            given=file("notes"),
            note="notes is a file",
        ),
        case("report", "gm-jax report needs runs: gm-jax report runs/digits/vae"),
        case("report runs/nonesuch", "there is no run runs/nonesuch"),
        case("report runs/vae --out x.pdf", "x.pdf: the file must end in .html"),
        case(
            "report runs/vae --out notes/x.html",
            "notes is a file, not a folder",
            given=file("notes"),
            note="notes is a file",
        ),
        case(
            "report runs/vae",
            "the disk is full while writing report.html",
            given=fails(errno.ENOSPC, os, "fsync"),
            note="the disk is full",
        ),
    ],
    "A run's folder": [
        case("sample runs/no", "there is no run runs/no"),
        case("sample runs", "runs is no run: it has no experiment.json"),
        case(
            "sample empty",
            "empty is no run",
            given=lambda folder, patch: (folder / "empty").mkdir(),
            note="empty is an empty folder",
        ),
        case(f"{V} --run notes", "notes is a file", given=file("notes"), note="notes is a file"),
        case(
            f"{V} --run notes/here",
            "notes/here can't be opened or made",
            given=file("notes"),
            note="notes is a file",
        ),
        case(
            f"{V} --run full",
            "full is not empty and holds no run",
            given=file("full/notes.txt"),
            note="full holds notes.txt",
        ),
        case(f"{A} --run runs/vae", "runs/vae holds a run of digits/vae, not of digits/ae"),
        case(f"{V} --run runs/vae --model.latent-dim 3", "differs", "there and", tiny=True),
        case(
            f"{V} --run runs/vae",
            "another process is training in runs/vae",
            given=someone_trains,
            note="it is being trained",
            tiny=True,
        ),
        case(
            "sample runs/vae",
            "experiment.json is damaged",
            given=recorded(r"\n.*", "\n"),
            note="experiment.json is cut short",
        ),
        case(
            f"{V} --run runs/vae",
            "experiment.json is damaged",
            given=recorded(r"\n.*", "\n"),
            note="experiment.json is cut short",
            tiny=True,
        ),
        case(
            "sample runs/vae",
            "experiment.json",
            "gm_jax.models:VEA",
            "no config class",
            given=recorded("models:VAE", "models:VEA"),
            note="experiment.json names a class that is not there",
        ),
        case(
            "sample runs/vae",
            "experiment.json",
            "VAE has no field latent_size",
            given=recorded("latent_dim", "latent_size"),
            note="experiment.json names a field that is not there",
        ),
        case(
            "sample runs/vae",
            "experiment.json",
            "VAE.latent_dim must be a whole number, not 'four'",
            given=recorded(r'"latent_dim": \d+', '"latent_dim": "four"'),
            note="a number in experiment.json became a word",
        ),
        case("sample runs/vae --step 99", "no checkpoint of step 99; it has: 2"),
        case("sample runs/vae --step abc", '--step must be a number, "latest" or "best", not abc'),
        case(
            "sample runs/vae",
            "has no checkpoint yet",
            given=lambda folder, patch: shutil.rmtree(folder / "runs/vae/checkpoints"),
            note="checkpoints/ was removed",
        ),
    ],
    "Checkpoints": [
        case(
            f"{typed} runs/vae{rest}",
            "checkpoint runs/vae/checkpoints/2 can't be read",
            given=damage(pattern, change),
            note=note,
            tiny=bool(rest),
        )
        for typed, rest in [("sample", ""), (f"{V} --run", " --training.num-steps 3")]
        for pattern, change, note in [
            ("default/d/*", half, "the arrays are cut short"),
            ("default/manifest.ocdbt", garbled, "the manifest is garbled"),
            ("default/_METADATA", half, "its description is cut short"),
            ("metrics/metrics", lambda data: b"", "its figure is empty"),
        ]
    ]
    + [
        case(
            "sample runs/vae --step latest",
            "checkpoint runs/vae/checkpoints/3 can't be read; give step 2, which can be read",
            given=damage_later,
            note="there are steps 2 and 3, whose arrays are garbled",
        ),
    ],
    "Images and labels": [
        case("reconstruct runs/vae --images no.png", "there is no image no.png"),
        case("reconstruct runs/vae --images runs", "runs is a folder: give image files"),
        case(
            "reconstruct runs/vae --images cut.png",
            "cut.png is no image that can be read",
            given=picture("cut.png", keep=60),
            note="cut.png is cut short",
        ),
        case(
            "reconstruct runs/vae --images text.png",
            "text.png is no image that can be read",
            given=file("text.png"),
            note="text.png holds text",
        ),
        case("sample runs/vae --num 0", "number of images must be at least 1, not 0"),
        case("sample runs/vae --num -3", "number of images must be at least 1, not -3"),
        case("sample runs/vae --num 100000000000000000", "more than memory holds"),
        case("sample runs/vae --seed -1", "seed must be 0 to"),
        case("sample runs/vae --label 3", "trained without labels", "--label"),
        case("sample runs/vae --label 10", "--label must be 0 to 9, not 10"),
        case("sample runs/vae --label -1", "--label must be 0 to 9, not -1"),
        case("sample runs/ae", "Autoencoder can't sample"),
        case("interpolate runs/vae --num 1", "at least 2 images a line, not 1"),
        case("interpolate runs/vae --lines 0", "--lines must be at least 1, not 0"),
        case("interpolate runs/vae --lines 999", "--lines 999 needs 1998 images; test has 24"),
        case("interpolate runs/ae --seed 3", "--seed 3: Autoencoder goes between images of"),
        case("interpolate runs/vae --label 3", "this VAE was trained without labels"),
        case("sample runs/vae --truncation 0", "truncation must be greater than 0, not 0"),
        case("sample runs/vae --truncation x", "--truncation must be None or FLOAT, not 'x'"),
        case("sample runs/vae --means --label 1", "--label works without --means only"),
        case("sample runs/vae --sampler ddim", "has no option sampler"),
        case("sample runs/ddpm --sampler-steps x", "--sampler-steps must be None or INT, not 'x'"),
        case("animate runs/vae", "runs/vae has none", "--training.sample-every N"),
        case(
            "animate runs/vae",
            "runs/vae has 1:",
            "--training.sample-every N",
            given=picture("runs/vae/samples/step_00000001.png"),
            note="samples/ has one step_*.png",
        ),
        case(
            "animate runs/vae",
            "runs/vae/samples/step_00000002.png is no picture that can be read: remove it",
            given=cut_picture,
            note="the second picture is cut short",
        ),
        case("animate runs/vae --seconds 0", "--seconds must be 0.02 to 100, not 0"),
        case("animate runs/no", "there is no run runs/no"),
        case("evaluate runs/vae --num-samples -1", "--num-samples must be 0 to"),
        case("evaluate runs/ae --num-samples 5", "Autoencoder has no log_prob"),
        case("evaluate runs/vae --classifier runs/ae", "Autoencoder can't classify"),
        case("evaluate runs/vae --classifier runs/no", "there is no run runs/no"),
        case("evaluate runs/ae --classifier runs/classifier", "Autoencoder can't sample"),
        case(
            "evaluate runs/vae --features random --num-images 10",
            "figures of sample quality need 50 or more samples, not 10",
        ),
        case("evaluate runs/vae --features runs/ae", "Autoencoder can't classify"),
        case("evaluate runs/vae --features runs/no", "there is no run runs/no"),
        case("evaluate runs/ae --features random", "Autoencoder can't sample"),
        case(
            "evaluate runs/vae --features random --split train[:20] --num-images 50",
            "has 20 images, and samples are held against 50 or more",
        ),
        case(
            "evaluate runs/vae --features inception",
            "the weights of Inception-v3 are not named: fetch https://github.com/",
            "set GM_JAX_INCEPTION to the file's path",
            given=inception(None),
            note="GM_JAX_INCEPTION is not set",
        ),
        case(
            "evaluate runs/vae --features inception",
            "no.pth, the weights of Inception-v3, is not there: fetch",
            given=inception("no.pth"),
            note="GM_JAX_INCEPTION is no.pth",
        ),
        case(
            "evaluate runs/vae --features inception-clean",
            "pt_inception-2015-12-05-6726825d.pth is damaged or cut short: its SHA-256 begins with",
            given=inception("pt_inception-2015-12-05-6726825d.pth", b"cut"),
            note="the weights are cut short",
        ),
        case(
            "evaluate runs/vae --features inception",
            "w.pth can't be read as weights (damaged or no file of torch.save): fetch",
            given=inception("w.pth", b"some text"),
            note="w.pth holds text",
        ),
        case("evaluate runs/ddpm --features inception", "and these data are points"),
        case("sample runs/classifier", "Classifier can't sample"),
        case(
            "evaluate runs/vae --classifier runs/classifier --num-images 0",
            "--num-images must be at least 1, not 0",
        ),
        case(
            "evaluate runs/vae --classifier runs/classifier",
            "images 8x8x1 with 17 levels, but those are 8x8x1 with 16",
            given=recorded('"num_levels": 17', '"num_levels": 16'),
            note="the data of runs/vae have 16 levels",
        ),
        case(
            "evaluate runs/vae --classifier runs/classifier",
            "knows 10 classes, but those images have 7",
            given=recorded('"num_classes": 10', '"num_classes": 7'),
            note="the data of runs/vae have 7 classes",
        ),
        case(
            "train digits/classifier",
            "Classifier needs labels, and these data have none",
            given=no_labels,
            note="the digits have no labels",
        ),
    ],
    "Likelihoods, flows and diffusion": [
        case("train digits/arm_cnn1d --model.sampling.sampler fast", "cached, predictive, plain"),
        case("train digits/arm_pixelcnn --model.first-kernel 4", "first_kernel must be odd, not 4"),
        case(
            "train digits/arm_pixelcnn",
            "a conditional PixelCNN needs labels, and these data have none",
            given=no_labels,
            note="the digits have no labels",
        ),
        case(
            "train c.py",
            "ImageFlow.halvings is 2, but images of 3x3 allow 1",
            "4 pixels and more",
            given=config(SMALL_IMAGES),
            note="Resize(3), and ImageFlow(halvings=2)",
        ),
        case(
            "train digits/realnvp --model.alpha 0.6", "RealNVP.alpha must be in (0, 0.5), not 0.6"
        ),
        case("train toy/gmm --model.variance-floor 0", "variance_floor must be greater than 0"),
        case(
            "train toy/gmm --model.num-components 12 --data.batch-size 8",
            "GMM starts its 12 components from one batch, and a batch of 8 would leave some empty",
        ),
        case(
            "train digits/gmm --model.variance-floor 1e-30 --model.shrinkage 0 "
            "--data.batch-size 24 --data.limit 24 --training.num-steps 1",
            "(--model.variance-floor, --model.shrinkage)",
            note="24 images for covariances of 64 values",
            starts=True,
        ),
        case(
            "train toy/ddpm --model.num-steps 40 --model.beta-range 1e-4 0.02",
            "the noise schedule leaves signal at its end: ᾱ_T is 0.66",
        ),
        case(
            "train toy/ddpm --model.sampling.guidance 2",
            "guidance needs a model that was trained with",
        ),
        case(
            "sample runs/ddpm --sampler ddim --sampler-steps 201",
            "sampler_steps must be at most the 200 steps",
        ),
        case("sample runs/ddpm --eta 0.5", "eta has no part in the sampler ancestral"),
        case("sample runs/ddpm --label 3", "trained without labels", "--label"),
        case("sample runs/ddpm --truncation 0.5", "has no option truncation"),
        case("sample runs/ddpm --guidance 2", "guidance needs a model that was trained with"),
        case("inpaint runs/vae", "VAE can't inpaint"),
        case("inpaint runs/vae --known middle", "--known must be one of top, bottom, left, right"),
    ],
    "Storms and forecasts": [
        case("forecast runs/vae", "VAE can't forecast"),
        case("forecast runs/vae runs/ae", "runs/vae: VAE can't forecast"),
        case("evaluate runs/vae --other-times", "VAE can't forecast"),
        case("evaluate runs/vae runs/ae --features random", "--features random is for one run"),
        case("forecast runs/vae --times soon", "'soon' is no time after the last known frame"),
        case("forecast runs/vae --times 0,3600", "0 s is not after the last known frame"),
        case("forecast runs/vae --times 2h,1h", "wanted times must increase, and 3600 s comes"),
        case(
            "train c.py",
            "SyntheticStorms gives sequences, but VAE takes images only",
            given=config(IMAGES_OF_STORMS),
            note="SyntheticStorms for a VAE",
        ),
        case("train c.py", "storm", given=no_storm, note="the folder storm is not there"),
        case(
            "train c.py",
            "ana_004.jpg has no ana_004_features.json beside it",
            given=storm(range(5), text=""),
            note="a json is missing",
        ),
        case(
            "train c.py",
            "ana_004_features.json has no relative_time",
            given=storm(range(5), text="{}"),
            note="a json holds {}",
        ),
        case(
            "train c.py",
            "relative_time in storm/ana_004_features.json is 'noon', which is no number",
            given=storm(range(5), text='{"storm_id": "ana", "relative_time": "noon"}'),
            note="a relative_time is noon",
        ),
        case(
            "train c.py",
            "two frames at 1800 s, ana_001.jpg and ana_002.jpg",
            given=storm([0, 1800, 1800, 3600, 5400]),
            note="two frames at one time",
        ),
        case(
            "train c.py",
            "storm ana in storm has 1 frame, but a window takes 3 + 2",
            given=storm([0]),
            note="one frame",
        ),
        case(
            "train c.py",
            "storm ana in storm has 4 frames, but a window takes 3 + 2",
            given=storm(range(4)),
            note="a storm shorter than the window",
        ),
        case(
            "train c.py",
            "the images differ in size: storm/ana_000.jpg is 8x8, storm/ana_001.jpg is 9x9",
            given=storm(range(5), sizes=(8, 9)),
            note="images of 8x8 and 9x9",
        ),
        case(
            "train c.py",
            "storm/ana_004.jpg cannot be read",
            given=storm(range(5), keep=100),
            note="a jpg is cut short",
        ),
        case(
            "train c.py",
            "it is truncated or no HDF5 file; copy it again",
            given=truncated_sevir,
            note="a file of SEVIR is cut short",
        ),
    ],
    "Where the output goes": [
        case("sample runs/vae --out x.jpg", "x.jpg: the file must end in .png or .npz"),
        case("sample runs/vae --out x.csv", "x.csv: the file must end in .png or .npz"),
        case("sample runs/ddpm --out x.txt", ".png or .npz or .csv or .npy"),
        case("reconstruct runs/vae --out x.npz", "x.npz: the file must end in .png"),
        case("interpolate runs/vae --out x.npz", "x.npz: the file must end in .png or .gif or"),
        case("animate runs/vae --out x.png", "x.png: the file must end in .gif or .mp4"),
        case(
            "animate runs/vae --out x.mp4",
            "x.mp4 needs the program ffmpeg, which is not there: give a .gif instead",
            given=no_programs,
            note="there is no ffmpeg",
        ),
        case(
            "interpolate runs/vae --out x.mp4",
            "x.mp4 needs the program ffmpeg, which is not there: give a .gif instead",
            given=no_programs,
            note="there is no ffmpeg",
        ),
        case(
            "interpolate runs/vae --out x.mp4",
            "ffmpeg did not write x.mp4 (Unknown encoder): give a .gif instead",
            given=failing_ffmpeg,
            note="ffmpeg fails",
        ),
        case(
            "sample runs/vae --out notes/x.png",
            "notes is a file, not a folder",
            given=file("notes"),
            note="notes is a file",
        ),
        case(
            "sample runs/vae --out x.png",
            "no permission to open or write x.png",
            given=fails(errno.EACCES, os, "replace"),
            note="the folder may not be written to",
        ),
        case(
            "sample runs/vae --out x.png",
            "the disk is full while writing x.png",
            given=fails(errno.ENOSPC, Image.Image, "save"),
            note="the disk is full",
        ),
        case(
            "sample runs/vae --out x.npz",
            "the disk is full while writing x.npz",
            given=fails(errno.ENOSPC, np, "savez_compressed"),
            note="the disk is full",
        ),
        case(
            f"{V} --run runs/new",
            "the disk is full",
            "the same command resumes",
            given=fails(errno.ENOSPC, os, "fsync"),
            note="the disk is full",
            tiny=True,
        ),
        case(
            f"{V} --run runs/vae --training.num-steps 3",
            "the disk is full",
            "the same command resumes",
            given=fails(errno.ENOSPC, Saver, "save"),
            note="the disk is full",
            tiny=True,
            starts=True,
        ),
    ],
    "Models out": [
        case("export", "gm-jax export needs PATH: Folder of the run"),
        case("export runs/no", "there is no run runs/no"),
        case("export runs/vae --what model", "--what must be one of weights, sampler, card, hub"),
        case("export runs/vae --out x.bin", "x.bin: the file must end in .safetensors"),
        case(
            "export runs/vae --out notes/x.safetensors",
            "notes is a file, not a folder",
            given=file("notes"),
            note="notes is a file",
        ),
        case(
            "export runs/vae --out x.safetensors",
            "no permission to open or write x.safetensors",
            given=fails(errno.EACCES, os, "replace"),
            note="the folder may not be written to",
        ),
        case(
            "export runs/vae --out x.safetensors",
            "the disk is full while writing x.safetensors",
            given=fails(errno.ENOSPC, os, "fsync"),
            note="the disk is full",
        ),
        case(
            "export runs/vae --what hub --out notes",
            "notes is a file, not a folder",
            given=file("notes"),
            note="notes is a file",
        ),
        case("export runs/vae --num 3", "--num is for --what sampler, not for --what weights"),
        case("export runs/vae --truncation 1", "--truncation is for --what sampler"),
        case("export runs/vae --license mit", "--license is for --what card or hub"),
        case("export runs/ae --what sampler", "Autoencoder can't sample"),
        case("export runs/vae --what sampler --num 0", "draws 1 to", "at a time, not 0"),
        case("export runs/vae --what sampler --num 20000", "at a time, not 20000: call it with"),
        case("export runs/vae --what sampler --label 3", "trained without labels", "--label"),
        case(f"{V} --init no", "there is no run and no file of weights no"),
        case(
            f"{V} --init empty",
            "empty is a folder without model.safetensors",
            given=lambda folder, patch: (folder / "empty").mkdir(),
            note="empty is an empty folder",
        ),
        case(
            f"{V} --init w.safetensors",
            "w.safetensors can't be read as weights",
            given=file("w.safetensors"),
            note="w.safetensors holds text",
        ),
        case(
            f"{V} --init w.safetensors",
            "w.safetensors can't be read as weights",
            given=weights(half),
            note="w.safetensors is cut short",
        ),
        case(
            "sample w.safetensors",
            "w.safetensors is damaged: its arrays are not those that were written",
            given=weights(lambda data: data[:-8] + garbled(data[-8:])),
            note="the last bytes are garbled",
        ),
        case(
            f"{V} --init runs/vae --model.latent-dim 3",
            "runs/vae (digits/vae) does not fit digits/vae: ",
            ": 3 of 8 arrays: ",
            "ask for a part (--init-partial)",
            tiny=True,
        ),
        case(
            f"{V} --init runs/classifier --init-partial",
            "runs/classifier (digits/classifier) has no array that fits digits/vae: ",
            tiny=True,
        ),
        case(
            f"{V} --run runs/vae --training.num-steps 3 --init runs/ae",
            "runs/vae holds a run that started without given weights",
            tiny=True,
        ),
        case(f"{V} --init-partial", "--init-partial is for --init"),
        case(f"{V} --sweep init=runs/ae,runs/vae", "not over --init"),
        case("sample runs/vae --format npz", "--format npz is of a folder: give --out FOLDER"),
        case("sample runs/vae --format npz --out x.npz", "x.npz is one file: leave --format out"),
        case("sample runs/vae --means --out images/", "--means is of a picture"),
        case("sample runs/ddpm --format png --out images", "PNG files can't hold points: take npz"),
        case(
            "sample runs/vae --out full",
            "full is not empty and holds no samples",
            given=file("full/notes.txt"),
            note="full holds notes.txt",
        ),
        case(
            "sample runs/vae --seed 1 --out images",
            "images holds samples of another draw: seed is 0 there and 1 here",
            given=other_samples,
            note="images holds samples of seed 0",
        ),
        case(
            "sample runs/vae --out images/",
            "the disk is full while writing images",
            given=fails(errno.ENOSPC, os, "fsync"),
            note="the disk is full",
        ),
    ],
    "Data sets": [
        case(
            "train mnist/vae",
            "mnist is not prepared in",
            "run: gm-jax data prepare mnist",
            given=no_data,
            note="nothing is prepared, GM_JAX_OFFLINE=1",
        ),
        case(
            "train mnist/vae",
            "mnist: t10k-images-idx3-ubyte.gz cannot be downloaded",
            "no network",
            "gm-jax help data says how to prepare mnist from files that are there",
            given=no_network,
            note="nothing is prepared, and there is no network",
        ),
        case(
            "train mnist/vae --data.source.name mnits",
            "no dataset mnits",
            "did you mean",
            "mnist",
            given=no_data,
            note="nothing is prepared",
        ),
        case("data", "gm-jax data needs {list,info,prepare}"),
        case("data prepar mnist", "action must be one of", "Did you mean prepare?"),
        case("data prepare", "gm-jax data prepare needs a name"),
        case("data prepare mnits", "no dataset mnits", "mnist", given=no_data),
        case("data prepare ../mnist", "'../mnist' is not the name of a dataset"),
        case("data list mnist", "takes no name"),
        case(
            "data prepare mnist",
            "GM_JAX_OFFLINE is set, so that mnist is not downloaded",
            "--from FOLDER",
            given=no_data,
            note="GM_JAX_OFFLINE=1",
        ),
        case(
            "data prepare cifar10",
            "cannot be downloaded",
            "no network, or no such server (--from FOLDER)",
            given=no_network,
            note="there is no network",
        ),
        case(
            "data prepare mnist",
            "needs 11.6 MB",
            "1.0 MB left: make room",
            given=no_room,
            note="the disk is nearly full",
        ),
        case(
            "data prepare mnist",
            "GM_JAX_MIRROR must be http",
            given=odd_mirror,
            note="GM_JAX_MIRROR=ftp://mirror",
        ),
        case("data prepare emnist", "say emnist/balanced", given=no_data),
        case("data prepare mnist/digits", "mnist has no configurations", given=no_data),
        case("data prepare mnist --from mine", "there is no folder mine", given=no_data),
        case(
            "data prepare kmnist --from mine",
            "mine has no t10k-images-idx3-ubyte.gz, ",
            "which kmnist is made from",
            given=images(),
            note="mine is empty",
        ),
        case(
            "data prepare cifar10 --from mine",
            "cifar-10-binary.tar.gz is not the file that cifar10 is made from",
            given=broken_cifar,
            note="that file is text",
        ),
        case("data prepare svhn_cropped --from mine", "cannot be prepared from a folder"),
    ],
    "Tables of your own": [
        case(f"{P} no.csv", "there is no file no.csv, here or in", given=no_data),
        case(f"{P} my.txt", "my.txt is no table", given=file("my.txt"), note="it holds text"),
        case(f"{P} my.csv", "my.csv is empty", given=file("my.csv", ""), note="it is empty"),
        case(
            f"{P} my.csv",
            "line 3, column b holds 'x', which is no number",
            "--data.columns, --data.label",
            given=table("1,2\n3,x\n"),
            note="a column holds text",
        ),
        case(
            f"{P} my.csv",
            "line 2 has nothing in column a",
            given=table(",2\n3,4\n"),
            note="a value is missing",
        ),
        case(
            f"{P} my.csv",
            "line 3, column b holds inf, which is not finite",
            given=table("1,2\n3,inf\n"),
            note="a value is infinite",
        ),
        case(
            f"{P} my.csv",
            "line 2, column a holds nan, which is not finite",
            given=table("nan,2\n3,4\n"),
            note="a value is NaN",
        ),
        case(
            f"{P} my.csv",
            "line 3 has 3 values and the first one 2",
            given=table("1,2\n3,4,5\n"),
            note="a row has a value more",
        ),
        case(
            f"{P} my.csv",
            "at least 4 rows are needed",
            "found 1",
            given=table("1,2\n"),
            note="one row",
        ),
        case(
            f"{P} my.csv",
            "column b is always 2 in train",
            "--data.columns, --data.no-standardize",
            given=table("1,2\n3,2\n4,2\n5,2\n6,2\n"),
            note="a column is constant",
        ),
        case(
            f"{P} my.csv --data.label c",
            "my.csv has no column c: it has a, b, or give a number from 0 to 1",
            given=table("1,2\n3,4\n"),
        ),
        case(
            "train points/bayes --data.path my.csv",
            "Bayes needs labels, and these data have none",
            given=table("1,2\n3,4\n4,1\n5,3\n6,6\n"),
            note="no label is named",
        ),
        case(
            f"{P} my.npy",
            "my.npy holds no array of numbers",
            given=file("my.npy"),
            note="my.npy holds text",
        ),
        case(f"{P} my.csv --data.valid-fraction 0.95", "must sum to less than 1"),
        case("train points/bayes --data.label kind", "PointData.label names columns of a file"),
    ],
    "Sequences of your own": [
        case(f"{S} no.npz", "there is no file no.npz, here or in", given=no_data),
        case(
            f"{S} my.npz",
            "my.npz cannot be read as .npz",
            given=file("my.npz"),
            note="my.npz holds text",
        ),
        case(
            f"{S} my.npz",
            'my.npz has no "frames": it has images',
            given=lambda folder, patch: np.savez(folder / "my.npz", images=np.zeros(3)),
            note="it holds images only",
        ),
        case(
            f"{S} my.npz",
            "frames must be uint8 [N, T, H, W, C] or [N, T, H, W], not float32 [5, 7, 4, 4]",
            given=sequences(kind=np.float32),
            note="frames are real numbers",
        ),
        case(
            f"{S} my.npz",
            "times must be numbers [7] or [5, 7]",
            given=sequences(times=(6,)),
            note="there is a time too few",
        ),
        case(
            f"{S} my.npz --data.context 6",
            "sequences have 7 frames, but an example takes 6 + 3: take fewer",
            "--data.context, --data.targets",
            given=sequences(),
            note="a sequence has 7 frames",
        ),
        case(
            f"{S} my.npz",
            "my.npz: at least 3 sequences are needed",
            given=sequences((2, 7, 4, 4)),
            note="there are 2 sequences",
        ),
    ],
    "Images of your own": [
        case("train folder/vae", "no images to learn from", "--data.path FOLDER", given=no_data),
        case("train celeba/vae", "--data.path FOLDER", "data prepare celeb_a", given=no_data),
        case(f"{F} mine", "there is no folder or archive mine, here or in", given=no_data),
        case(f"{F} mine", "mine holds no images", given=images(), note="mine is empty"),
        case(
            f"{F} mine",
            "mine holds no images",
            given=images("json", "json"),
            note="mine holds 0.json and 1.json",
        ),
        case(
            f"{F} mine",
            "mine holds no images",
            "but 2 in .heic: convert them",
            given=images("heic", "heic"),
            note="mine holds 0.heic and 1.heic",
        ),
        case(
            f"{F} mine",
            "mine holds 3 .jpg files, and the Pillow that is installed cannot read them",
            given=no_jpeg,
            note="Pillow was built without JPEG",
        ),
        case(f"{F} mine --data.size 48 0", "ImageData.size must be greater than 0, not (48, 0)"),
        case(f"{F} mine", "at least 3 images", "found 1", given=images("grey"), note="one image"),
        case(
            f"{F} mine",
            "no image of mine can be read: 0.jpg is the first of 1 (it is no image)",
            given=images("text"),
            note="0.jpg holds text, and nothing else is there",
        ),
        case(
            f"{F} mine --data.unreadable stop",
            "mine/3.jpg cannot be read (it is no image)",
            given=images("grey", "grey", "grey", "text"),
            note="3.jpg holds text",
        ),
        case(
            f"{F} mine --data.unreadable stop",
            "mine/3.jpg cannot be read",
            given=images("grey", "grey", "grey", "cut"),
            note="3.jpg is cut short",
        ),
        case(
            f"{F} mine --data.labels folder",
            "mine: 0.jpg lies in no folder that could be its label",
            given=images("grey", "grey", "grey"),
            note="the images lie in no folders",
        ),
        case(f"{F} mine/0.jpg", "is a single file", given=images("grey"), note="it is an image"),
        case(
            f"{F} mine.tar",
            "mine.tar cannot be read as an archive",
            given=file("mine.tar"),
            note="mine.tar holds text",
        ),
        case(
            f"{F} mine.zip",
            "mine.zip holds no images",
            given=archive("mine", "json"),
            note="mine.zip holds 0.json",
        ),
        case(f"{F} mine --data.size 0", "ImageData.size must be greater than 0, not 0"),
        case(f"{F} mine --data.size -8", "ImageData.size must be greater than 0, not -8"),
        case(f"{F} mine --data.channels 2", "--data.channels must be one of auto, 1, 3, not '2'"),
        case(
            f"{F} mine",
            "can be written to: set XDG_CACHE_HOME",
            given=nowhere_to_write,
            note="no folder can be written to",
        ),
    ],
    "Arrays of your own": [
        case(N, "there is no file my.npz, here or in", given=no_data),
        case("train arrays/vae --data.path runs", "runs is a folder: give an .npz or .npy file"),
        case(
            N,
            "cannot be read: it is damaged",
            given=arrays(keep=99, x=GREY),
            note="it is cut short",
        ),
        case(
            "train arrays/vae --data.path my.npy",
            "cannot be read: it is damaged",
            given=file("my.npy"),
            note="my.npy holds text",
        ),
        case(
            N,
            "my.npz holds no images: they are an array [N, H, W] or [N, H, W, C], and there is: a",
            given=arrays(a=np.zeros(3)),
            note="it has 3 numbers",
        ),
        case(
            N,
            "my.npz has images and x, which could all be the images",
            "--data.images images",
            given=arrays(images=GREY, x=GREY),
            note="it has images and x",
        ),
        case(
            f"{N} --data.images imgs",
            "my.npz has no array imgs; it has: images uint8 [9, 4, 5]",
            given=arrays(images=GREY),
            note="it has images",
        ),
        case(
            N,
            "holds Python objects: give an array of numbers (pickles are never loaded)",
            given=arrays(images=GREY.astype(object)),
            note="an array of Python objects",
        ),
        case(
            N,
            "my.npz is [9, 20]: images are [N, H, W] or [N, H, W, C]",
            given=arrays(images=GREY.reshape(9, -1)),
            note="images as vectors",
        ),
        case(N, "is [0, 4, 5]", given=arrays(images=GREY[:0]), note="no image"),
        case(N, "at least 3 images", "found 1", given=arrays(images=GREY[:1]), note="one image"),
        case(
            N,
            "channels, 1 to 16 of them; if the second axis holds them, give numpy.moveaxis",
            given=arrays(images=np.zeros((9, 3, 32, 32), np.uint8)),
            note="images are [9, 3, 32, 32]",
        ),
        case(
            N,
            "has labels of shape [8], but needs one for each of 9 images",
            given=arrays(images=GREY, labels=np.zeros(8, int)),
            note="9 images and 8 labels",
        ),
        case(
            N,
            "has labels of float64, but labels are whole numbers or text",
            "--data.labels none",
            given=arrays(images=GREY, labels=np.arange(9) / 2),
            note="labels are 0, 0.5, 1, ...",
        ),
        case(
            "train arrays/vae --data.path my.npy --data.labels y.npy",
            "there is no file y.npy of labels",
            given=npy(GREY),
            note="y.npy is not there",
        ),
        case(
            N,
            "my.npz is float32 from 0 to 1: say which range such values are from",
            "--data.range LOW HIGH",
            given=arrays(images=UNIT),
            note="real numbers",
        ),
        case(
            f"{N} --data.range 0 1",
            "has a value that is not finite, in image 8",
            given=arrays(images=np.where(UNIT < 1, UNIT, np.inf)),
            note="the last value is infinite",
        ),
        case(
            f"{N} --data.range 0 0.5",
            "has the value 1, outside of the range 0 to 0.5: image 4 is the first",
            given=arrays(images=UNIT),
            note="values from 0 to 1",
        ),
        case(
            N,
            "my.npz is int64 from 0 to 300, and levels are 0 to 255",
            "--data.range LOW HIGH",
            given=arrays(images=GREY.astype(int) + 300 * (UNIT == 1)),
            note="whole numbers from 0 to 300",
        ),
        case(
            f"{N} --data.num-levels 17",
            "has the level 17, but num_levels is 17: levels are 0 to 16",
            given=arrays(images=GREY + 17),
            note="levels of 17",
        ),
        case(f"{N} --data.num-levels 300", "ArrayData.num_levels must be 2 to 256, not 300"),
        case(f"{N} --data.range 1 0", "ArrayData.range must be two numbers, the lower one first"),
        case(
            "train arrays/bayes --data.path my.npz",
            "Bayes needs labels, and these data have none",
            given=arrays(images=GREY),
            note="no labels",
        ),
        case(
            "train arrays/realnvp --data.path my.npz",
            "ImageFlow.halvings is 2, but images of 3x5 allow 1: set it to that",
            given=arrays(images=GREY[:, :3]),
            note="images of 3x5",
        ),
    ],
}
# What a run that goes on writes, though no checkpoint may be lost by it.
ADVANCING = ("runs/vae/experiment.json", "runs/vae/metrics.jsonl")
NAN = {name: np.array([np.nan], np.float32) for name in ("loss",)}
FLAT = [one for cases in CASES.values() for one in cases]
IDS = [f"{i}-{one.typed}" + f" ({one.note})" * bool(one.note) for i, one in enumerate(FLAT)]


def train_quietly(typed, tiny=TINY):
    with contextlib.redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as stop:
        cli.main(shlex.split(f"{typed} {tiny}"))
    assert stop.value.code == 0


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with runs/vae, runs/ae, runs/classifier and runs/ddpm, trained for 2 steps each."""
    folder = tmp_path_factory.mktemp("home")
    with contextlib.chdir(folder):
        train_quietly(f"{V} --run runs/vae")
        train_quietly(f"{A} --run runs/ae")
        train_quietly("train digits/classifier --run runs/classifier", TINY_CLASSIFIER)
        train_quietly("train toy/ddpm --run runs/ddpm", TINY_DDPM)
    return folder


@pytest.fixture
def place(home, tmp_path, monkeypatch):
    """A copy of it, to be damaged."""
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def answers():
    """Every line that was answered, to be written to the doc if it is asked for."""
    given = {}
    yield given
    if WRITING:
        assert len(given) == len(FLAT), "all cases have to run, in one process"
        DOC.write_text(page(given))


def contents(folder):
    """What may not change: every file but locks, and but what training adds to its record."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock" and ".cache" not in path.parts
    }


def shortened(message, folder):
    """A message as the doc shows it: without what differs from machine to machine."""
    message = message.replace(f"{folder}/", "").replace(str(folder), "~")
    # A library's own reason stands in brackets; which figures overflow depends on the machine.
    message = re.sub(r"gave .*loss = nan.*?;", "gave loss = nan;", message)
    message = re.sub(r"(\.jpg cannot be read) \((?!it is).*?\):", r"\1 (...):", message)
    message = re.sub(r"(is damaged) \(.*\):", r"\1 (...):", message)
    message = re.sub(r"(\.h5 cannot be read) \(.*\):", r"\1 (...):", message)
    return re.sub(r"(can't be read; .*?|no image that can be read) \(.*", r"\1 (...)", message)


def row(one, message):
    cells = "gm-jax " + one.typed, one.note, message
    return "| " + " | ".join(c.replace("|", "\\|") for c in (f"`{cells[0]}`", *cells[1:])) + " |"


def page(given):
    lines = [
        "# What bad input is answered",
        "",
        "One line on stderr, exit code 2, and nothing half-written or lost. Every row is a case of",
        "`tests/test_bad_inputs.py`, which also checks that this page says what is really said.",
        "To write the page anew:",
        "",
        "    WRITE_ERRORS_DOC=1 .venv/bin/python -m pytest tests/test_bad_inputs.py",
        "",
        "`runs/vae`, `runs/ae`, `runs/classifier` and `runs/ddpm` are runs of `digits/vae`,",
        "`digits/ae`, `digits/classifier` and `toy/ddpm`, trained for 2 steps on 24 examples;",
        "where they are trained on, the options that make them so small are left out.",
    ]
    for title, cases in CASES.items():
        lines += ["", f"## {title}", "", "| typed | where | answered |", "| --- | --- | --- |"]
        lines += [row(one, given[one]) for one in cases]
    return "\n".join(lines) + "\n"


def answer(typed):
    """The one line that a command is answered, without "error: "."""
    errors = io.StringIO()
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(errors),
        pytest.raises(SystemExit) as stop,
    ):
        cli.main(shlex.split(typed))
    assert stop.value.code == 2, errors.getvalue()
    lines = errors.getvalue().splitlines()
    assert len(lines) == 1, errors.getvalue()
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


@pytest.mark.parametrize("one", FLAT, ids=IDS)
def test_one_line_and_nothing_lost(one, place, answers, capfd):
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        made = one.given(place, patch) if one.given else None
        if isinstance(made, contextlib.ExitStack):
            stack.enter_context(made)
        before = contents(place)
        # What is typed comes last, where it counts.
        command = one.typed.split()
        typed = [*command[:2], *TINY.split(), *command[2:]] if one.tiny else command
        message = answer(shlex.join(typed))
    for word in one.words:
        assert word in message
    after = contents(place)
    for name in before.keys() - ({*ADVANCING} if one.starts else set()):
        assert after[name] == before[name], name
    if not one.starts:
        assert after.keys() == before.keys()
    assert "Traceback" not in capfd.readouterr().err
    answers[one] = shortened(message, place)
    if not WRITING:
        assert row(one, answers[one]) in DOC.read_text().splitlines(), "see the top of this file"


TYPED_OUTSIDE = [
    f"{V} --model.latnet-dim 512",
    "sample damaged",
]


@pytest.mark.parametrize("typed", TYPED_OUTSIDE)
def test_a_process_of_its_own_says_no_more(typed, place):
    """What libraries print from threads, as they exit or where there is no Unicode, is not seen."""
    shutil.copytree("runs/vae", "damaged")
    for path in (place / "damaged/checkpoints/2/default/d").iterdir():
        path.write_bytes(half(path.read_bytes()))
    done = subprocess.run(
        [sys.executable, "-m", "gm_jax.cli", *typed.split()],
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C", "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr


def test_the_page_has_no_other_rows():
    rows = [line for line in DOC.read_text().splitlines() if line.startswith("| `")]
    assert WRITING or len(rows) == len(FLAT)


def test_a_later_value_that_is_wrong_trains_nothing(place):
    answer(f"{V} --sweep model.latent-dim=4,0")
    assert not list(place.glob("runs/digits*"))


def test_a_failed_start_gives_way_and_a_full_disk_is_gone_on_from(place, monkeypatch):
    answer(f"{V} {TINY} --run runs/new --model.optimizer.learning-rate 1e30")
    train_quietly(f"{V} --run runs/new")  # what the message proposes: no folder in the way
    with pytest.MonkeyPatch.context() as patch:
        fails(errno.ENOSPC, Saver, "save")(place, patch)
        answer(f"{V} {TINY} --run runs/new --training.num-steps 3")
    assert gm_jax.open("runs/new").step == 2
    with contextlib.redirect_stdout(io.StringIO()) as told, pytest.raises(SystemExit) as stop:
        cli.main(f"{V} {TINY} --run runs/new --training.num-steps 3".split())
    assert stop.value.code == 0
    assert "resumed at step 2" in told.getvalue()


def test_arrays_that_do_not_fit(place):
    run = gm_jax.open("runs/vae")
    good = np.zeros((2, 8, 8, 1), np.uint8)
    for images, words in [
        (good[..., 0], r"shape \[B, 8, 8, 1\], not \[2, 8, 8\]"),
        (good[:, :7], r"not \[2, 7, 8, 1\]"),
        (good.astype(np.float32), "uint8 levels, not float32"),
        (good + 17, "levels 0 to 16, not 17"),
    ]:
        for method in (run.reconstruct, run.encode, run.log_prob):
            with pytest.raises(UserError, match=words):
                method(images)
    with pytest.raises(UserError, match=r"codes must have shape \[B, 8\], not \[2, 7\]"):
        run.decode(np.zeros((2, 7)))
    with pytest.raises(UserError, match=r"codes must be numbers, not <U1"):
        run.decode(["a"])
    with pytest.raises(UserError, match="at least 1"):
        run.batch(0)
    with pytest.raises(UserError, match=r"no checkpoint of step 7; it has: 2"):
        gm_jax.open("runs/vae", step=7)
    with pytest.raises(UserError, match=r"Did you mean model.latent_dim\?"):
        run.experiment.replace(**{"model.latnet_dim": 3})
    with pytest.raises(UserError, match=r"latent_dim must be a whole number, not 'x'"):
        run.experiment.replace(**{"model.latent_dim": "x"})


def test_examples_that_do_not_fit():
    images = np.zeros((4, 8, 8, 1), np.uint8)
    spec = DataSpec((8, 8, 1), num_levels=17, num_classes=10)
    for examples, words in [
        (ArrayExamples(images, np.array([0, 1, 10, 2])), "example 2 .*label 10"),
        (ArrayExamples(images, np.array([0, -1, 1, 2])), "example 1 .*label -1"),
        (ArrayExamples(images + 17, np.zeros(4, int)), "level 17"),
        (ArrayExamples(images[:0], np.zeros(0, int)), "no examples"),
    ]:
        with pytest.raises(UserError, match=words):
            Split(examples, spec)
