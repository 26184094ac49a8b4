"""gm-jax list."""

import dataclasses
import json
from typing import ClassVar

from gm_jax.cli.command import Command
from gm_jax.experiment_file import find_experiments


@dataclasses.dataclass(frozen=True)
class List(Command):
    """List the experiments: what each is, how long it takes, what to expect."""

    json: bool = False
    """Print one JSON array instead of a table."""

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        """Prints every experiment with its docstring's first line and variants."""
        found = find_experiments()
        if self.json:
            told = [{"name": e.name, "title": e.title, "path": str(e.path)} for e in found]
            print(json.dumps(told, indent=1))
            return 0
        from rich.console import Console
        from rich.table import Table

        table = Table("experiment", "what", "variants", box=None, pad_edge=False)
        for e in found:
            table.add_row(e.name, e.title, " ".join(f":{v}" for v in e.variants))
        Console().print(table)
        print("\nnext      gm-jax train digits/vae")
        return 0
