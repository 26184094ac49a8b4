"""The family of docs/adding-a-model.md works as printed."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

import gm_jax

TEXT = (Path(__file__).parent.parent / "docs" / "adding-a-model.md").read_text()
(FAMILY,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_walk_through_is_short():
    assert len(FAMILY.splitlines()) <= 130


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of it, from a file outside the repository."""
    folder = tmp_path_factory.mktemp("elsewhere")
    path = folder / "mine" / "independent.py"
    path.parent.mkdir()
    path.write_text(FAMILY)
    experiment = gm_jax.load(str(path)).replace(**{"training.num_steps": 300})
    return gm_jax.fit(experiment, folder / "run")


def test_it_learns_the_histogram_of_each_class(run):
    figure = run.evaluate("test")["bits_per_dim"]
    # The best independent model is the histogram of the training images of a class at each pixel.
    data = run.experiment.data
    train, test = (data.open(split).arrays for split in ("train", "test"))
    nats = 0.0
    for label in range(10):
        seen = train["image"][train["label"] == label].reshape(-1, 64)
        counts = np.stack([(seen == level).sum(0) for level in range(17)], -1) + 0.5  # [64, 17]
        log_p = np.log(counts / counts.sum(-1, keepdims=True))
        new = test["image"][test["label"] == label].reshape(-1, 64)
        nats -= log_p[np.arange(64), new].sum()
    assert figure.kind == "exact"
    np.testing.assert_allclose(figure.value, nats / math.log(2) / test["image"].size, rtol=0.05)


def test_it_draws_by_label_in_its_own_way(run):
    cold = run.sample(4, condition=[3, 3, 7, 7], temperature=1e-3)
    np.testing.assert_array_equal(cold[0], cold[1])  # the most probable level of each pixel
    assert (cold[0] != cold[2]).any()
    assert (run.sample(2, condition=3)[0] != cold[0]).any()
    with pytest.raises(gm_jax.UserError, match="temperature must be greater than 0"):
        run.sample(1, temperature=0.0)
