"""A folder as the Hugging Face Hub has models: weights, config.json, card, picture.

It is written here, and never sent anywhere.
"""

import json
import shutil
from pathlib import Path

from gm_jax.hub.card import CARD, PICTURE, write_card
from gm_jax.run import Run
from gm_jax.weights import FILE_NAME
from gm_jax.whole_file import replacing, write_text

CONFIG = "config.json"


def write_folder(run: Run, folder: Path, licence: str | None = None) -> list[Path]:
    """Writes model.safetensors, config.json and README.md; what else is there stays.

    So does a README.md that is there already, which somebody may have filled in.

    Args:
      run: what to write.
      folder: to make, or to write to.
      licence: as in `gm_jax.hub.card.write_card`.

    Returns:
      What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = run.weights()
    weights.save(folder / FILE_NAME)
    config = {"library_name": "gm_jax", "step": weights.step, **weights.record}
    write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    written = [folder / FILE_NAME, folder / CONFIG]
    if (folder / CARD).exists():
        return written
    beside = _beside(run)
    if not beside:
        return [*written, *write_card(run, folder / CARD, licence)]
    for path in beside:
        with replacing(folder / path.name) as aside:
            shutil.copyfile(path, aside)
    return [*written, *(folder / path.name for path in beside)]


def _beside(run: Run) -> list[Path]:
    """Card and picture that lie with the weights that a run was opened from."""
    if (run.folder / CONFIG).is_file():
        place = run.folder
    elif run.folder.is_file() and (run.folder.parent / CONFIG).is_file():
        place = run.folder.parent
    else:
        return []
    found = [place / name for name in (CARD, PICTURE)]
    return [path for path in found if path.is_file()]
