"""Records to compare. Needs no jax itself; the data of recipes, if they are asked for, do."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from typing import Any

from gm_jax.errors import UserError
from gm_jax.experiment_file import find_experiments, load
from gm_jax.results.entry import Entry
from gm_jax.results.record import Record, read_recorded
from gm_jax.results.settings import data_of, settings


def entry_of_record(record: Record, data: Mapping[str, Any], flat: Mapping[str, Any]) -> Entry:
    """A record to compare.

    Args:
      record: of a run.
      data: what its figures are figures of.
      flat: the settings of its recipe, if known.
    """
    return Entry(
        name=record.name,
        seed=record.seed,
        family=record.family,
        recipe=f"{record.name} {record.digest}",
        settings=flat,
        data={**data, "levels": record.levels or "none"},
        levels=record.levels,
        parameters=record.parameters,
        steps=record.steps,
        examples=record.examples,
        core_minutes=record.core_minutes,
        device_minutes=record.device_minutes,
        finished=True,
        figures=record.figures,
    )


def entries_of_records(patterns: Iterable[str]) -> list[Entry]:
    """The records of recipes that a pattern fits, e.g. "digits/*", with the data of the recipes.

    Raises:
      UserError: for a pattern that no record fits.
    """
    from gm_jax.experiment_json import to_plain

    recorded = [r for file in find_experiments() for r in read_recorded(file.path)]
    chosen: dict[tuple[str, int], Record] = {}
    for pattern in patterns:
        found = [r for r in recorded if _fits(r.name, pattern)]
        if not found:
            raise UserError(f"no record fits {pattern} (gm-jax list shows what is recorded)")
        chosen |= {(r.name, r.seed): r for r in found}
    plain = {name: to_plain(load(name)) for name in dict.fromkeys(name for name, _ in chosen)}
    return [
        entry_of_record(record, data_of(plain[name], "test"), settings(plain[name]))
        for (name, _), record in chosen.items()
    ]


def _fits(name: str, pattern: str) -> bool:
    return fnmatch(name, pattern) or name.startswith(f"{pattern}/")
