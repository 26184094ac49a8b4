"""Experiment files: finding them by name, loading them, reading what they say without running them.

A file holds recipes, functions without arguments: `get_config` is the one that is recommended, and
others are variants of it, asked for as digits/vae:paper.
"""

import ast
import dataclasses
import difflib
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from gm_jax.errors import UserError
from gm_jax.experiment_code import read_code

if TYPE_CHECKING:
    from gm_jax.experiment import Experiment


DEFAULT = "get_config"
"""The recipe that is meant where none is named."""

_BROKEN = "(this file does not parse)"


class ExperimentFile(NamedTuple):
    """One file in an experiments folder.

    Attributes:
      name: e.g. digits/vae.
      path: of the file.
      doc: its docstring.
      variants: names of its recipes but the default one, with their docstrings, in their order.
    """

    name: str
    path: Path
    doc: str
    variants: dict[str, str]

    @property
    def title(self) -> str:
        """The first line of the docstring."""
        return self.doc.split("\n")[0]

    @property
    def recipes(self) -> list[str]:
        """What can be trained: the name, and that of each variant."""
        return [self.name, *(f"{self.name}:{variant}" for variant in self.variants)]


class Recipe(NamedTuple):
    """One function of an experiment file."""

    path: Path
    variant: str

    @property
    def name(self) -> str:
        """E.g. digits/vae, or digits/vae:paper."""
        variant = "" if self.variant == DEFAULT else f":{self.variant}"
        return f"{experiment_name(self.path)}{variant}"

    @property
    def typed(self) -> str:
        """What `load` finds it by, wherever it lies."""
        return f"{self.path}:{self.variant}"


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
                found[name] = describe(path)
    return [found[name] for name in sorted(found)]


def choose(files: Sequence[ExperimentFile], wanted: str) -> list[ExperimentFile]:
    """The experiments of a name, of data of that name, or of a pattern such as mnist*/vae*.

    Raises:
      UserError: where there is none, naming the nearest.
    """
    found = [f for f in files if fnmatch(f.name, wanted) or f.name.startswith(f"{wanted}/")]
    if not found:
        known = [*(f.name for f in files), *sorted({f.name.partition("/")[0] for f in files})]
        near = difflib.get_close_matches(wanted, known, 1, 0.5)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"there is no experiment {wanted}.{hint} (gm-jax list shows all)")
    return found


def experiment_name(path: Path) -> str:
    """experiments/digits/vae.py -> digits/vae."""
    path = path.resolve()
    return f"{path.parent.name}/{path.stem}"


def describe(path: Path) -> ExperimentFile:
    """What a file says of itself. Nothing is executed."""
    name = experiment_name(path)
    try:
        tree = ast.parse(path.read_text())
    except (SyntaxError, UnicodeDecodeError):
        return ExperimentFile(name, path, _BROKEN, {})
    found = {f.name: ast.get_docstring(f) or "" for f in tree.body if _is_variant(f)}
    return ExperimentFile(name, path, ast.get_docstring(tree) or "", found)


def _is_variant(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    """Whether it is a public function without arguments that is annotated `-> Experiment`."""
    if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or node.name == DEFAULT:
        return False
    takes_none = not any(vars(node.args).values())
    returns = "" if node.returns is None else ast.unparse(node.returns)
    return takes_none and returns.strip("'\"").split(".")[-1] == "Experiment"


def resolve(name: str) -> Recipe:
    """The file and the function of an experiment, by path or by name: mnist/pixelcnn:paper.

    Raises:
      UserError: if there is none, naming the nearest.
    """
    base, colon, variant = name.rpartition(":")
    if not colon or Path(name).is_file():
        return Recipe(_find(name), DEFAULT)
    path = _find(base)
    has = describe(path).variants
    if variant not in (DEFAULT, *has):
        near = difflib.get_close_matches(variant, has, len(has), 0.0) if has else []
        instead = f"it has {', '.join(near)}" if has else f"it has one recipe only, {base}"
        raise UserError(f"{base} has no variant {variant}: {instead}")
    return Recipe(path, variant)


def _find(name: str) -> Path:
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
    """The experiment of a file, by path or by name: "digits/vae", "mnist/pixelcnn:paper".

    Raises:
      UserError: where the file is missing, does not parse, fails, or defines no experiment.
    """
    from gm_jax.experiment import Experiment  # jax comes with it; listing does without

    recipe = resolve(name)
    code, experiment = read_code(recipe.path, recipe.variant)
    if not callable(vars(code.main).get(recipe.variant)):
        raise UserError(f"{recipe.path} defines no {recipe.variant}() -> Experiment")
    if not isinstance(experiment, Experiment):
        raise UserError(
            f"{recipe.path}: {recipe.variant}() must return an Experiment, not {experiment!r:.60}"
        )
    return dataclasses.replace(experiment, name=recipe.name)
