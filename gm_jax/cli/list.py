"""gm-jax list."""

import dataclasses
import json
from itertools import groupby
from typing import Annotated, ClassVar

import tyro

from gm_jax.cli.command import Command
from gm_jax.experiment_file import ExperimentFile, choose, find_experiments
from gm_jax.results.record import Record, read_recorded
from gm_jax.results.tables import by_recipe, group_of, spoken_cost, spoken_headline

_WIDTH = 100  # columns of a terminal
_LEAST = 16  # of what an experiment is
_NONE = "–"


@dataclasses.dataclass(frozen=True)
class List(Command):
    """List the experiments: what each is, its best figure, what it costs, its variants.

    Example: gm-jax list mnist
    """

    which: Annotated[str, tyro.conf.Positional] = "*"
    """Data, an experiment, or a pattern such as "mnist*/vae*" (default: all)."""
    json: bool = False
    """Print one JSON array instead of a table."""

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        found = [(f, read_recorded(f.path)) for f in choose(find_experiments(), self.which)]
        if self.json:
            print(json.dumps([_plain(file, records) for file, records in found], indent=1))
            return 0
        rows = [(file.name, *_row(file, records)) for file, records in found]
        for _, group in groupby(rows, lambda row: group_of(row[0])):
            for line in _lines(list(group)):
                print(line)
            print()
        print(f"figures of the test split ({_NONE}: not recorded yet), cost in core-minutes")
        print("next      gm-jax show digits/vae   gm-jax train digits/vae")
        return 0


def _plain(file: ExperimentFile, records: list[Record]) -> dict[str, object]:
    told = dataclasses.asdict
    return {
        "name": file.name,
        "title": file.title,
        "path": str(file.path),
        "variants": list(file.variants),
        "records": [told(record) for record in records],
    }


def _row(file: ExperimentFile, records: list[Record]) -> tuple[str, str, str, str]:
    recommended = dict(by_recipe(records)).get(file.name)
    figure = spoken_headline(recommended, error=False) if recommended else _NONE
    cost = spoken_cost(recommended[0]) if recommended else _NONE
    return file.title.rstrip("."), figure, cost, " ".join(f":{v}" for v in file.variants)


def _lines(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of (name, title, figure, cost, variants) in columns, the title cut to what is left."""
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    rest = _WIDTH - 8 - widths[0] - widths[2] - widths[3]
    variants = min(widths[4], rest - _LEAST)
    title = rest - variants
    return [
        f"{name:<{widths[0]}}  {cut(what, title):<{title}}  {figure:<{widths[2]}}  "
        f"{cost:>{widths[3]}}  {cut(more, variants)}".rstrip()
        for name, what, figure, cost, more in rows
    ]


def cut(text: str, width: int) -> str:
    """The text, or as many whole words of it as fit, and an ellipsis."""
    if len(text) <= width:
        return text
    return text[: max(1, text.rfind(" ", 0, width))].rstrip(" ,:;") + "…"
