"""gm-jax list and gm-jax data: what is there. Needs no jax."""

import json
from pathlib import Path

from gm_jax.errors import UserError
from gm_jax.experiment_file import find_experiments


def list_experiments(as_json: bool) -> None:
    """Prints every experiment with its docstring's first line, minutes and score."""
    found = find_experiments()
    if as_json:
        print(json.dumps([{**e._asdict(), "path": str(e.path)} for e in found], indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("experiment", "what", "time", "score", box=None, pad_edge=False)
    for e in found:
        table.add_row(e.name, e.title, e.minutes, e.score)
    Console().print(table)
    print("\nnext      gm-jax train digits/vae")


def data_command(action: str, name: str | None, data_dir: Path | None) -> None:
    """Lists, describes or prepares data sets.

    Raises:
      UserError: where a name is missing or unknown, or the set can't be prepared.
    """
    from gm_jax.data import prepare

    if action == "list":
        if name is not None:
            raise UserError(
                f"gm-jax data list takes no name (gm-jax data info {name} describes it)"
            )
        rows = prepare.list_prepared()
        for prepared in rows:
            print(prepared)
        if not rows:
            print("nothing is prepared yet (gm-jax data prepare mnist)")
        return
    if name is None:
        raise UserError(f"gm-jax data {action} needs a name, e.g. gm-jax data {action} mnist")
    if action == "info":
        print(prepare.describe(name))
    else:
        print(prepare.prepare(name, data_dir))
