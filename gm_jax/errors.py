"""The errors a user can cause, and small checks that raise them.

The command line answers a `UserError` with its one line and exit code 2; anything else is a bug and
keeps its traceback.
"""

import math
import numbers
from typing import Any


class UserError(Exception):
    """Bad input. The message is one line: what is wrong, where, and what to do.

    It is the same in Python and in a shell, so that it names no flag; `option` does.

    Attributes:
      option: what helps on the command line, such as "--run", which adds it.
    """

    def __init__(self, message: str, option: str | None = None):
        super().__init__(message)
        self.option = option

    def shell_line(self) -> str:
        """The message with the option that helps, for the command line."""
        return str(self) if self.option is None else f"{self} ({self.option})"

    def of(self, where: object) -> "UserError":
        """The same about something: "where: message"."""
        return UserError(f"{where}: {self}", self.option)


class ConfigError(UserError, ValueError):
    """A field of a config has a value it cannot have."""


def _where(config: object, field: str) -> str:
    return f"{type(config).__name__}.{field}"


def _is_finite(value: Any) -> bool:
    """Whether it is a number at all: a config made in Python may hold anything."""
    return isinstance(value, numbers.Real) and math.isfinite(value)


def check_positive(config: object, *fields: str) -> None:
    """Raises ConfigError unless every named field (or every entry of it) is greater than 0."""
    for field in fields:
        value = getattr(config, field)
        values = value if isinstance(value, tuple) else (value,)
        if any(v is not None and not (_is_finite(v) and v > 0) for v in values):
            raise ConfigError(f"{_where(config, field)} must be greater than 0, not {value!r}")


def check_not_negative(config: object, *fields: str) -> None:
    """Raises ConfigError unless every named field is 0 or greater (None passes)."""
    for field in fields:
        value = getattr(config, field)
        if value is not None and not (_is_finite(value) and value >= 0):
            raise ConfigError(f"{_where(config, field)} must be 0 or greater, not {value!r}")


def check_fraction(config: object, *fields: str) -> None:
    """Raises ConfigError unless every named field lies in [0, 1) (None passes)."""
    for field in fields:
        value = getattr(config, field)
        if value is not None and not (_is_finite(value) and 0 <= value < 1):
            raise ConfigError(f"{_where(config, field)} must be in [0, 1), not {value}")


def check_probability(config: object, *fields: str) -> None:
    """Raises ConfigError unless every named field lies in [0, 1]."""
    for field in fields:
        value = getattr(config, field)
        if not (_is_finite(value) and 0 <= value <= 1):
            raise ConfigError(f"{_where(config, field)} must be in [0, 1], not {value}")


def check_parts(config: object, *fields: str) -> None:
    """Raises ConfigError unless the named fields lie in [0, 1) and leave a part of 1 over."""
    check_fraction(config, *fields)
    if sum(getattr(config, field) for field in fields) >= 1:
        *others, last = fields
        raise ConfigError(f"{_where(config, ', '.join(others))} and {last} must sum to less than 1")


def one_line(error: BaseException) -> str:
    """The last line of an error's message, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
