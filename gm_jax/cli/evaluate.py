"""gm-jax evaluate."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say, show_figures
from gm_jax.errors import UserError
from gm_jax.strict_json import to_json

if TYPE_CHECKING:
    from gm_jax.evaluation.figure import Figure
    from gm_jax.evaluation.forecasts import LeadTimes
    from gm_jax.evaluation.paired import Paired
    from gm_jax.evaluation.quality import SampleQuality
    from gm_jax.run import Run

_SPOKEN = {
    "half": "at half the distance",
    "double": "at twice the distance",
    "shuffled": "told the times of other frames",
}
_SHORT = ("mse", "ssim", "crps")  # figures shown at other times
_READ, _HELD = 1_000, 10_000  # samples that a classifier reads, and that are held against a split

_NO_PLACE = "none are kept: a file of weights has no folder for them"


@dataclasses.dataclass(frozen=True)
class Evaluate(Command):
    """Score a run on a split. Example: gm-jax evaluate runs/digits/vae --split valid"""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    others: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of further runs that forecast: all together are an ensemble, on the first's data."""
    split: str = "test"
    """train, valid, test, or a split expression such as "test[:100]"."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    experiment: str | None = None
    """File of the run's own classes (default: the one it was trained from, if still the same)."""
    num_samples: int | None = None
    """Effort of the estimate of log p(x), e.g. K of IWAE-K; 0 leaves it out."""
    classifier: Path | None = None
    """Folder of a classifier's run, to read the labels of samples with."""
    features: str | None = None
    """Hold samples against the split, in features of this classifier's run, "random" ones, or
    "inception" (docs/metrics_agreement.md)."""
    num_images: int | None = None
    """Samples that are drawn (default: 1,000 for --classifier, 10,000 for --features)."""
    other_times: bool = False
    """Of forecasts: also at half and twice the distance, where the data have such splits, and told
    shuffled times."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def act(self) -> int:
        """Figures of a run over a split, and of its samples where there is a classifier."""
        from gm_jax.cli.asked import opened
        from gm_jax.cli.output import in_a_name, name_of
        from gm_jax.model import can, require

        if self.others:
            return self._together()
        run = opened(self.run, self.step, self.experiment)
        num_samples = self.num_samples
        if num_samples is not None and not 0 <= num_samples < 2**31:
            raise UserError(f"--num-samples must be 0 to {2**31 - 1}, not {num_samples}")
        if self.num_images is not None and self.num_images < 1:
            raise UserError(f"--num-images must be at least 1, not {self.num_images}")
        if self.other_times:
            require(run.model, run.spec, "forecast")
        read: dict[str, Figure] = {}
        if self.classifier is not None:
            read = run.evaluate_samples(opened(self.classifier), self.num_images or _READ)
        quality = None if self.features is None else self._quality(run, self.features)
        figures = run.evaluate(self.split, num_samples, show_progress=not self.json)
        lead_times = None
        if can(run.model, run.spec, "forecast"):
            lead_times = run.evaluate_lead_times(self.split)
        others = run.evaluate_other_times(self.split) if self.other_times else {}
        if self.json:
            plain: dict[str, Any] = {n: dataclasses.asdict(f) for n, f in (figures | read).items()}
            if quality is not None:
                self._keep(run, quality)
                plain["quality"] = dataclasses.asdict(quality.measured)
            if lead_times is not None:
                plain |= plain_lead_times(lead_times, others)
            told = {"run": str(self.run), "step": run.step, "split": self.split, **plain}
            print(to_json(told))
            return 0
        say("run", f"{self.run} · step {run.step:,}")
        show_figures(self.split, figures)
        if run.spec.log_scale:
            say("", "densities are of the table's own units, with the standardization undone")
        if read:
            show_figures("samples", read)
        if quality is not None:
            show_quality(quality)
            say("pictures", str(self._keep(run, quality) or _NO_PLACE))
        if lead_times is not None:
            ending = name_of(in_a_name(self.split), self.asked_for("step"), run.step)
            show_lead_times(lead_times, others, run, ending)
        return 0

    def _together(self) -> int:
        """Forecasts of an ensemble by lead time.

        Raises:
          UserError: an option is for one run alone.
        """
        from gm_jax.cli.asked import opened_together
        from gm_jax.cli.output import in_a_name, name_of, together_in_a_name

        for name, value in self.asked_for("num_samples", "classifier", "features").items():
            option = f"--{name.replace('_', '-')} {value}"
            raise UserError(f"{option} is for one run, and several are named: leave it out")
        folders = (self.run, *self.others)
        ensemble = opened_together(folders, self.step, self.experiment)
        lead_times = ensemble.evaluate_lead_times(self.split)
        others = ensemble.evaluate_other_times(self.split) if self.other_times else {}
        members = {name: str(run.folder) for name, run in ensemble.runs.items()}
        if self.json:
            figures = plain_lead_times(lead_times, others)
            print(to_json({"members": members, "split": self.split, **figures}))
            return 0
        for name, run in ensemble.runs.items():
            say(name, f"{run.folder} · step {run.step:,}")
        asked_for = {"ensemble": together_in_a_name(folders)} | self.asked_for("step")
        ending = name_of(in_a_name(self.split), asked_for, ensemble.first.step)
        show_lead_times(lead_times, others, ensemble.first, ending)
        return 0

    def _quality(self, run: "Run", name: str) -> "SampleQuality":
        """Samples beside the split, in features of a name or of a classifier's run."""
        from gm_jax.cli.asked import opened
        from gm_jax.evaluation.named_features import is_features_name

        features: Any = name if is_features_name(name) else opened(Path(name))
        num = _HELD if self.num_images is None else self.num_images
        return run.sample_quality(features, num, split=self.split, show_progress=not self.json)

    def _keep(self, run: "Run", quality: "SampleQuality") -> Path | None:
        """Figures go to the run's folder, beside those of other features; so does the picture.

        Weights in a file have no folder: nothing is kept of them.
        """
        from gm_jax.cli.output import in_a_name, name_of, save_grid
        from gm_jax.evaluation.measured import keep_measured
        from gm_jax.training.folder import RunFolder

        if run.folder.is_file():
            return None
        keep_measured(run.folder, quality.measured)
        stem = f"nearest_{in_a_name(quality.measured.features)}"
        name = name_of(stem, self.asked_for("step"), run.step)
        out = RunFolder(run.folder).samples / name
        save_grid(out, quality.picture(run.spec.num_levels))
        return out


