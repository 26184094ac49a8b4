"""Experiment files: finding them by name, loading them, reading their docstrings."""

import ast
import dataclasses
import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gm_jax.errors import UserError
from gm_jax.experiment_code import read_code

if TYPE_CHECKING:
    from gm_jax.experiment import Experiment


class ExperimentFile(NamedTuple):
    """One file in an experiments folder; the texts come from its docstring."""

    name: str
    path: Path
    title: str
    minutes: str
    score: str


def experiment_folders() -> list[Path]:
    """Where names are looked up: the working tree's experiments/ first, then the bundled ones."""
    package = Path(__file__).parent
    bundled = package / "bundled_experiments"
    if not bundled.is_dir():  # an editable install: the folder lies beside the package
        bundled = package.parent / "experiments"
    folders = [Path("experiments"), bundled]
    found = [f for f in folders if f.is_dir()]
    return found[:1] if len(found) == 2 and found[0].samefile(found[1]) else found


def find_experiments() -> list[ExperimentFile]:
    """Every experiment, by name; the first folder that has a name wins. Nothing is executed."""
    found: dict[str, ExperimentFile] = {}
    for folder in experiment_folders():
        for path in sorted(folder.glob("*/*.py")):
            name = experiment_name(path)
            if path.stem != "__init__" and name not in found:
                found[name] = _describe(name, path)
    return [found[name] for name in sorted(found)]


def experiment_name(path: Path) -> str:
    """experiments/digits/vae.py -> digits/vae."""
    path = path.resolve()
    return f"{path.parent.name}/{path.stem}"


def _describe(name: str, path: Path) -> ExperimentFile:
    try:
        doc = ast.get_docstring(ast.parse(path.read_text())) or ""
    except (SyntaxError, UnicodeDecodeError):
        doc = "(this file does not parse)"

    def field(label: str) -> str:
        match = re.search(rf"^{label}:\s*(.*(?:\n[ \t]+.*)*)", doc, re.MULTILINE)
        return " ".join(match.group(1).split()) if match else ""

    return ExperimentFile(name, path, doc.split("\n")[0], field("Minutes"), field("Score"))


def resolve(name: str) -> Path:
    """The file of an experiment given by path or by name.

    Raises:
      UserError: if there is none, naming the nearest.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix == ".py":
        raise UserError(f"there is no file {name}")
    for folder in experiment_folders():
        candidate = folder / f"{name}.py"
        if candidate.is_file():
            return candidate
    names = [e.name for e in find_experiments()]
    near = difflib.get_close_matches(name, names, 1, 0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise UserError(f"there is no experiment {name}. {hint}(gm-jax list shows all)")


def load(name: str) -> "Experiment":
    """The experiment of a file (by path or by name, e.g. "digits/vae").

    Raises:
      UserError: where the file is missing, does not parse, fails, or defines no experiment.
    """
    from gm_jax.experiment import Experiment  # jax comes with it; listing does without

    path = resolve(name)
    code, experiment = read_code(path)
    if not callable(vars(code.main).get("get_config")):
        raise UserError(f"{path} defines no get_config() -> Experiment")
    if not isinstance(experiment, Experiment):
        raise UserError(f"{path}: get_config() must return an Experiment, not {experiment!r:.60}")
    return dataclasses.replace(experiment, name=experiment_name(path))
