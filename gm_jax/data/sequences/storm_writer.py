"""Folders of storms made of any sequences, for demonstrations and tests without a download."""

import json
import pathlib

import numpy as np

from gm_jax.data.source import Source
from gm_jax.errors import UserError


def write_storms(
    source: Source, split: str, num: int, folder: pathlib.Path | str, quality: int = 95
) -> None:
    """Writes examples as `Storms` reads them: `<storm>_<NNN>.jpg`, `<storm>_<NNN>_features.json`.

    Each example is a storm of its own, called after its number, with its known and its wanted
    frames. Times begin at 0 and are rounded to whole seconds, as text.

    Args:
      source: of sequences, such as `SyntheticStorms`.
      split: of it.
      num: of examples, the first ones.
      folder: to be made; that above it must exist.
      quality: of JPEG, 1 .. 95.

    Raises:
      UserError: there is such a folder, with files in it, or the split has fewer examples.
    """
    from PIL import Image

    folder = pathlib.Path(folder).expanduser()
    if not source.spec.is_sequence:
        raise UserError(f"{type(source).__name__} gives no sequences of frames: give other data")
    examples = source.open(split)
    if num > len(examples):
        raise UserError(f"{split} has {len(examples):,} examples, and {num:,} are asked for")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} has files in it already: give another folder")
    folder.mkdir(exist_ok=True)
    for number in range(num):
        example = examples[number]
        frames = np.concatenate([example["context"], example["image"]])
        times = np.concatenate([example["context_time"], example["time"]]).astype(float)
        storm = f"storm{number:05d}"
        for k, (frame, time) in enumerate(zip(frames, times - times[0], strict=True)):
            path = folder / f"{storm}_{k:03d}.jpg"
            Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame).save(
                path, quality=quality
            )
            features = {"storm_id": storm, "relative_time": str(round(time))}
            path.with_name(f"{path.stem}_features.json").write_text(json.dumps(features))
