"""The code that a person names: a file of experiments, executed once, and what lies beside it.

A run of classes that are not of gm_jax stores where their file lies and what was in it. Nothing of
a run's folder is executed: a file is one that a person named, now or when the run was trained, and
then it must be the same one still.
"""

import contextlib
import dataclasses
import hashlib
import importlib
import importlib.machinery
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from gm_jax.errors import UserError

FILE = "experiment-file"
"""What a run calls the module that the file is, wherever it lies and whatever it is called."""

_read: list["Code"] = []  # in this process, in the order of reading


@dataclasses.dataclass(frozen=True, eq=False)
class Code:
    """A file that was executed.

    Attributes:
      path: of the file.
      main: what it defines.
      beside: the modules imported from its folder, by name.
      digests: SHA-256 of the file and of those beside it, by path below the folder.
      function: that was called; it may have imported some of those beside.
    """

    path: Path
    main: ModuleType
    beside: Mapping[str, ModuleType]
    digests: Mapping[str, str]
    function: str = "get_config"

    def module(self, name: str) -> ModuleType | None:
        """The module that a run calls so, if it is of this code.

        The file itself has several names: a run may have been made by importing it, from a notebook
        out of which its classes were then moved, or when files were called experiment_<stem>.
        """
        if name in self.beside:
            return self.beside[name]
        stem = self.path.stem
        return self.main if name in (FILE, "__main__", stem, f"experiment_{stem}") else None

    def defines(self, cls: Any) -> bool:
        """Whether a class or function is of the file, or of one beside it."""
        found: Any = {self.main.__name__: self.main, **self.beside}.get(cls.__module__)
        for part in cls.__qualname__.split("."):
            found = getattr(found, part, None)
        return found is cls

    def record(self) -> dict[str, Any]:
        """What a run keeps of it, for `find_code`."""
        told = {"path": str(self.path), "digests": dict(self.digests)}
        return told if self.function == "get_config" else {**told, "function": self.function}

    def is_on_disk(self) -> bool:
        """Whether none of its files has changed since it was read."""
        return not _changed(self.path.parent, self.digests)


def read_code(path: Path, function: str = "get_config") -> tuple[Code, Any]:
    """Executes a file, unless that was done, and calls one of its functions, if it has it.

    Its folder is importable meanwhile.

    Returns:
      The code, and what the function gave (None without).

    Raises:
      UserError: where the file does not parse, or fails; it names the line.
    """
    given, path = path, path.resolve()
    known = next((code for code in reversed(_read) if code.path == path), None)
    if known is not None and not known.is_on_disk():
        known = None
    _make_way(path.parent)
    if known is not None:
        sys.modules.update(known.beside)
    with _importable(path.parent):
        main = _execute(given, path) if known is None else known.main
        called, made = vars(main).get(function), None
        if callable(called):
            try:
                made = called()
            except (Exception, SystemExit) as error:
                raise UserError(_locate(given, path, error)) from error
        beside = _modules_beside(path.parent)
    if known is not None and known.beside.keys() == beside.keys():
        return known, made
    files = {path, *(Path(module.__file__ or "").resolve() for module in beside.values())}
    digests = {str(f.relative_to(path.parent)): _digest(f) or "" for f in sorted(files)}
    _read.append(Code(path, main, beside, digests, function))
    return _read[-1], made


def code_of(classes: list[Any], path_ends: str) -> Code | None:
    """The code that classes are of, if any was read.

    Args:
      classes: those of an experiment that are not of gm_jax.
      path_ends: folder/stem of the file, for code that only imports them from elsewhere.
    """
    for code in reversed(_read):
        if any(code.defines(cls) for cls in classes):
            return code
    named = (c for c in reversed(_read) if f"{c.path.parent.name}/{c.path.stem}" == path_ends)
    return next(named, None)


def find_code(record: Mapping[str, Any], run: Path) -> Code:
    """The code that a run was trained with, if it is still there as it was.

    Args:
      record: of the run, as `Code.record` has it.
      run: the run's folder, none of which is executed.

    Raises:
      UserError: where it is gone, has changed, or lies in the run's folder; it says what to give.
    """
    path, digests = Path(record["path"]), dict(record["digests"])
    for code in _read:
        if code.path == path and code.digests == digests:
            return code
    if path.resolve().is_relative_to(run.resolve()) or not path.is_file():
        why = "is gone" if not path.is_file() else "lies in the run's own folder"
        raise UserError(
            f"the run's own classes are of {path}, which {why}: give {how('FILE')}", option("FILE")
        )
    if changed := _changed(path.parent, digests):
        raise UserError(
            f"{path.parent / changed[0]} has changed since the run was trained: to open it with "
            f"what is there now, give {how(path)}",
            option(path),
        )
    return read_code(path, record.get("function", "get_config"))[0]


def how(path: Path | str) -> str:
    """How a file of classes is given in Python."""
    return f'experiment="{path}"'


def option(path: Path | str) -> str:
    """How a file of classes is given on the command line."""
    return f"--experiment {path}"


def stored_module(cls: Any) -> str:
    """The name that a run keeps of a class's module."""
    return FILE if any(c.main.__name__ == cls.__module__ for c in _read) else cls.__module__


def _execute(given: Path, path: Path) -> ModuleType:
    """The module of a file's content, under a name of its own in sys.modules.

    Dataclasses, and all that looks at the types of their fields, want to find a class's module.
    """
    content = path.read_bytes()
    digest = hashlib.sha256(str(path).encode() + content).hexdigest()
    spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}_{digest[:8]}", path)
    if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
        raise UserError(f"{given} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    try:
        # What was read, not bytecode: that is looked up by the time of the last change, in seconds.
        exec(spec.loader.source_to_code(content, str(path)), vars(module))
    except SyntaxError as error:
        where = given if error.lineno is None else f"{given}:{error.lineno}"
        raise UserError(f"{where}: syntax error: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise UserError(_locate(given, path, error)) from error
    return module


def _locate(given: Path, path: Path, error: BaseException) -> str:
    """One line with the line of the file that failed."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if Path(f.filename) == path]
    where = f"{given}:{lines[-1]}" if lines else str(given)
    return f"{where}: {type(error).__name__}: {' '.join(str(error).split())}"


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    importlib.invalidate_caches()  # files may be younger than what Python knows of the folder
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _make_way(folder: Path) -> None:
    """Forgets modules of files read before that would be taken for those of this folder."""
    here = _importable_names(folder)
    for code in _read:
        if code.path.parent == folder:
            outdated = not code.is_on_disk()
        else:
            outdated = any(name.partition(".")[0] in here for name in code.beside)
        for name, module in code.beside.items() if outdated else ():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _modules_beside(folder: Path) -> dict[str, ModuleType]:
    """What is imported from a folder, by name."""
    here = _importable_names(folder)
    found = {}
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        file = getattr(module, "__file__", None) if top in here else None
        if file is None or top == "gm_jax":
            continue
        path = Path(file).resolve()
        if path.is_relative_to(folder) and path.relative_to(folder).parts[0] in (top, f"{top}.py"):
            found[name] = module
    return dict(sorted(found.items()))


def _importable_names(folder: Path) -> set[str]:
    return {p.stem if p.suffix == ".py" else p.name for p in folder.iterdir()}


def _changed(folder: Path, digests: Mapping[str, str]) -> list[str]:
    """Which files have another digest, or are gone."""
    return [name for name, digest in digests.items() if _digest(folder / name) != digest]


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
