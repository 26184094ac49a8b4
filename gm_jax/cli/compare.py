"""gm-jax compare."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import tyro

from gm_jax.cli.command import Command
from gm_jax.errors import UserError

if TYPE_CHECKING:
    from gm_jax.results.comparison import Comparison
    from gm_jax.results.entry import Entry

_WIDE = 200  # columns, where no terminal breaks lines
_FORMATS = {".md": "markdown", ".csv": "csv", ".json": "json"}


@dataclasses.dataclass(frozen=True)
class Compare(Command):
    """Compare runs of the same data: one table of their figures and what they cost.

    Runs of one recipe that differ in their seed are one row: mean ± standard error over seeds.
    Example: gm-jax compare runs/digits --sort bits_per_dim
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of runs, or folders in which runs lie."""
    records: tuple[str, ...] = ()
    """Records of recipes by pattern, e.g. "digits/*", beside the runs or without any."""
    split: Literal["test", "valid"] = "test"
    """Whose figures; records have those of test."""
    sort: str | None = None
    """Column to sort by, the best first: bits_per_dim, fid, core_minutes, ..."""
    only: tuple[str, ...] = ()
    """Columns to show, by pattern (default: all that have a figure)."""
    speed: bool = False
    """Measure, too, how many images a second each run draws on this machine."""
    format: Literal["auto", "table", "markdown", "csv", "json"] = "auto"
    """auto: what the ending of --out says, else a table."""
    out: Path | None = None
    """File to write to (default: print)."""

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        """Reads records and files of runs alone, but for --speed."""
        from gm_jax.cli.output import check_out, naming
        from gm_jax.results.comparison import compare
        from gm_jax.whole_file import write_text

        if self.out is not None:
            check_out(self.out)
        entries = self._entries()
        comparison = compare(entries, self.sort, self.only)
        by_ending = _FORMATS.get(self.out.suffix, "table") if self.out else "table"
        form = by_ending if self.format == "auto" else self.format
        text = _written(comparison, form, None if self.out is None else _WIDE)
        if self.out is None:
            print(text, end="")
        else:
            with naming(self.out):
                write_text(self.out, text)
            print(f"table     {self.out}")
        if form in ("table", "markdown") or self.out is not None:
            for line in _closing(comparison, self.split, self.runs):
                print(line)
        return 0

    def _entries(self) -> list["Entry"]:
        """What is compared.

        Raises:
          UserError: where nothing was named, or what was is not there.
        """
        from gm_jax.results.comparison import SPEED
        from gm_jax.results.from_records import entries_of_records
        from gm_jax.results.from_runs import entry_of_run, find_runs

        if not self.runs and not self.records:
            raise UserError('gm-jax compare needs runs, or --records "digits/*"')
        if self.records and self.split != "test":
            raise UserError(f"--records have figures of test, and --split is {self.split}")
        runs = [entry_of_run(folder, self.split) for folder in find_runs(self.runs)]
        if self.speed:
            from gm_jax.runtime import set_up

            set_up()
            from gm_jax.results.speed import sampling_speed

            for i, entry in enumerate(runs):
                speed = sampling_speed(entry.folder) if entry.folder and entry.steps else None
                if speed is not None:
                    figures = {**entry.figures, SPEED: speed}
                    runs[i] = dataclasses.replace(entry, figures=figures)
        return [*runs, *(entries_of_records(self.records) if self.records else [])]


def _written(comparison: "Comparison", form: str, width: int | None) -> str:
    from gm_jax.results.markdown import table as markdown_table
    from gm_jax.results.written import cells, heads, notes, to_csv, to_json_text

    match form:
        case "markdown":
            table = markdown_table(heads(comparison), cells(comparison))
            return "\n\n".join([table, *notes(comparison)]) + "\n"
        case "csv":
            return to_csv(comparison)
        case "json":
            return to_json_text(comparison)
        case _:
            return _table(heads(comparison), cells(comparison), width)


def _table(heads: list[str], rows: list[list[str]], width: int | None) -> str:
    """Columns as wide as the terminal lets them be; without one they are not broken."""
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for i, title in enumerate(heads):
        table.add_column(Text(title), overflow="fold", justify="left" if i < 2 else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    out = io.StringIO()
    console = Console(file=out, width=width)
    if width is None and not sys.stdout.isatty():
        console = Console(file=out, width=_WIDE)
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _closing(comparison: "Comparison", split: str, typed: Sequence[Path]) -> list[str]:
    """What the signs mean, and the commands that measure what is missing."""
    from gm_jax.results.written import notes

    entries = [entry for row in comparison.rows for entry in row.entries]
    over = "seeds, or over examples of one" if len(entries) > len(comparison.rows) else "examples"
    figures = f"figures   of {split} · ± standard error over {over} · – not measured"
    runs = [entry for entry in entries if entry.folder is not None]
    commands = [f"gm-jax train {e.name} --run {e.folder}" for e in runs if not e.finished][:1]
    commands += [
        f"gm-jax evaluate {e.folder} --features {_features(e.folder)}"
        for e in runs
        if e.folder is not None and _lacks_quality(e)
    ][:1]
    if typed:
        commands.append(f"gm-jax report {' '.join(map(str, typed))}")
    told = [f"          {note}" for note in notes(comparison)]
    return [figures, *told, *(["next      " + "   ".join(commands)] if commands else [])]


def _lacks_quality(entry: "Entry") -> bool:
    """Whether nothing is known of the quality of a run's samples, though it draws."""
    measured = any(name.startswith("fid@") for name in entry.figures)
    return entry.finished and not measured and entry.draws


def _features(folder: Path) -> str:
    """The classifier beside a run, in whose features its samples can be compared; or random."""
    classifier = folder.parent / "classifier"
    return str(classifier) if (classifier / "experiment.json").is_file() else "random"
