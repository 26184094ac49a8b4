"""How values may be written: numbers, nothing and switches as people write them."""

import decimal
import re
from collections.abc import Collection, Sequence
from types import NoneType

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from gm_jax.errors import UserError

_MOST_DIGITS = 40  # of a whole number: 1e999999999 is a slip


def spellings() -> ConstructorRegistry:
    """Rules for tyro: 1e2 is a whole number, and none is None."""
    registry = ConstructorRegistry()

    @registry.primitive_rule
    def whole(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[int] | None:
        if info.type is not int:
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="INT",
            instance_from_str=lambda args: whole_number(args[0]),
            is_instance=lambda x: isinstance(x, int) and not isinstance(x, bool),
            str_from_instance=lambda x: [str(x)],
        )

    @registry.primitive_rule
    def nothing(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[None] | None:
        if info.type is not NoneType:
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="{None}",
            choices=("None", "none"),
            instance_from_str=lambda args: None,
            is_instance=lambda x: x is None,
            str_from_instance=lambda x: ["None"],
        )

    return registry


def whole_number(text: str) -> int:
    """A whole number, also as 1e2 or 100.0.

    Raises:
      ValueError: as `int` does, for anything else.
    """
    try:
        return int(text)
    except ValueError:
        if not re.fullmatch(r"[+-]?\d+(\.\d*)?([eE]\+?\d+)?", text):
            raise
        number = decimal.Decimal(text)
        if number.adjusted() > _MOST_DIGITS or number != int(number):
            raise
        return int(number)


def as_switches(args: Sequence[str], switches: Collection[str]) -> list[str]:
    """What was typed, with `--gated true` as `--gated`, and `--gated false` as `--no-gated`.

    Args:
      args: what was typed.
      switches: names of the options that are true or false, with dashes between words.

    Raises:
      UserError: for another value behind =.
    """
    typed: list[str] = []
    words = list(args)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        name = name.replace("_", "-")
        if name.removeprefix("--") not in switches:
            typed.append(word)
            continue
        if not equals:
            value = words.pop(0) if words and words[0].lower() in ("true", "false") else "true"
        typed.append(_switch(name, value))
    return typed


def _switch(name: str, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise UserError(f"{name} must be true or false, not {value!r}")
    above, dot, last = name.removeprefix("--").rpartition(".")
    return name if value.lower() == "true" else f"--{above}{dot}no-{last}"
