"""Classes of somebody's own: in the experiment file, beside it, in a package, in a notebook."""

import dataclasses
import json
import shutil
import sys
import types

import numpy as np
import optax
import pytest

import gm_jax
from gm_jax import experiment_code
from gm_jax.errors import UserError
from gm_jax.experiment_file import load

PARTS = '''
"""What somebody wrote beside the experiment."""

import dataclasses

import numpy as np

from gm_jax.data import ArrayExamples, DataSpec, FixedTransform, Source


@dataclasses.dataclass(frozen=True)
class Stripes(Source):
    period: int = 2

    @property
    def spec(self) -> DataSpec:
        return DataSpec((4, 4, 1), num_levels=4)

    def open(self, split: str):
        count = {"train": 32, "valid": 8, "test": 8}[split.split("[")[0]]
        rows = np.arange(count)[:, None, None, None] + np.arange(4)[:, None, None]
        images = np.broadcast_to(rows % self.period, (count, 4, 4, 1))
        return ArrayExamples(images.astype(np.uint8))


@dataclasses.dataclass(frozen=True)
class Upside(FixedTransform):
    def __call__(self, images):
        return images[:, ::-1]
'''

TABLE = '''
"""A family: each value has its own distribution over the levels."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from gm_jax import Optimizer
from gm_jax.functional.likelihoods import categorical_log_prob, sum_per_example
from gm_jax.model import Family, create_state, gradient_update


@dataclasses.dataclass(frozen=True)
class Table(Family):
    start: float = 0.0
    optimizer: Optimizer = Optimizer()

    def init(self, rngs, spec):
        params = {"logits": jnp.full((*spec.shape, spec.num_levels), self.start)}
        return create_state(rngs, spec, params, self.optimizer)

    def update(self, state, batch, rngs):
        def loss_fn(params):
            return self._loss(params, batch["image"]).mean(), ({}, state.model_state)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state, batch, rngs):
        return {"loss": self._loss(state.eval_params, batch["image"])}

    def sample(self, state, rngs, num, condition=None):
        logits = state.eval_params["logits"]
        shape = (num, *state.spec.shape)
        return jax.random.categorical(rngs("levels"), logits, shape=shape).astype(jnp.uint8)

    def _loss(self, params, image):
        logits = params["logits"]
        logits = jnp.broadcast_to(logits, (*image.shape, logits.shape[-1]))
        return -sum_per_example(categorical_log_prob(logits, image))
'''

CONFIG = """

from gm_jax import Experiment, Training
from gm_jax.data import Data


def get_config():
    data = Data(
        source=Stripes(), transforms=(Upside(),), batch_size=8, train="train", valid="valid"
    )
    return Experiment(data=data, model=Table(), training=Training(num_steps=2, eval_every=2))
"""

FILES = {
    "in the file": {"mine.py": TABLE + PARTS.replace('"""', "#", 2) + CONFIG},
    "beside it": {
        "mine.py": "from parts.data import Stripes, Upside\nfrom table import Table\n" + CONFIG,
        "table.py": TABLE,
        "parts/data.py": PARTS,
    },
}


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "mine.py"


def forget():
    """Leaves this process as one that has read no experiment yet."""
    for code in experiment_code._read:
        for name in [code.main.__name__, *code.beside]:
            sys.modules.pop(name, None)
    experiment_code._read.clear()