def show_quality(quality: "SampleQuality") -> None:
    """A table under a heading that says in which features the figures are."""
    measured = quality.measured
    say("samples", f"{measured.num:,} beside {measured.split}, in features {measured.features}")
    show_figures("", measured.figures)


def plain_lead_times(
    result: "LeadTimes", others: Mapping[str, "LeadTimes"]
) -> dict[str, dict[str, Any]]:
    """For JSON: "lead_times" with power spectra, and "other_times" where they were asked for."""
    spectra = {method: power.tolist() for method, power in result.spectra.items()}
    plain = {"lead_times": {**result.plain(), "spectra": spectra}}
    if others:
        plain["other_times"] = {name: other.plain() for name, other in others.items()}
        plain["other_times"]["shuffled"]["against_own_times"] = _misled(result, others).plain()
    return plain


def show_lead_times(
    result: "LeadTimes", others: Mapping[str, "LeadTimes"], run: "Run", ending: str
) -> None:
    """The table of figures by lead time, beside those of the baselines, and its plots.

    Args:
      result: the figures.
      others: at other times, as `Run.evaluate_other_times`.
      run: in whose folder the plots are written.
      ending: of their names.
    """
    from gm_jax.cli.output import naming
    from gm_jax.data.sequences.checks import extra_shape
    from gm_jax.evaluation.forecasts import BASELINES
    from gm_jax.viz.lead_times import plot_lead_times
    from gm_jax.viz.spectra import plot_spectra

    for line in result.table():
        say("", line)
    for name, other in others.items():
        say("", "")
        say("", _SPOKEN.get(name, name))
        for line in other.table(*(n for n in _SHORT if n in other.figures[other.chief])):
            say("", line)
    if others:
        ratio = _misled(result, others).overall
        says = f"MSE {ratio.value:.3f} ± {ratio.stderr:.3f} of that with its own times"
        say("shuffled", f"told the times of other frames, the {result.chief} has {says}")
    if result.recommendation:
        say("advice", result.recommendation)
    if run.folder.is_file():
        say("pictures", _NO_PLACE)
        return
    lead, spectrum = (run.folder / f"{stem}_{ending}" for stem in ("lead_times", "spectra"))
    shown = {name: result.spectra[name] for name in ("truth", result.chief, *BASELINES)}
    height, width = extra_shape(run.spec, "context")[1:3]
    with naming(lead):
        plot_lead_times(result.seconds, result.values(), lead)
        plot_spectra(result.seconds, shown, min(height, width), spectrum)
    say("pictures", f"{lead} · {spectrum.name}")


def _misled(result: "LeadTimes", others: Mapping[str, "LeadTimes"]) -> "Paired":
    """Errors with shuffled times beside those with the right ones."""
    from gm_jax.evaluation.paired import compare

    told_wrong, own = (found.errors[result.chief] for found in (others["shuffled"], result))
    return compare(told_wrong, own, result.groups)
