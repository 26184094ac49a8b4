"""The pages that are made of records: what stands between two marks of a page. Needs no jax."""

import re
from collections.abc import Callable
from pathlib import Path

from gm_jax.errors import UserError
from gm_jax.experiment_file import describe
from gm_jax.results.record import read_recorded
from gm_jax.results.tables import Recorded, comparison, gallery, readme_table, results_tables
from gm_jax.whole_file import write_text

_BEGIN = "<!-- made of records by `gm-jax results`: begin -->"
_END = "<!-- made of records: end -->"

PAGES: dict[str, Callable[[list[Recorded]], str]] = {
    "README.md": readme_table,
    "docs/results.md": results_tables,
    "docs/gallery.md": gallery,
    "docs/comparison.md": comparison,
}
"""Pages below a checkout, and what makes their part of records."""

PICTURES = Path("docs/pictures/records")
"""Where pictures of records lie below a checkout."""


def checkout_of(experiment: Path) -> Path | None:
    """The checkout that an experiment file is of, if it has pages made of records."""
    root = experiment.resolve().parent.parent.parent
    folder = experiment.resolve().parent.parent.name
    return root if folder == "experiments" and (root / "docs" / "results.md").is_file() else None


def remake(root: Path) -> list[Path]:
    """Makes all pages of a checkout anew; returns those that changed.

    Raises:
      UserError: where a page or its marks are missing, or records can't be read.
    """
    changed = []
    for path, text in made_pages(root).items():
        if path.read_text() != text:
            write_text(path, text)
            changed.append(path)
    return changed


def made_pages(root: Path) -> dict[Path, str]:
    """The pages of a checkout as they should be.

    Raises:
      UserError: as `remake`.
    """
    files = sorted((root / "experiments").glob("*/*.py"))
    recorded = [
        Recorded(describe(file), read_recorded(file)) for file in files if file.stem != "__init__"
    ]
    return {root / name: _with_part(root / name, make(recorded)) for name, make in PAGES.items()}


def picture_name(recipe: str) -> str:
    """mnist/pixelcnn:paper -> mnist-pixelcnn-paper.png."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", recipe) + ".png"


def _with_part(path: Path, part: str) -> str:
    if not path.is_file():
        raise UserError(f"{path} is missing, which is made of records: take it back from git")
    before, begin, rest = path.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise UserError(f"{path} has lost its marks ({_BEGIN} and {_END}): put them back")
    return f"{before}{_BEGIN}\n\n{part}\n\n{_END}{after}"