@pytest.fixture(autouse=True)
def _fresh():
    forget()
    yield
    forget()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with files and a run of each kind; copied before anything is changed in it."""
    folder = tmp_path_factory.mktemp("own")
    for kind, files in FILES.items():
        path = write(folder / kind, files)
        gm_jax.fit(load(str(path)), folder / kind / "runs" / "mine")
    forget()
    return folder


@pytest.fixture(params=list(FILES))
def place(request, trained, tmp_path):
    """A folder of one kind; its run names files that lie in it."""
    place = tmp_path / request.param
    shutil.copytree(trained / request.param, place)
    record = place / "runs" / "mine" / "experiment.json"
    plain = json.loads(record.read_text())
    assert plain["code"]["path"] == str(trained / request.param / "mine.py")
    plain["code"]["path"] = str(place / "mine.py")
    record.write_text(json.dumps(plain))
    return place


def test_a_run_names_the_file_and_what_was_in_it(place):
    plain = json.loads((place / "runs" / "mine" / "experiment.json").read_text())
    names = {plain["experiment"]["model"]["class"], plain["experiment"]["data"]["source"]["class"]}
    if (place / "table.py").is_file():
        assert names == {"table:Table", "parts.data:Stripes"}
        assert set(plain["code"]["digests"]) == {"mine.py", "table.py", "parts/data.py"}
    else:
        assert names == {"experiment-file:Table", "experiment-file:Stripes"}
        assert set(plain["code"]["digests"]) == {"mine.py"}


def test_it_opens_and_resumes_in_another_process(place):
    folder = place / "runs" / "mine"
    run = gm_jax.open(folder)
    assert run.step == 2
    assert run.sample(3).shape == (3, 4, 4, 1)
    forget()
    more = load(str(place / "mine.py")).replace(**{"training.num_steps": 4})
    run = gm_jax.fit(more, folder)
    assert run.step == 4
    assert np.isfinite(run.evaluate("test")["loss"].value)
    with pytest.raises(UserError, match=r"model\.start is 0\.0 there and 1\.0 here"):
        gm_jax.fit(more.replace(**{"model.start": 1.0}), folder)


def test_a_file_that_changed_is_not_executed_unless_it_is_given(place):
    folder = place / "runs" / "mine"
    changed = next(p for p in (place / "table.py", place / "mine.py") if p.is_file())
    changed.write_text(changed.read_text() + "\nEXECUTED = True\n")
    with pytest.raises(UserError, match=r"changed since the run.*give experiment=") as told:
        gm_jax.open(folder)
    assert changed.name in str(told.value)
    assert "\n" not in str(told.value)
    assert not experiment_code._read
    assert gm_jax.open(folder, experiment=place / "mine.py").step == 2


def test_a_file_that_is_gone_is_asked_for(place):
    folder = place.parent / "moved" / "mine"
    shutil.copytree(place / "runs" / "mine", folder)
    elsewhere = place.parent / "elsewhere"
    place.rename(elsewhere)
    with pytest.raises(UserError, match=r'is gone: give experiment="FILE"') as told:
        gm_jax.open(folder)
    assert "\n" not in str(told.value)
    assert gm_jax.open(folder, experiment=elsewhere / "mine.py").sample(2).shape == (2, 4, 4, 1)


def test_nothing_in_the_folder_of_a_run_is_executed(place):
    folder = place / "runs" / "mine"
    shutil.copytree(place, place.parent / "copy")
    shutil.copytree(place.parent / "copy", folder, dirs_exist_ok=True)
    record = folder / "experiment.json"
    record.write_text(record.read_text().replace(str(place / "mine.py"), str(folder / "mine.py")))
    with pytest.raises(UserError, match="lies in the run's own folder"):
        gm_jax.open(folder)
    assert not experiment_code._read


def test_files_of_one_name_in_two_folders_are_two(tmp_path):
    for folder, levels in (("a", 2), ("b", 3)):
        parts = PARTS.replace("period: int = 2", f"period: int = {levels}")
        write(tmp_path / folder, FILES["beside it"] | {"parts/data.py": parts})
    first, second = (load(str(tmp_path / f / "mine.py")) for f in "ab")
    assert (first.data.source.period, second.data.source.period) == (2, 3)
    assert type(first.data.source) is not type(second.data.source)
    again = load(str(tmp_path / "a" / "mine.py"))
    assert again == first  # of the same classes
    assert str(tmp_path / "a") not in sys.path
    first, second = (gm_jax.fit(e, tmp_path / "run" / f) for e, f in ((first, "a"), (second, "b")))
    for run, folder in ((first, "a"), (second, "b")):
        plain = json.loads((run.folder / "experiment.json").read_text())
        assert plain["code"]["path"] == str(tmp_path / folder / "mine.py")
        assert gm_jax.open(run.folder).experiment == run.experiment  # of the same classes


def test_an_edited_file_is_read_anew(tmp_path):
    path = write(tmp_path, FILES["beside it"])
    assert load(str(path)).model.start == 0.0
    (tmp_path / "table.py").write_text(TABLE.replace("start: float = 0.0", "start: float = 0.25"))
    assert load(str(path)).model.start == 0.25


def test_classes_of_a_package_open_with_the_file_or_by_importing(tmp_path, monkeypatch):
    site = tmp_path / "site"
    write(site, {"somebodys/__init__.py": "", "somebodys/all.py": TABLE + PARTS})
    monkeypatch.syspath_prepend(site)
    text = "from somebodys.all import Stripes, Table, Upside\n" + CONFIG
    path = write(tmp_path / "experiments", {"mine.py": text})
    folder = gm_jax.fit(load(str(path)), tmp_path / "run").folder

    def forget_package():
        forget()
        for name in ("somebodys", "somebodys.all"):
            sys.modules.pop(name, None)

    forget_package()
    assert gm_jax.open(folder).step == 2  # by the file that imports it
    forget_package()
    path.unlink()
    with pytest.raises(UserError, match="is gone"):
        gm_jax.open(folder)
    __import__("somebodys.all")
    assert gm_jax.open(folder).step == 2
    forget_package()


def test_a_class_of_a_notebook(tmp_path, monkeypatch):
    notebook = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    cells = TABLE + PARTS.replace('"""', "#", 2) + CONFIG
    exec(compile(cells, "cell", "exec"), vars(notebook))
    experiment = notebook.get_config()
    folder = gm_jax.fit(experiment, tmp_path / "run").folder
    exec(compile(cells, "cell", "exec"), vars(notebook))  # every cell once more
    run = gm_jax.fit(experiment.replace(**{"training.num_steps": 4}), folder)
    assert gm_jax.open(folder).step == run.step == 4
    assert run.evaluate("test").keys() == {"loss"}

    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    with pytest.raises(UserError, match=r'is defined in a notebook .*experiment="FILE"'):
        gm_jax.open(folder)
    path = write(tmp_path / "files", {"mine.py": TABLE + PARTS.replace('"""', "#", 2)})
    assert gm_jax.open(folder, experiment=path).step == 4


