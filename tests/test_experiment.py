"""Experiments as values: fields, files, JSON."""

import dataclasses
import json

import pytest

from gm_jax import experiment_file
from gm_jax.data.config import Data
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment import Experiment, Training
from gm_jax.experiment_json import differences, from_plain, load_json, to_plain
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer
from gm_jax.run import default_folder


@pytest.fixture
def experiment():
    return Experiment(data=Data(), model=VAE(coder=ConvCoder()), name="digits/test")


def test_replace_by_dotted_path(experiment):
    changed = experiment.replace(**{"model.latent-dim": 3, "model.coder.features": (4, 8)})
    assert changed.model.latent_dim == 3
    assert changed.model.coder.features == (4, 8)
    assert experiment.model.latent_dim == 16


def test_replace_names_the_nearest_field(experiment):
    with pytest.raises(
        UserError, match=r"no field model.latnet_dim. Did you mean model.latent_dim"
    ):
        experiment.replace(**{"model.latnet_dim": 3})
    with pytest.raises(UserError, match=r"no field model\.latent_dim\.x"):
        experiment.replace(**{"model.latent_dim.x": 3})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VAE(latent_dim=0), "VAE.latent_dim must be greater than 0, not 0"),
        (lambda: VAE(beta=-1.0), "VAE.beta must be 0 or greater"),
        (lambda: Training(num_steps=-5), "Training.num_steps must be greater than 0"),
        (lambda: Optimizer(ema_decay=1.0), "Optimizer.ema_decay must be in"),
        (lambda: Optimizer(schedule="cosine"), "needs Optimizer.decay_steps"),
        (lambda: Optimizer(name="adum"), "Optimizer.name must be one of .*'adam'"),
        (lambda: VAE(likelihood="bernouli"), "VAE.likelihood must be one of"),
        (lambda: ConvCoder(activation="rely"), "ConvCoder.activation must be one of"),
        (lambda: ConvCoder(features=(8,), strides=(1, 2)), "ConvCoder.strides needs one entry"),
    ],
)
def test_impossible_values_are_refused_when_built(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_json_round_trip(experiment):
    text = json.dumps(to_plain(experiment))
    assert from_plain(json.loads(text)) == experiment


def test_json_of_every_experiment_round_trips():
    for found in experiment_file.find_experiments():
        for variant in ("", *(f":{v}" for v in found.variants)):
            loaded = experiment_file.load(f"{found.path}{variant}")
            assert from_plain(json.loads(json.dumps(to_plain(loaded)))) == loaded
            assert loaded.name == f"{found.name}{variant}"


def test_json_executes_nothing(tmp_path):
    trap = {"class": "os:system", "command": "true"}
    path = tmp_path / "experiment.json"
    path.write_text(json.dumps({"experiment": trap, "spec": trap}))
    with pytest.raises(UserError, match="no config class"):
        load_json(path)
    path.write_text(json.dumps({"experiment": {"class": "antigravity:fly"}}))
    with pytest.raises(UserError, match="import antigravity before opening"):
        load_json(path)


def test_json_of_another_version(experiment, tmp_path):
    plain = to_plain(experiment)
    plain["model"]["flux"] = 1
    with pytest.raises(UserError, match="VAE has no field flux"):
        from_plain(plain)


def test_differences_name_the_field(experiment):
    other = experiment.replace(**{"model.beta": 2.0})
    (found,) = differences(experiment, other)
    assert found == ("model.beta", "1.0", "2.0")
    assert str(found) == "model.beta is 1.0 there and 2.0 here"
    assert differences(experiment, dataclasses.replace(experiment)) == []


def test_files_are_found_by_name_and_by_path(tmp_path, monkeypatch):
    assert experiment_file.load("digits/vae").name == "digits/vae"
    folder = tmp_path / "experiments" / "mine"
    folder.mkdir(parents=True)
    source = experiment_file.resolve("digits/vae").path.read_text()
    (folder / "one.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    names = [e.name for e in experiment_file.find_experiments()]
    assert "mine/one" in names
    assert "digits/vae" in names  # bundled ones stay in sight
    assert experiment_file.load("mine/one").name == "mine/one"
    assert experiment_file.load("experiments/mine/one.py").name == "mine/one"


VARIANTS = '''
"""Of somebody."""
import gm_jax
from gm_jax.experiment import Experiment
from gm_jax.data import Data
from gm_jax.models import Bayes

def get_config() -> Experiment:
    return small().replace(**{"training.num_steps": 7})

def small() -> "Experiment":
    """The small one."""
    return Experiment(data=Data(), model=Bayes())

def smaller() -> gm_jax.Experiment:
    return small().replace(seed=2)

def of_width(width: int) -> Experiment: ...
def _hidden() -> Experiment: ...
def optimizer(): ...
def broken() -> Experiment:
    return 3
'''


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine" / "exp.py"
    path.parent.mkdir()
    path.write_text(VARIANTS)
    return path


def test_variants_are_found_without_executing(mine):
    mine.write_text(VARIANTS + "raise AssertionError")
    found = experiment_file.describe(mine)
    assert found.variants == {"small": "The small one.", "smaller": "", "broken": ""}
    assert found.recipes == ["mine/exp", "mine/exp:small", "mine/exp:smaller", "mine/exp:broken"]


def test_a_variant_is_loaded_by_path_and_by_name(mine, monkeypatch):
    small = experiment_file.load(f"{mine}:small")
    assert (small.name, small.training.num_steps) == ("mine/exp:small", 1000)
    assert str(default_folder(small)) == "runs/mine/exp-small"
    assert experiment_file.load(str(mine)) == small.replace(
        **{"training.num_steps": 7, "name": "mine/exp"}
    )
    assert experiment_file.load(f"{mine}:get_config").name == "mine/exp"
    monkeypatch.chdir(mine.parent.parent)
    mine.parent.rename("experiments")
    (mine.parent.parent / "experiments" / "data").mkdir()
    (mine.parent.parent / "experiments" / "exp.py").rename("experiments/data/exp.py")
    assert experiment_file.load("data/exp:smaller").seed == 2


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("smalest", r"exp.py has no variant smalest: it has smaller, small, broken"),
        ("of_width", "has no variant of_width"),
        ("_hidden", "has no variant _hidden"),
        ("optimizer", "has no variant optimizer"),
        ("", "has no variant : it has"),
        ("broken", r"broken\(\) must return an Experiment, not 3"),
    ],
)
def test_what_is_no_variant_is_refused(mine, variant, message):
    with pytest.raises(UserError, match=message):
        experiment_file.load(f"{mine}:{variant}")


