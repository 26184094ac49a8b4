"""Tables of sample quality: one for the features of each name, which never share a column.

Needs no jax.
"""

from collections.abc import Iterable

from gm_jax.results.headline import spoken
from gm_jax.results.markdown import table
from gm_jax.results.record import Record

IN_FEATURES = "@"
"""Between a figure's name and its features': fid@mnist/classifier-1a2b3c4d."""
SHOWN = ("fid", "kid", "precision", "recall", "density", "coverage")
"""Figures of samples that records have, in the order they are shown in."""
FLOOR = "fid_floor"
"""FID of so many training images, which records have beside it."""


def samples_tables(records: Iterable[Record]) -> list[str]:
    """A table in Markdown for the features of each name.

    Args:
      records: of one data set, one of each recipe.
    """
    of_features: dict[str, list[Record]] = {}
    for record in records:
        for name in _features(record):
            of_features.setdefault(name, []).append(record)
    heads = ["samples of", *(spoken_name(n) for n in (*SHOWN[:1], FLOOR, *SHOWN[1:])), "samples"]
    return [
        f"In features `{name}`:\n\n{table(heads, [_row(record, name) for record in some])}"
        for name, some in sorted(of_features.items())
    ]


def spoken_name(name: str) -> str:
    """The head of a column."""
    return {"fid": "FID", FLOOR: "of training images", "kid": "KID"}.get(name, name)


def _features(record: Record) -> list[str]:
    """Names of the features in which a record has figures."""
    parts = [name.partition(IN_FEATURES) for name in record.figures]
    return sorted({features for _, at, features in parts if at})


def _row(record: Record, features: str) -> list[str]:
    names = [f"{n}{IN_FEATURES}{features}" for n in (*SHOWN[:1], FLOOR, *SHOWN[1:])]
    found = [record.figures.get(name) for name in names]
    cells = ["–" if f is None else spoken("", f.value, f.stderr).strip() for f in found]
    num = max((f.n for f in found if f is not None), default=0)
    return [f"`{record.name}`", *cells, f"{num:,}"]
