"""Experiments to JSON and back, without executing anything from the file."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment

_CLASS = "class"


def to_plain(value: Any) -> Any:
    """Dataclasses, tuples and scalars as plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {_CLASS: f"{type(value).__module__}:{type(value).__qualname__}", **fields}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UserError(f"a config can hold dataclasses, tuples and scalars, not {value!r}")


def from_plain(value: Any) -> Any:
    """The inverse of `to_plain`; lists come back as tuples.

    Raises:
      UserError: for a class or a field that this version does not have.
    """
    if isinstance(value, list):
        return tuple(from_plain(v) for v in value)
    if not isinstance(value, dict):
        return value
    cls = _find_class(value[_CLASS])
    fields = {k: from_plain(v) for k, v in value.items() if k != _CLASS}
    unknown = sorted(set(fields) - {f.name for f in dataclasses.fields(cls)})
    if unknown:
        raise UserError(
            f"{cls.__name__} has no field {unknown[0]}: the run was made by another version of "
            "gm_jax (experiment.json says which)"
        )
    return cls(**fields)


def _find_class(name: str) -> Any:
    module, _, qualname = name.partition(":")
    # Only our own modules are imported; others count where the caller has imported them already.
    if module.split(".")[0] == "gm_jax":
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(f"this version of gm_jax has no {module} ({error})") from error
    if module not in sys.modules:
        raise UserError(f"the run uses {name}: import {module} before opening it")
    cls = getattr(sys.modules[module], qualname, None)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise UserError(f"{name} in experiment.json is no config class of this version")
    return cls


def load_json(path: Path) -> dict[str, Any]:
    """Reads an experiment.json: {"name", "experiment", "spec", "versions", "commit"}.

    Raises:
      UserError: where the file is missing, is no JSON, or holds no experiment.
    """
    try:
        plain = json.loads(path.read_text())
        experiment, spec = from_plain(plain["experiment"]), from_plain(plain["spec"])
    except FileNotFoundError as error:
        raise UserError(
            f"{path.parent} is no run: it has no {path.name} (gm-jax train makes a run)"
        ) from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except KeyError as error:
        raise _damaged(path, f"{error} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(experiment, Experiment) or not isinstance(spec, DataSpec):
        raise _damaged(path, "it holds no experiment")
    return {**plain, "experiment": experiment, "spec": spec}


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} is damaged ({reason}): put a copy back, or train in another --run folder"
    )


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Dotted paths at which two configs differ, with both values."""
    if type(old) is not type(new):
        return [f"{path} is {_short(old)} there and {_short(new)} here"]
    if dataclasses.is_dataclass(old):
        found = []
        for field in dataclasses.fields(old):
            name = f"{path}.{field.name}" if path else field.name
            found += differences(getattr(old, field.name), getattr(new, field.name), name)
        return found
    return [] if old == new else [f"{path} is {_short(old)} there and {_short(new)} here"]


def _short(value: Any) -> str:
    return type(value).__name__ if dataclasses.is_dataclass(value) else repr(value)
