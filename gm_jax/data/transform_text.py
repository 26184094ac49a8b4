"""Transforms as text, for the command line: `resize:12 quantize:16 color_jitter:hue=0.1`."""

import dataclasses
import difflib
import inspect
import re
from collections.abc import Sequence
from typing import Any

import tyro

from gm_jax.data.transforms import FixedTransform, RandomTransform, SequenceTransform, Transform
from gm_jax.errors import ConfigError


def parse_transform(text: str) -> Transform:
    """A transform from its name and its fields, in their order or by name, with ":" between.

    "center_crop", "resize:12", "resize:12,16:method=box".

    Raises:
      ConfigError: there is no such transform or field, or a field cannot have the value.
    """
    name, *given = text.split(":")
    known = transform_names()
    cls = known.get(name.strip().lower().replace("-", "_"))
    if cls is None:
        near = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"there is no transform {name}; there are {', '.join(known)}.{hint}")
    fields = [field.name for field in dataclasses.fields(cls)]
    values: dict[str, Any] = {}
    for place, part in enumerate(given):
        field, equals, value = part.rpartition("=")
        if not equals and place < len(fields):
            field = fields[place]
        field = field.replace("-", "_")
        if field not in fields or field in values:
            has = f"it has {', '.join(fields)}" if fields else "it has none"
            raise ConfigError(f"{text}: {cls.__name__} has no place for {part} ({has})")
        values[field] = _value(value)
    return cls(**values)


def transform_text(transform: Transform) -> str:
    """The text that `parse_transform` makes the transform of, without what is as by default."""
    fields = dataclasses.fields(transform)
    changed = [(f.name, getattr(transform, f.name)) for f in fields]
    changed = [(n, v) for (n, v), f in zip(changed, fields, strict=True) if v != f.default]
    parts = [f"{name}={_text(value)}" for name, value in changed]
    return ":".join([_snake(type(transform).__name__), *parts])


def transform_names() -> dict[str, type[Transform]]:
    """All transforms by name, those of somebody's own that were imported too."""
    kinds = (Transform, FixedTransform, RandomTransform, SequenceTransform)
    found, waiting = {}, [Transform]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if not inspect.isabstract(cls) and cls not in kinds:
            found[_snake(cls.__name__)] = cls
    return dict(sorted(found.items()))


def _parse_all(texts: Sequence[str]) -> tuple[Transform, ...]:
    return tuple(parse_transform(text) for text in texts)


def _is_transforms(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(v, Transform) for v in value)


TRANSFORMS = tyro.constructors.PrimitiveConstructorSpec(
    nargs="*",
    metavar="[NAME[:VALUE|:FIELD=VALUE]... ...]",
    instance_from_str=_parse_all,
    is_instance=_is_transforms,
    str_from_instance=lambda transforms: [*map(transform_text, transforms)],
)
"""How a field of transforms is read from a command line, as an annotation."""


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _value(text: str) -> Any:
    """A number, several, true, false, none, or else the text; the config checks the type."""
    if "," in text:
        return tuple(_value(part) for part in text.split(","))
    words: dict[str, Any] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return (
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
