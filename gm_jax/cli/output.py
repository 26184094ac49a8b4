"""Where commands write: looked at before anything is computed, and named where it fails."""

import contextlib
import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gm_jax.errors import UserError
from gm_jax.viz.grids import save_png
from gm_jax.whole_file import replacing


def name_of(stem: str, asked_for: Mapping[str, Any], step: int, ending: str = ".png") -> str:
    """A name that says what was asked for, so that what was drawn otherwise is not overwritten.

    Args:
      stem: the name where nothing is asked for.
      asked_for: values by their names; of a step only that one was named counts.
      step: of the run that draws.
      ending: of the file.
    """
    parts = [stem]
    for name, value in asked_for.items():
        shown = in_a_name(str(value).removesuffix(".0"))
        parts.append(name if value is True else f"{name}_{step if name == 'step' else shown}")
    return "_".join(parts) + ending


def in_a_name(text: str) -> str:
    """Text as part of a file's name, such that other text stays other: of test[:50%], say."""
    text = text.replace("%", "pct").replace(":", "-").replace("]", "")
    return re.sub(r"[^\w.+-]", "_", text)


def seconds_in_a_name(seconds: float, digits: int = 1) -> str:
    """Seconds as part of a file's name, with as many digits before the point, or more."""
    whole, _, fraction = np.format_float_positional(seconds, trim="-").partition(".")
    return whole.zfill(digits) + (f".{fraction}" if fraction else "")


def check_out(out: Path, *endings: str) -> None:
    """Looks, before anything is computed, whether a file can be written there.

    Args:
      out: the file.
      endings: one of which it must have; none: any will do.

    Raises:
      UserError: for another ending, or a folder that can't be made or written to.
    """
    if endings and out.suffix not in endings:
        raise UserError(f"--out {out}: the file must end in {' or '.join(endings)}")
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: give a file in it")
    above = next(p for p in (out.parent, *out.absolute().parents) if p.exists())
    if not above.is_dir():
        raise UserError(f"--out {out}: {above} is a file, not a folder")
    if not os.access(above, os.W_OK):
        raise UserError(f"--out {out}: no permission to write in {above}, give another folder")


@contextlib.contextmanager
def naming(out: Path) -> Iterator[None]:
    """Makes the output's folder; a failure to write names the output, not a temporary file."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(out)) from error


def together_in_a_name(folders: Sequence[Path]) -> str:
    """Several runs as part of a file's name: how many, and a digest of where they lie."""
    places = "\n".join(str(folder.resolve()) for folder in folders)
    return f"of_{len(folders)}_{hashlib.sha256(places.encode()).hexdigest()[:8]}"


def split_stem(split: str) -> str:
    """A split's name, or expression, as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "_", split).strip("_")


def save_grid(out: Path, grid: np.ndarray) -> None:
    """Writes a PNG, making its folder; whole or not at all."""
    with naming(out):
        save_png(out, grid)


def save_arrays(out: Path, **arrays: Any) -> None:
    """Writes an .npz, making its folder; whole or not at all."""
    with naming(out), replacing(out) as aside:
        np.savez_compressed(aside, **arrays)


def save_rows(out: Path, array: np.ndarray) -> None:
    """Writes an .npy, making its folder; whole or not at all."""
    with naming(out), replacing(out) as aside:
        np.save(aside, array)


def save_table(out: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a .csv, making its folder; whole or not at all."""
    with naming(out), replacing(out) as aside, aside.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
