"""Classes by the names that a run stores: public ones for ours, module and name for others."""

import dataclasses
import functools
import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

from gm_jax.errors import UserError
from gm_jax.experiment_code import FILE, Code, how, option, stored_module
from gm_jax.public_names import public_name


def class_name(cls: Any) -> str:
    """E.g. "gm_jax.models:VAE", or "my_layers:Coder" for a class or function of somebody's own.

    Raises:
      UserError: for what cannot be found by any name.
    """
    if cls.__name__ == "<lambda>":
        raise UserError(
            "a lambda has no name by which a run would find it again: make it a function at the "
            "top of its file"
        )
    if "<locals>" in cls.__qualname__:
        raise UserError(
            f"{cls.__name__} is defined inside a function, where no run would find it again: move "
            "it to the top of its file"
        )
    return public_name(cls) or f"{stored_module(cls)}:{cls.__qualname__}"


def is_foreign(name: str) -> bool:
    """Whether a name is that of a class which is not of gm_jax."""
    return name.partition(":")[0].partition(".")[0] != "gm_jax"


def find_class(name: str, code: Code | None = None) -> Any:
    """The config class of a name.

    Only modules of gm_jax are imported; others count where a person's code has imported them.

    Args:
      name: as a run stores it.
      code: where to look first for classes that are not of gm_jax.

    Raises:
      UserError: where there is none; it says what to do.
    """
    module_name, _, qualname = name.partition(":")
    modules = find_modules(module_name, code)
    for module in modules:
        try:
            cls = functools.reduce(getattr, qualname.split("."), module)
        except AttributeError:
            continue
        if isinstance(cls, type) and dataclasses.is_dataclass(cls):
            return cls
    if not modules or module_name == "__main__":  # some program's: there always is one
        raise UserError(_what_to_do(name), option("FILE"))
    where = code.path if code is not None and is_foreign(name) else "this version"
    raise UserError(f"{name} in experiment.json is no config class of {where}")


def find_function(name: str, code: Code | None = None) -> Any:
    """The function of a name, which a person's file or notebook defines or imports.

    No other counts: what is found is called, and a run's folder may come from anywhere.

    Raises:
      UserError: where there is none; it says what to do.
    """
    module_name, _, qualname = name.partition(":")
    places = [sys.modules["__main__"]] if module_name == "__main__" else []
    if code is not None:
        places += [code.main, *code.beside.values()]
    for place in places:
        found = getattr(place, qualname, None)
        if inspect.isfunction(found) and class_name(found) == name:
            return found
    raise UserError(_what_to_do(name), option("FILE"))


def find_modules(name: str, code: Code | None = None) -> list[ModuleType]:
    """The modules that a name in a run may mean; none for one of somebody's own that is not there.

    Raises:
      UserError: where this version of gm_jax has no such module.
    """
    if is_foreign(name):
        found = (None if code is None else code.module(name), sys.modules.get(name))
        return [module for module in found if module is not None]
    try:
        return [importlib.import_module(name)]
    except ImportError as error:
        raise UserError(f"this version of gm_jax has no {name} ({error})") from error


def _what_to_do(name: str) -> str:
    module, _, qualname = name.partition(":")
    if module == "__main__":
        whose = "defined in a notebook or script: define it there before opening the run"
    elif module == FILE:
        whose = "of the experiment's file"
    else:
        whose = f"not of gm_jax: import {module} before opening the run"
    return f"the run uses {qualname}, which is {whose}, or give a file that has it: {how('FILE')}"
