"""Experiments to JSON and back, without executing anything from the file."""

import dataclasses
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gm_jax.class_names import class_name, find_class, find_function, find_modules, is_foreign
from gm_jax.data.spec import DataSpec
from gm_jax.earlier_runs import CLASS, as_written_today
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.experiment_code import Code, code_of, find_code

FUNCTION = "function"
"""The key of a function's name in what stands for it in JSON."""

EARLIEST_NUMERICS = 1
"""Of the updates of runs that do not say it."""


class _DamagedError(UserError):
    """Plain values that are no experiment."""


def to_plain(value: Any) -> Any:
    """Dataclasses, tuples and scalars as plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {CLASS: class_name(type(value)), **fields}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    if inspect.isfunction(value):
        return {FUNCTION: class_name(value)}
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UserError(f"a config can hold dataclasses, tuples, scalars and functions, not {value!r}")


def from_plain(value: Any, code: Code | None = None) -> Any:
    """The inverse of `to_plain`, also of what earlier versions wrote; lists come back as tuples.

    Args:
      value: as JSON has it.
      code: where to look first for classes that are not of gm_jax.

    Raises:
      UserError: for a class or a field that this version does not have.
    """
    if isinstance(value, list):
        return tuple(from_plain(v, code) for v in value)
    if not isinstance(value, dict):
        return value
    if FUNCTION in value:
        return find_function(value[FUNCTION], code)
    value = as_written_today(value)
    cls = find_class(value[CLASS], code)
    fields = {k: from_plain(v, code) for k, v in value.items() if k != CLASS}
    unknown = sorted(set(fields) - {f.name for f in dataclasses.fields(cls)})
    if unknown:
        whose = "its code" if is_foreign(value[CLASS]) else "gm_jax (experiment.json says which)"
        raise UserError(
            f"{cls.__name__} has no field {unknown[0]}: the run was made by another version of "
            f"{whose}"
        )
    return cls(**fields)


def load_json(path: Path, code: Code | None = None) -> dict[str, Any]:
    """Reads an experiment.json: {"name", "experiment", "spec", "numerics", "parts"}.

    Args:
      path: of the file, in a run's folder.
      code: that has the classes of somebody's own; None: what the run was trained with.

    Raises:
      UserError: where the file is missing, is no JSON, or holds no experiment, or where a class of
        somebody's own is not to be found.
    """
    plain = read_json(path)
    try:
        if code is None and _needs_code(plain):
            code = find_code(plain["code"], path.parent)
        experiment, spec = experiment_of(plain, code)
    except _DamagedError as error:
        raise _damaged(path, str(error)) from error
    except UserError as error:
        raise error.of(path) from error
    except KeyError as error:
        raise _damaged(path, f"{error} is missing") from error
    return {"numerics": EARLIEST_NUMERICS, **plain, "experiment": experiment, "spec": spec}


def experiment_of(
    plain: Mapping[str, Any], code: Code | None = None
) -> tuple[Experiment, DataSpec]:
    """The experiment, and what its data were like, of what an experiment.json says.

    Args:
      plain: with "experiment" and "spec".
      code: that has the classes of somebody's own.

    Raises:
      UserError: it holds no experiment, or a class is not to be found.
    """
    try:
        experiment, spec = from_plain(plain["experiment"], code), from_plain(plain["spec"], code)
    except UserError:
        raise
    except KeyError as error:
        raise _DamagedError(f"{error} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise _DamagedError(str(error)) from error
    if not isinstance(experiment, Experiment) or not isinstance(spec, DataSpec):
        raise _DamagedError("it holds no experiment")
    return experiment, spec


def read_json(path: Path) -> dict[str, Any]:
    """An experiment.json as plain values.

    Raises:
      UserError: where the file is missing, or is no JSON object.
    """
    try:
        plain = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise UserError(
            f"{path.parent} is no run: it has no {path.name} (gm-jax train makes a run)"
        ) from error
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(plain, dict):
        raise _damaged(path, "it holds no experiment")
    return plain


def code_for(experiment: Experiment) -> Code | None:
    """The file that has an experiment's classes of somebody's own; None where all are of gm_jax.

    It is None, too, for those of a notebook, which no file has.
    """
    names = {kind: class_name(kind) for kind in _kinds_in(experiment)}
    own = [c for c, n in names.items() if is_foreign(n) and not n.startswith("__main__:")]
    return code_of(own, experiment.name.partition(":")[0]) if own else None


def _kinds_in(value: Any) -> list[Any]:
    """The classes and functions that a config is made of."""
    if isinstance(value, list | tuple):
        return [found for v in value for found in _kinds_in(v)]
    if inspect.isfunction(value):
        return [value]
    if not dataclasses.is_dataclass(value):
        return []
    fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
    return [type(value), *_kinds_in(fields)]


def _needs_code(plain: dict[str, Any]) -> bool:
    """Whether a run has what only the file it was trained from can tell: functions, always."""
    if "code" not in plain:
        return False
    if _names(plain, FUNCTION):
        return True
    beside = {Path(name).parts[0].removesuffix(".py") for name in plain["code"]["digests"]}
    modules = {name.partition(":")[0] for name in _names(plain, CLASS) if is_foreign(name)}
    return any(m.partition(".")[0] in beside or not find_modules(m) for m in modules)


def _names(plain: Any, key: str) -> list[str]:
    """What stands for a key anywhere in plain values: the names of all classes, or functions."""
    if isinstance(plain, list):
        return [name for v in plain for name in _names(v, key)]
    if not isinstance(plain, dict):
        return []
    here = [plain[key]] if key in plain else []
    return [*here, *_names(list(plain.values()), key)]


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} is damaged ({reason}): put a copy back, or train in another folder", "--run"
    )


class Difference(NamedTuple):
    """A field at which two configs differ: its dotted path and both values, in short."""

    path: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path} is {self.old} there and {self.new} here"


def differences(old: Any, new: Any, path: str = "") -> list[Difference]:
    """The fields at which two configs differ."""
    if not _same_class(type(old), type(new)):
        return [Difference(path, _short(old), _short(new))]
    if dataclasses.is_dataclass(old):
        found = []
        for field in dataclasses.fields(old):
            name = f"{path}.{field.name}" if path else field.name
            found += differences(getattr(old, field.name), getattr(new, field.name), name)
        return found
    if isinstance(old, tuple) and len(old) == len(new) and any(map(dataclasses.is_dataclass, old)):
        pairs = enumerate(zip(old, new, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{path}[{i}]")]
    same = class_name(old) == class_name(new) if inspect.isfunction(old) else old == new
    return [] if same else [Difference(path, _short(old), _short(new))]


def _same_class(old: type, new: type) -> bool:
    """Whether they are one, or one that was defined again, as notebooks do."""
    if old is new:
        return True
    if not (dataclasses.is_dataclass(old) and dataclasses.is_dataclass(new)):
        return False
    fields = [{f.name for f in dataclasses.fields(cls)} for cls in (old, new)]
    return fields[0] == fields[1] and class_name(old) == class_name(new)


def _short(value: Any) -> str:
    if inspect.isfunction(value):
        return value.__name__
    return type(value).__name__ if dataclasses.is_dataclass(value) else repr(value)
