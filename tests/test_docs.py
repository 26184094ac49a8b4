"""The family of docs/adding-a-model.md works as printed."""

import math
import re
import sys
import types
from pathlib import Path

import numpy as np

import gm_jax

TEXT = (Path(__file__).parent.parent / "docs" / "adding-a-model.md").read_text()


def test_the_walk_through_is_a_working_family(tmp_path, monkeypatch):
    family, experiment = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(family.splitlines()) < 80
    module = types.ModuleType("gm_jax.models.independent")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(family, "independent.py", "exec"), module.__dict__)
    path = tmp_path / "digits" / "independent.py"
    path.parent.mkdir()
    path.write_text(experiment)

    config = gm_jax.load(str(path))
    run = gm_jax.fit(config.replace(**{"training.num_steps": 300}), tmp_path / "run")
    figure = run.evaluate("test")["bits_per_dim"]
    # The best independent model is the histogram of the training set at each pixel.
    train = config.data.open("train").arrays["image"].reshape(-1, 64)
    test = config.data.open("test").arrays["image"].reshape(-1, 64)
    counts = np.stack([(train == level).sum(0) for level in range(17)], -1) + 0.5  # [64, 17]
    log_p = np.log(counts / counts.sum(-1, keepdims=True))
    histogram = -log_p[np.arange(64), test].mean() / math.log(2)
    assert figure.kind == "exact"
    np.testing.assert_allclose(figure.value, histogram, rtol=0.02)
    assert run.sample(5).shape == (5, 8, 8, 1)
