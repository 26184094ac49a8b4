"""gm-jax forecast."""

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say
from gm_jax.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from gm_jax.cli.questions import Question
    from gm_jax.run import Run

_MOST_NAMED = 6  # times
_OURS = re.compile(r"frame_[\d.]+s\.png|strip\.png|forecast\.gif")


@dataclasses.dataclass(frozen=True)
class Forecast(Command):
    """Say what comes next: frames at any times, a strip and an animation.

    From the last frames of a storm, a folder of <storm>_<NNN>.jpg with their _features.json, or
    from examples of the run's own data.
    Example: gm-jax forecast runs/storms/cae_convlstm --context my_storm --times 3600,5400,+2h
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    times: str | None = None
    """After the last known frame: seconds, or +30min, +2h; commas between (default: those of the
    frames that came)."""
    context: Path | None = None
    """Folder of a storm (default: examples of a split)."""
    storm: str | None = None
    """Which storm, where the folder holds several."""
    at: float | None = None
    """Time of the last known frame, in the storm's seconds (default: its last frame)."""
    split: str = "test"
    """train, valid, test, or a split expression."""
    num: int = 4
    """How many examples of the split."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    experiment: str | None = None
    """File of the run's own classes (default: the one it was trained from, if still the same)."""
    out: Path | None = None
    """A folder (default: forecasts in the run)."""

    def act(self) -> int:
        """Writes each sequence's frames, a strip and an animation into a folder of its own."""
        from gm_jax.cli.asked import opened
        from gm_jax.cli.output import check_out, name_of
        from gm_jax.cli.questions import parse_times, question_of_folder, questions_of_split
        from gm_jax.model import require

        wanted = None if self.times is None else parse_times(self.times)
        run = opened(self.run, self.step, self.experiment)
        require(run.model, run.spec, "forecast")
        out = self.run / "forecasts" if self.out is None else self.out
        check_out(out / "strip.png", ".png")
        if self.context is None:
            for option, value in {"--storm": self.storm, "--at": self.at}.items():
                if value is not None:
                    raise UserError(
                        f"{option} {value} is for a folder of storms: give --context FOLDER"
                    )
            questions = questions_of_split(run, wanted, self.split, self.num)
        else:
            questions = [question_of_folder(run, wanted, self.context, self.storm, self.at)]
        asked_for = self.asked_for("step")
        if wanted is not None:
            asked_for = {"at": times_in_a_name(wanted)} | asked_for
        folders = [out / name_of(q.name, asked_for, run.step, ending="") for q in questions]
        for folder in folders:
            check_folder(folder)
        for question, folder in zip(questions, folders, strict=True):
            write_forecast(run, question, folder)
        return 0


def times_in_a_name(seconds: "np.ndarray") -> str:
    """Wanted times as part of a folder's name."""
    from gm_jax.cli.output import seconds_in_a_name

    named = [seconds_in_a_name(s) for s in seconds]
    if len(named) > _MOST_NAMED:
        return f"{len(named)}_times_{named[0]}_to_{named[-1]}s"
    return "_".join(named) + "s"


def check_folder(folder: Path) -> None:
    """Looks whether a folder may be replaced by a forecast: it holds nothing but an earlier one.

    Raises:
      UserError: where it holds something else, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: give another --out")
    for path in sorted(folder.iterdir()) if folder.exists() else []:
        if not _OURS.fullmatch(path.name):
            raise UserError(
                f"{folder} holds {path.name}, which is of no forecast: give another --out"
            )


def write_forecast(run: "Run", asked: "Question", folder: Path) -> None:
    """One PNG a wanted time, strip.png, and forecast.gif of the known and the forecast frames.

    They are all that is in the folder afterwards.
    """
    import numpy as np

    from gm_jax.cli.output import naming, seconds_in_a_name
    from gm_jax.viz.animation import save_animation
    from gm_jax.viz.grids import save_png, to_pixels
    from gm_jax.viz.strips import forecast_strip, spoken_time
    from gm_jax.whole_file import replacing_folder

    levels = run.spec.num_levels
    known = {"context": asked.context[None], "context_time": asked.context_time[None]}
    known |= {name: value[None] for name, value in asked.conditions.items()}
    drawn = run.forecast(known, asked.times)[0]
    rows = [("forecast", drawn)]
    if asked.came is not None:
        rows.insert(0, ("what came", asked.came))
    strip = forecast_strip(asked.context, asked.context_time, asked.times, rows, levels)
    frames = np.concatenate([asked.context, drawn])
    seconds = np.concatenate([asked.context_time, asked.times])
    pictures = [
        forecast_strip(frames[i : i + 1], seconds[i : i + 1], np.array([]), [], levels)
        for i in range(len(frames))
    ]
    with naming(folder), replacing_folder(folder) as aside:
        for frame, second in zip(drawn, asked.times, strict=True):
            name = f"frame_{seconds_in_a_name(second, digits=7)}s.png"
            save_png(aside / name, to_pixels(frame, levels))
        save_png(aside / "strip.png", strip)
        save_animation(aside / "forecast.gif", pictures, [0.4] * (len(frames) - 1) + [2.0])
    said = ", ".join(spoken_time(s) for s in asked.times)
    say("forecast", f"{folder} · {len(drawn)} frames at {said} · strip.png · forecast.gif")
