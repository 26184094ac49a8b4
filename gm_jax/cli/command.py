"""What a command is: options as fields, and what it does with them."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from gm_jax.cli.parsing import parse


@dataclasses.dataclass(frozen=True)
class Command(abc.ABC):
    """One command of gm-jax. Its docstring and those of its fields are its help.

    The files of commands are all imported to list them. What needs jax is imported by `act`.
    """

    uses_jax: ClassVar[bool] = True

    @classmethod
    def parsed(cls, name: str, argv: Sequence[str]) -> "Command":
        """The command called `name` with the options that were typed behind it.

        Raises:
          UserError: for options that do not fit.
        """
        # One that is a word of Python has "_" behind it.
        fields = dataclasses.fields(cls)
        options = {f.name.rstrip("_").replace("_", "-"): f.default for f in fields}
        return parse(cls, argv, f"gm-jax {name}", options)

    def asked_for(self, *names: str) -> dict[str, Any]:
        """Those of the options of these names that are not as they are by default."""
        fields = {field.name: field.default for field in dataclasses.fields(self)}
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value != fields[name]}

    @abc.abstractmethod
    def act(self) -> int:
        """Does it; returns the exit code."""
