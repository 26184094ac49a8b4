"""The base of all configs: fields hold what their types say, however a config is made.

Flags are read by their types as they are parsed. Here the same is done for what is given in Python
or read from JSON: lists become tuples and 3.0 becomes 3 where that is meant; what is of another
type is refused in one line.
"""

import collections.abc
import dataclasses
import functools
import numbers
import pathlib
import types
import typing
from typing import Any

from gm_jax.errors import ConfigError


class Config:
    """Derive a frozen dataclass. Its fields fit their types before its `__post_init__` runs."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        checks = vars(cls).get("__post_init__")
        if checks is None:
            return

        @functools.wraps(checks)
        def fit_first(self: Any) -> None:
            fit_types(self)
            checks(self)

        cls.__post_init__ = fit_first  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        fit_types(self)


def fit_types(config: Any) -> None:
    """Makes the fields of a dataclass fit their types.

    Raises:
      ConfigError: a value is of another type; it names the field.
    """
    cls: Any = type(config)
    for name, hint in _hints(cls).items():
        value = getattr(config, name)
        try:
            fitted = _fit(value, hint)
        except _MisfitError:
            where = f"{type(config).__name__}.{name}"
            raise ConfigError(
                f"{where} must be {spoken_type(hint)}, not {_spoken(value)}"
            ) from None
        if fitted is not value:
            object.__setattr__(config, name, fitted)


def spoken_type(hint: Any) -> str:
    """A type as people say it: "a whole number or None", "a tuple of numbers", "one of [1, 3]"."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, typing.TypeAliasType):
        return spoken_type(hint.__value__)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(spoken_type, args))
    if origin is typing.Literal:
        return f"one of {list(args)}"
    if origin is tuple:
        kinds = [spoken_type(kind) for kind in args if kind is not Ellipsis]
        if len(kinds) == 1 and Ellipsis in args:
            return f"a tuple of {_plural(kinds[0])}"
        return f"a tuple of {len(kinds)} {_plural(kinds[0])}" if len({*kinds}) == 1 else "a tuple"
    if origin is collections.abc.Callable:
        return "a function"
    if hint in _NAMES:
        return _NAMES[hint]
    name = getattr(hint, "__name__", str(hint))
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


class _MisfitError(Exception):
    """A value is of another type."""


_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "text",
    types.NoneType: "None",
    pathlib.Path: "a path",
}

_PLAIN = (str, bytes, numbers.Number, list, tuple, dict, set, type, types.NoneType)


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    """The types of the fields, without annotations; none where they cannot be found."""
    try:
        hints = typing.get_type_hints(cls)
    except NameError:  # written as text, about what was defined inside a function
        return {}
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _fit(value: Any, hint: Any) -> Any:
    """The value as its type has it.

    Raises:
      _MisfitError: it is of another type.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, typing.TypeAliasType):
        return _fit(value, hint.__value__)
    if origin in (typing.Union, types.UnionType):
        return _fit_any(value, args)
    if origin is typing.Literal:
        return _only_if(value in args, value)
    if origin is tuple:
        return _fit_tuple(value, args)
    if origin is collections.abc.Callable:
        return _only_if(callable(value), value)
    if hint is bool:
        return _only_if(isinstance(value, bool), value)
    if hint in (int, float):
        return _fit_number(value, hint)
    if hint is pathlib.Path and isinstance(value, str):
        return pathlib.Path(value)
    if not isinstance(hint, type) or hint is object or isinstance(value, hint):
        return value
    # What is of another class, but not plain, may do as well: one defined again in a notebook, say.
    return _only_if(not isinstance(value, _PLAIN) and hint not in _NAMES, value)


def _fit_any(value: Any, hints: tuple[Any, ...]) -> Any:
    """The first type that the value has as it is, or else that it can be made to fit."""
    fitted = []
    for hint in hints:
        try:
            fitted.append(_fit(value, hint))
        except _MisfitError:
            continue
    _only_if(bool(fitted), value)
    return next((f for f in fitted if f is value), fitted[0])


def _fit_tuple(value: Any, hints: tuple[Any, ...]) -> Any:
    _only_if(isinstance(value, list | tuple), value)
    if hints[-1:] == (Ellipsis,):
        hints = (hints[0],) * len(value)
    _only_if(len(value) == len(hints), value)
    fitted = tuple(_fit(v, hint) for v, hint in zip(value, hints, strict=True))
    same = isinstance(value, tuple) and all(a is b for a, b in zip(fitted, value, strict=True))
    return value if same else fitted


def _fit_number(value: Any, kind: type) -> Any:
    if type(value) is kind:
        return value
    _only_if(isinstance(value, numbers.Real) and not isinstance(value, bool), value)
    _only_if(kind is float or value == value // 1, value)
    return kind(value)


def _only_if(fits: bool, value: Any) -> Any:
    if not fits:
        raise _MisfitError
    return value


def _plural(name: str) -> str:
    word = name.removeprefix("a ").removeprefix("an ")
    return word if word == "text" else f"{word}s"


def _spoken(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}: {value.__name__}() makes one"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