def test_an_experiment_without_variants_says_so(tmp_path):
    (tmp_path / "one.py").write_text("def get_config(): ...\n")
    with pytest.raises(UserError, match=r"one.py has no variant paper: it has one recipe only"):
        experiment_file.load(f"{tmp_path / 'one.py'}:paper")
    with pytest.raises(UserError, match="Did you mean digits/vae"):
        experiment_file.load("digits/vea:paper")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def get_config(:\n", r"one.py:1: syntax error"),
        ("import nothing_of_this_name\n", r"one.py:1: ModuleNotFoundError"),
        ("x = 1\n", "defines no get_config"),
        ("def get_config():\n    return 3\n", "must return an Experiment, not 3"),
        ("def get_config():\n    raise KeyError('a')\n", r"one.py:2: KeyError"),
    ],
)
def test_bad_files_get_one_line(tmp_path, text, message):
    path = tmp_path / "one.py"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        experiment_file.load(str(path))
    assert "\n" not in str(caught.value)


def test_unknown_names_get_the_nearest():
    with pytest.raises(UserError, match="Did you mean digits/vae"):
        experiment_file.load("digits/vea")
    with pytest.raises(UserError, match="there is no file"):
        experiment_file.load("nowhere.py")


def test_every_experiment_says_what_it_is():
    for found in experiment_file.find_experiments():
        assert found.title, found.name
        assert all(found.variants.values()), f"a variant of {found.name} has no docstring"
