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
    from gm_jax.ensemble import Ensemble
    from gm_jax.run import Run

_MOST_NAMED = 6  # times
_MOST_SHOWN = 4  # members in a strip
_OURS = re.compile(r"(frame|spread|member_\d+)_[\d.]+s\.png|strip\.png|forecast\.gif|ensemble\.npz")


@dataclasses.dataclass(frozen=True)
class Forecast(Command):
    """Say what comes next: frames at any times, a strip and an animation.

    From the last frames of a storm, a folder of <storm>_<NNN>.jpg with their _features.json, or
    from examples of the run's own data. Several runs are an ensemble: their mean and their spread.
    Example: gm-jax forecast runs/storms/cae_convlstm --context my_storm --times 3600,5400,+2h
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    others: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of further runs of data of the same shape: all together are an ensemble."""
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
        from gm_jax.cli.asked import opened, opened_together
        from gm_jax.cli.output import check_out, name_of, together_in_a_name
        from gm_jax.cli.questions import parse_times, question_of_folder, questions_of_split
        from gm_jax.model import require

        wanted = None if self.times is None else parse_times(self.times)
        runs = (self.run, *self.others)
        ensemble = opened_together(runs, self.step, self.experiment) if self.others else None
        run = ensemble.first if ensemble else opened(self.run, self.step, self.experiment)
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
        if ensemble is not None:
            asked_for = {"ensemble": together_in_a_name(runs)} | asked_for
        folders = [out / name_of(q.name, asked_for, run.step, ending="") for q in questions]
        for folder in folders:
            check_folder(folder)
        for question, folder in zip(questions, folders, strict=True):
            if ensemble is None:
                write_forecast(run, question, folder)
            else:
                write_ensemble(ensemble, question, folder)
        for name, member in ensemble.runs.items() if ensemble else ():
            say(name, f"{member.folder} · step {member.step:,}")
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
    from gm_jax.cli.output import naming
    from gm_jax.whole_file import replacing_folder

    drawn = run.forecast(asked.known, asked.times)[0]
    with naming(folder), replacing_folder(folder) as aside:
        _write(aside, asked, drawn, [("forecast", drawn)], run.spec.num_levels)
    _say(folder, asked, "strip.png · forecast.gif")


def write_ensemble(ensemble: "Ensemble", asked: "Question", folder: Path) -> None:
    """As `write_forecast` of the members' mean; the spread and each member beside it.

    Pictures of the spread are scaled, so that the largest is white; ensemble.npz has it in levels.
    """
    import numpy as np

    from gm_jax.cli.output import naming
    from gm_jax.whole_file import replacing_folder

    levels = ensemble.first.spec.num_levels
    found = ensemble.forecast(asked.known, asked.times)
    members, mean, spread = found.members[:, 0], found.mean[0], found.spread[0]
    rounded, largest = np.rint(mean).astype(np.uint8), float(spread.max())
    scaled = np.rint(spread * ((levels - 1) / (largest or 1.0))).astype(np.uint8)
    rows = [("mean", rounded), (f"spread (white: {largest:.3g} levels)", scaled)]
    named = dict(zip(ensemble.runs, members, strict=True))
    with naming(folder), replacing_folder(folder) as aside:
        _write(aside, asked, rounded, [*rows, *[*named.items()][:_MOST_SHOWN]], levels)
        for name, frames in {"spread": scaled, **named}.items():
            _write_frames(aside, name.replace(" ", "_"), asked.times, frames, levels)
        np.savez_compressed(
            aside / "ensemble.npz",
            mean=mean,
            spread=spread,
            members=members,
            times=asked.times,
            names=[str(run.folder) for run in ensemble.runs.values()],
        )
    _say(folder, asked, "mean, spread and members · strip.png · forecast.gif · ensemble.npz")


def _write(
    folder: Path,
    asked: "Question",
    drawn: "np.ndarray",
    rows: "list[tuple[str, np.ndarray]]",
    levels: int,
) -> None:
    """The frames drawn, a strip with rows below what came, and an animation."""
    import numpy as np

    from gm_jax.viz.animation import save_animation
    from gm_jax.viz.grids import save_png
    from gm_jax.viz.strips import forecast_strip

    if asked.came is not None:
        rows = [("what came", asked.came), *rows]
    strip = forecast_strip(asked.context, asked.context_time, asked.times, rows, levels)
    frames = np.concatenate([asked.context, drawn])
    seconds = np.concatenate([asked.context_time, asked.times])
    pictures = [
        forecast_strip(frames[i : i + 1], seconds[i : i + 1], np.array([]), [], levels)
        for i in range(len(frames))
    ]
    _write_frames(folder, "frame", asked.times, drawn, levels)
    save_png(folder / "strip.png", strip)
    save_animation(folder / "forecast.gif", pictures, [0.4] * (len(frames) - 1) + [2.0])


def _write_frames(
    folder: Path, name: str, times: "np.ndarray", frames: "np.ndarray", levels: int
) -> None:
    """One PNG a time."""
    from gm_jax.cli.output import seconds_in_a_name
    from gm_jax.viz.grids import save_png, to_pixels

    for frame, second in zip(frames, times, strict=True):
        path = folder / f"{name}_{seconds_in_a_name(second, digits=7)}s.png"
        save_png(path, to_pixels(frame, levels))


def _say(folder: Path, asked: "Question", also: str) -> None:
    from gm_jax.viz.strips import spoken_time

    said = ", ".join(spoken_time(s) for s in asked.times)
    say("forecast", f"{folder} · {len(asked.times)} frames at {said} · {also}")
