"""A checkout with one experiment of two recipes, runs of them, and records."""

import shutil

import pytest

import gm_jax
from gm_jax.evaluation.figure import Figure
from gm_jax.experiment_file import describe
from gm_jax.results.digest import digest
from gm_jax.results.record import Record
from gm_jax.training import provenance

TEXT = '''"""A Gaussian for each class: of nobody.

Paper: none
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Experiment, Training
from gm_jax.models import Bayes


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Digits(), limit=60, batch_size=60),
        model=Bayes(shrinkage=0.5, variance_floor=0.05),
        training=Training(num_steps=2, log_every=1, eval_every=1),
    )


def paper() -> Experiment:
    """As published. Two lines.

    Budget: 1,200 device-minutes
    """
    return get_config().replace(**{"model.shrinkage": 0.25, "training.num_steps": 3})
'''
MARKS = """# A page

<!-- made of records by `gm-jax results`: begin -->
<!-- made of records: end -->
end
"""


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A checkout, and a run of its recommended recipe, made once."""
    root = tmp_path_factory.mktemp("template")
    for name in ("README.md", "docs/results.md", "docs/gallery.md", "docs/comparison.md"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(MARKS)
    path = root / "experiments" / "some" / "tiny.py"
    path.parent.mkdir(parents=True)
    path.write_text(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "uncommitted", list)
        gm_jax.fit(gm_jax.load(str(path)), root / "runs" / "some" / "tiny")
    return root


@pytest.fixture
def checkout(template, tmp_path, monkeypatch):
    """A copy of the template, in which one stands."""
    root = tmp_path / "checkout"
    shutil.copytree(template, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def file(checkout):
    return describe(checkout / "experiments" / "some" / "tiny.py")


@pytest.fixture
def record():
    """Makes records."""

    def make(name="some/tiny", seed=0, **changes):
        fields = {
            "digest": digest(gm_jax.load("digits/vae")),
            "family": "Bayes",
            "numerics": 1,
            "levels": 17,
            "parameters": 12,
            "step": 2,
            "steps": 2,
            "examples": 120,
            "stopped_early": False,
            "core_minutes": 1.23456789,
            "device_minutes": None,
            "peak_mib": 300,
            "machine": {"cpu": "a CPU", "cores": 2, "accelerators": None},
            "versions": {"gm_jax": "0.1.0", "jax": "0.12"},
            "commit": "abcdef0123456789",
            "date": "2026-11-21",
            "figures": {"bits_per_dim": Figure(2.0, "bound", 60, 0.01)},
            "valid": {"bits_per_dim": 2.01},
        }
        return Record(name=name, seed=seed, **{**fields, **changes})

    return make
