"""gm-jax report."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import tyro

from gm_jax.cli.command import Command
from gm_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Report(Command):
    """Make one HTML page of runs: curves, pictures, figures, settings.

    Example: gm-jax report runs/digits/vae runs/digits/gan
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of runs, or folders in which runs lie."""
    out: Path = Path("report.html")
    """The file, which opens in any browser and asks no network for anything."""

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        from gm_jax.cli.output import check_out, naming
        from gm_jax.cli.report import say
        from gm_jax.report.page import make_page
        from gm_jax.results.from_runs import entry_of_run, find_runs
        from gm_jax.whole_file import write_text

        if not self.runs:
            raise UserError("gm-jax report needs runs: gm-jax report runs/digits/vae")
        check_out(self.out, ".html")
        folders = find_runs(self.runs)
        page = make_page([entry_of_run(folder) for folder in folders])
        with naming(self.out):
            write_text(self.out, page)
        num = f"{len(folders)} run{'s' if len(folders) > 1 else ''}"
        say("report", f"{self.out} · {num} · {len(page.encode()) / 1e6:.1f} MB")
        return 0
