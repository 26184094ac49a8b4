"""Runs hold names that outlive moves, and those of earlier versions stay readable."""

import ast
import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gm_jax.class_names import class_name, find_class
from gm_jax.data import Data
from gm_jax.earlier_runs import EARLIER_NAMES
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.experiment_file import find_experiments, load
from gm_jax.experiment_json import from_plain, to_plain
from gm_jax.models import ARM, DDPM, VAE, DiffusionSampling, PixelCNN, RealNVP
from gm_jax.public_names import public_name

LAZY = ("gm_jax", "gm_jax.functional", "gm_jax.models", "gm_jax.nets")


def classes_in(value):
    """Classes of all dataclasses in a config."""
    if isinstance(value, tuple):
        return {cls for v in value for cls in classes_in(v)}
    if not dataclasses.is_dataclass(value):
        return set()
    fields = tuple(getattr(value, field.name) for field in dataclasses.fields(value))
    return {type(value), *classes_in(fields)}


def test_every_class_of_every_experiment_has_a_public_name():
    experiments = [load(str(found.path)) for found in find_experiments()]
    for cls in classes_in(tuple(experiments)):
        name = public_name(cls)
        assert name, f"export {cls.__qualname__} from the package it lies in"
        assert class_name(cls) == name
        module, _, attribute = name.partition(":")
        assert getattr(importlib.import_module(module), attribute) is cls


@pytest.mark.parametrize("earlier", EARLIER_NAMES)
def test_every_earlier_name_is_that_of_a_class_of_today(earlier):
    cls = find_class(EARLIER_NAMES[earlier])
    assert public_name(cls) == EARLIER_NAMES[earlier]


def test_neither_a_subclass_nor_a_namesake_is_taken_for_ours():
    assert public_name(type("VAE", (VAE,), {})) is None
    assert public_name(type("Data", (), {})) is None


@pytest.mark.parametrize("package", LAZY)
def test_what_is_exported_is_what_type_checkers_see(package):
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__).read_text())
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {a.asname: (node.module, a.name) for node in checked.body for a in node.names}
    assert seen.keys() == set(module.__all__) - {"__version__"}
    for name, (where, attribute) in seen.items():
        assert getattr(module, name) is getattr(importlib.import_module(where), attribute)
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_packages_import_nothing_before_they_are_asked():
    code = (
        f"import sys, {', '.join(LAZY)}\n"
        "sys.exit(' '.join({'jax', 'flax', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("now", "earlier", "fields"),
    [
        (
            DDPM(conditional=True, label_dropout=0.1, num_steps=50),
            "gm_jax.models.ddpm:DDPM",
            {"sampler": "ddim", "sampler_steps": 10, "eta": 0.5, "guidance": 2.0},
        ),
        (ARM(), "gm_jax.models.arm:ARM", {"sampler": "predictive"}),
        (PixelCNN(), "gm_jax.models.pixelcnn:PixelCNN", {"sampler": "plain"}),
        (RealNVP(), "gm_jax.models.realnvp:RealNVP", {"temperature": 0.7}),
    ],
)
def test_fields_that_said_how_to_sample_still_say_it(now, earlier, fields):
    plain = to_plain(now) | {"class": earlier} | fields
    del plain["sampling"]
    model = from_plain(json.loads(json.dumps(plain)))
    sampling = {name: getattr(model.sampling, name) for name in fields}
    assert sampling == fields
    assert dataclasses.replace(model, sampling=now.sampling) == now
    assert from_plain(to_plain(model)) == model


def test_what_lies_as_today_stays_as_it_is():
    model = DDPM(sampling=DiffusionSampling(sampler="ddim", eta=0.5))
    experiment = Experiment(data=Data(), model=model)
    assert to_plain(experiment)["model"]["class"] == "gm_jax.models:DDPM"
    assert from_plain(to_plain(experiment)) == experiment


def test_a_class_that_was_never_ours_gets_one_line():
    with pytest.raises(UserError, match=r"this version of gm_jax has no gm_jax\.models\.nothing"):
        find_class("gm_jax.models.nothing:Nothing")
    with pytest.raises(UserError, match="no config class of this version"):
        find_class("gm_jax.models:Nothing")
    with pytest.raises(UserError, match="no config class of this version"):
        find_class("gm_jax.cli.__main__:main")  # and no command is started
