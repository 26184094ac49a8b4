"""gm-jax runs."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from gm_jax.cli.command import Command
from gm_jax.errors import UserError
from gm_jax.strict_json import to_json

_WIDE = 200  # columns, where no terminal breaks lines


@dataclasses.dataclass(frozen=True)
class Runs(Command):
    """List the runs in a folder: state, step, headline figure, size. Example: gm-jax runs runs"""

    folder: Annotated[Path, tyro.conf.Positional] = Path("runs")
    """Where runs lie, at any depth."""
    json: bool = False
    """Print one JSON array instead of a table."""

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        """Looks at each run's record; opens no checkpoint."""
        if not self.folder.is_dir():
            raise UserError(f"there is no folder {self.folder} (gm-jax train makes runs in runs/)")
        from gm_jax.results.from_runs import run_folders
        from gm_jax.training.summary import summarize

        found = [summarize(path) for path in run_folders(self.folder)]
        if self.json:
            rows = ({**dataclasses.asdict(run), "folder": str(run.folder)} for run in found)
            print(to_json([*rows], indent=1))
            return 0
        if not found:
            print(f"no run lies in {self.folder} (gm-jax train makes one)")
            return 0
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for title in ("run", "experiment", "state", "step", "headline", "size"):
            table.add_column(title, overflow="fold")
        for run in found:
            step = f"{run.step:,} of {run.num_steps:,}"
            size = f"{run.num_bytes / 1e6:,.1f} MB"
            cells = (str(run.folder), run.experiment, run.state, step, run.headline, size)
            table.add_row(*map(Text, cells))
        Console(width=None if sys.stdout.isatty() else _WIDE).print(table)
        return 0
