"""What `gm-jax forecast` is asked: what is known of a sequence, and which times are wanted."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from gm_jax.cli.output import in_a_name, seconds_in_a_name
from gm_jax.data.sequences.checks import check_times, extra_shape
from gm_jax.data.sequences.storm_files import Storm, StormFiles
from gm_jax.data.sequences.storm_frames import Cut, read_storm
from gm_jax.data.sequences.storms import Storms
from gm_jax.data.store.places import find_path
from gm_jax.errors import UserError
from gm_jax.run import Run

_UNITS = {"": 1, "s": 1, "min": 60, "h": 3600}
_TIME = re.compile(r"\+?\s*(\d+(?:\.\d+)?)\s*(s|min|h|)")
_SAME_TIME = 0.5  # seconds: a frame this near to a wanted time is the truth at it


class Question(NamedTuple):
    """What is known of a sequence, and what is asked.

    Attributes:
      name: of the folder of the answer.
      context: uint8 levels [N, H, W, C].
      context_time: seconds that end in 0, [N].
      times: wanted, seconds, [M].
      came: what came then, uint8 levels [M, H, W, C], where that is known.
      conditions: what the model is told beside the frames, by name.
    """

    name: str
    context: np.ndarray
    context_time: np.ndarray
    times: np.ndarray
    came: np.ndarray | None
    conditions: Mapping[str, np.ndarray] = MappingProxyType({})

    @property
    def known(self) -> dict[str, np.ndarray]:
        """What a forecast starts from, as a batch of one."""
        told = {"context": self.context, "context_time": self.context_time, **self.conditions}
        return {name: value[None] for name, value in told.items()}


def parse_times(text: str) -> np.ndarray:
    """Seconds after the last known frame: "3600,5400", "+30min,+1h", "90s"; float32 [M].

    Raises:
      UserError: for text that is no time, and as `check_times`.
    """
    parts = [part.strip() for part in text.split(",")]
    found = [_TIME.fullmatch(part) for part in parts]
    for part, match in zip(parts, found, strict=True):
        if match is None:
            raise UserError(
                f"--times {text}: {part!r} is no time after the last known frame; give seconds or "
                "+30min, +2h, for example 3600,5400,+2h"
            )
    seconds = np.array([float(m[1]) * _UNITS[m[2]] for m in found if m])
    check_times(seconds)
    return seconds.astype(np.float32)


def questions_of_split(run: Run, wanted: np.ndarray | None, split: str, num: int) -> list[Question]:
    """Examples of the run's own data, at the times wanted or else at their own."""
    batch = run.batch(num, split)
    count = len(batch["image"])
    times, came = batch["time"], [*batch["image"]]
    if wanted is not None:
        times = np.tile(wanted, (count, 1))
        came = known_truth(run, split, batch, times)
    return [
        Question(
            f"{in_a_name(split)}_{batch['index'][i]:05d}",
            batch["context"][i],
            batch["context_time"][i],
            times[i],
            came[i],
            {extra.name: batch[extra.name][i] for extra in run.spec.conditions},
        )
        for i in range(count)
    ]


def known_truth(
    run: Run, split: str, batch: Mapping[str, np.ndarray], times: np.ndarray
) -> list[np.ndarray | None]:
    """What came at other times than those of the examples, where the source can tell."""
    data = run.experiment.data
    named = {"train": data.train, "valid": data.valid, "test": data.test}
    truth = data.source.truth(named.get(split) or split, batch["index"], times)
    return [None] * len(times) if truth is None else [*truth]


def question_of_folder(
    run: Run, wanted: np.ndarray | None, folder: Path, storm: str | None, at: float | None
) -> Question:
    """The last frames of a storm up to the time `at`, and what came at the times wanted.

    Raises:
      UserError: the folder, the storm or the time does not fit.
    """
    num = extra_shape(run.spec, "context")[0]
    files = StormFiles(find_path(folder))
    found = choose_storm(files.read(), storm, folder)
    chosen = read_storm(files.path, found, cut_of(run))
    last = chosen.times[-1] if at is None else at
    known = chosen.times <= last
    if known.sum() < num:
        raise UserError(
            f"storm {chosen.id} in {folder} has {known.sum()} "
            f"{'frame' if known.sum() == 1 else 'frames'} up to {last:g} s, but the "
            f"model forecasts from {num}"
        )
    last = chosen.times[known][-1]
    since = chosen.times - last
    if wanted is None:
        wanted = since[since > 0][: run.spec.shape[0]].astype(np.float32)
        if not len(wanted):
            raise UserError(
                f"no frame of storm {chosen.id} in {folder} comes after {last:g} s: say which "
                "times are wanted, for example --times +30min,+1h"
            )
    nearest = np.abs(since[None] - wanted[:, None])  # [M, T]
    came = chosen.frames[nearest.argmin(1)] if (nearest.min(1) <= _SAME_TIME).all() else None
    name = f"{chosen.id}_{seconds_in_a_name(last, digits=6)}s"
    conditions = conditions_of(run, found, np.flatnonzero(known)[-num:], folder)
    frames, seconds = chosen.frames[known][-num:], since[known][-num:]
    return Question(name, frames, seconds, wanted, came, conditions)


def conditions_of(run: Run, storm: Storm, known: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """What a run is told of a storm beside its frames.

    Args:
      run: that forecasts.
      storm: of the folder.
      known: the numbers of the known frames, [N].
      folder: that the storm lies in; for messages.

    Raises:
      UserError: the storm's json files do not say it.
    """
    ocean = storm.oceans[known[-1]]
    said = {
        "wind_speed": None if storm.winds is None else np.array(storm.winds, np.float32)[known],
        "ocean": None if ocean is None else np.int32(ocean),
    }
    found = {}
    for extra in run.spec.conditions:
        value = said.get(extra.name)
        if value is None:
            raise UserError(
                f"{run.folder} is told {extra.name}, and storm {storm.id} in {folder} has none in "
                "its json files: add it there"
            )
        found[extra.name] = np.asarray(value)
    return found


def cut_of(run: Run) -> Cut:
    """What is made of a folder's frames for a run: what was made of those that it was trained on.

    Where these came from elsewhere, the largest part in the middle that has their proportions.
    """
    source = run.experiment.data.source
    if isinstance(source, Storms):
        return source.cut
    _, height, width, channels = extra_shape(run.spec, "context")
    return Cut((height, width), None, 3 if channels == 3 else 1)


def choose_storm(storms: list[Storm], wanted: str | None, folder: Path) -> Storm:
    """The storm of that id, or the only one.

    Raises:
      UserError: there is none of that id, or there are several and none is named.
    """
    names = ", ".join(s.id for s in storms[:5]) + (", ..." if len(storms) > 5 else "")
    if wanted is None and len(storms) > 1:
        raise UserError(f"{folder} holds {len(storms)} storms ({names}): choose with --storm")
    for storm in storms:
        if wanted in (None, storm.id):
            return storm
    raise UserError(f"--storm {wanted}: {folder} holds {names}")