def test_a_class_of_a_notebook_in_an_experiment_of_a_file(tmp_path, monkeypatch):
    notebook = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    exec(compile(TABLE, "cell", "exec"), vars(notebook))
    experiment = load("digits/vae").quick().replace(model=notebook.Table())
    experiment = experiment.replace(**{"training.num_steps": 2})
    folder = gm_jax.fit(experiment, tmp_path / "run").folder
    assert gm_jax.fit(experiment.replace(**{"training.num_steps": 4}), folder).step == 4
    assert "code" not in json.loads((folder / "experiment.json").read_text())


def test_a_class_inside_a_function_is_refused_before_training(tmp_path):
    path = write(tmp_path, FILES["in the file"])
    experiment = load(str(path))

    @dataclasses.dataclass(frozen=True)
    class Inside(type(experiment.model)):
        pass

    inside = dataclasses.replace(experiment, model=Inside())
    with pytest.raises(UserError, match="Inside is defined inside a function"):
        gm_jax.fit(inside, tmp_path / "run")


RULE = """
import optax
from gm_jax import load


def clipped_lion(learning_rate):
    return optax.chain(optax.clip(1.0), optax.lion(learning_rate))


def get_config():
    return load("digits/vae").quick().replace(**{
        "model.optimizer": gm_jax.Optimizer(rule=clipped_lion, accumulate_steps=2, ema_decay=0.9)
    })
""".replace("import optax", "import gm_jax\nimport optax")


def test_an_optimizer_of_ones_own_is_kept_by_its_name(tmp_path):
    path = write(tmp_path, {"mine.py": RULE})
    experiment = load(str(path))
    folder = gm_jax.fit(experiment.replace(**{"training.num_steps": 2}), tmp_path / "run").folder
    plain = json.loads((folder / "experiment.json").read_text())
    kept = plain["experiment"]["model"]["optimizer"]
    assert kept["rule"] == {"function": "experiment-file:clipped_lion"}
    assert gm_jax.open(folder).experiment.model.optimizer.rule(0.1)
    assert "rule=clipped_lion" in repr(gm_jax.open(folder))
    assert gm_jax.fit(load(str(path)), folder).step == 4
    other = path.with_name("other.py")
    both = path.read_text() + "\n\ndef my_lion(rate):\n    return optax.lion(rate)\n"
    other.write_text(both.replace("rule=clipped_lion", "rule=my_lion"))
    renamed = dataclasses.replace(load(str(other)), name=experiment.name)
    with pytest.raises(UserError, match=r"optimizer.rule is clipped_lion there and my_lion here"):
        gm_jax.fit(renamed, folder)
    experiment_code._read.clear()  # as in a new process
    path.unlink()
    with pytest.raises(UserError, match="is gone: give experiment="):
        gm_jax.open(folder)


@pytest.mark.parametrize("name", ["os:system", "shutil:rmtree", "gm_jax.run:fit", "__main__:exec"])
def test_no_other_function_is_taken_from_a_run(tmp_path, name):
    path = write(tmp_path, {"mine.py": RULE})
    experiment = load(str(path)).replace(**{"training.num_steps": 2})
    folder = gm_jax.fit(experiment, tmp_path / "run").folder
    record = folder / "experiment.json"
    record.write_text(record.read_text().replace("experiment-file:clipped_lion", name))
    with pytest.raises(UserError, match="the run uses "):
        gm_jax.open(folder)


def test_a_lambda_is_refused_before_training(tmp_path):
    optimizer = gm_jax.Optimizer(rule=lambda rate: optax.sgd(rate))
    experiment = load("digits/vae").quick().replace(**{"model.optimizer": optimizer})
    with pytest.raises(UserError, match="a lambda has no name"):
        gm_jax.fit(experiment, tmp_path / "run")
