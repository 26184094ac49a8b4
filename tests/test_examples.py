"""The notebooks of examples/: kept executed, small and without errors; shortened, they run."""

import json
import re
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))
NAMES = ["comparing_families", "first_steps", "own_family", "own_images"]
SHORT = {
    "comparing_families": """
steps = {"digits/bayes": 2, "digits/gmm": 2, "digits/vae": 6, "digits/gan": 6}
classifier_steps, num_samples = 20, 100
""",
    "first_steps": "num_steps = 6",
    "own_family": "num_steps = 6",
    "own_images": "num_steps = 6",
}
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def test_all_are_known():
    assert [path.stem for path in NOTEBOOKS] == NAMES


@notebooks
def test_it_is_kept_executed_and_small(path):
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("image/png" in output.get("data", ()) for output in outputs)
    assert path.stat().st_size < 400_000
    assert not re.search(r"/(home|root|work|tmp|Users)/", path.read_text())


@notebooks
def test_what_it_points_to_is_there(path):
    text = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
    for name in re.findall(r"`(\w+\.ipynb)`", text):
        assert (path.parent / name).is_file()
    for name in re.findall(r"`(docs/[\w-]+\.md)`", text):
        assert (path.parent.parent / name).is_file()


@pytest.mark.slow
@notebooks
@jax.numpy_rank_promotion("allow")  # as for readers; own_family calls a function of jax.scipy
def test_it_runs_shortened(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for number, cell in enumerate(cells(path, "code")):
        source = "".join(cell["source"])
        if "parameters" in cell["metadata"].get("tags", ()):
            source = SHORT[path.stem]
        exec(compile(source, f"{path.name}, cell {number}", "exec"), namespace)
    plt.close("all")
