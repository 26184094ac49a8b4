"""What a finished run of a recipe measured, kept beside the recipe: experiments/digits/vae.json.

A file has a list of records, by recipe and seed. Needs no jax.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.experiment_file import ExperimentFile
from gm_jax.whole_file import write_text

_DIGITS = 6  # that are kept of a number
_FLAT = re.compile(r"\{[^{}\[\]]*\}|\[[^{}\[\]]*\]")  # an object or list without any inside


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One run, trained to its end by a recipe as it stood.

    Attributes:
      name: of the recipe, e.g. mnist/pixelcnn:paper.
      seed: of the run; records of other seeds may lie beside it.
      digest: of the recipe (`gm_jax.results.digest`).
      family: the model's class.
      numerics: the version of its updates.
      levels: of the data's values; None of points.
      parameters: how many are learned.
      step: of the checkpoint that was evaluated.
      steps: of the training.
      examples: seen in training, repeated ones too.
      stopped_early: whether its patience ran out.
      core_minutes: CPU time of training and validating, user and system, of all cores.
      device_minutes: time of training times accelerators; None without.
      peak_mib: the most memory resident; None where it was not measured.
      machine: as `gm_jax.training.provenance.machine`; None where it was not kept.
      versions: of packages.
      commit: of the code; None of an installed package.
      date: on which it ended, YYYY-MM-DD.
      figures: of the test split, and of samples.
      valid: figures of the validation split at the same step.
      lead_times: forecasts beside baselines, as `LeadTimes.plain`; None of other families.
      picture: its file in docs/pictures/records; None without.
    """

    name: str
    seed: int
    digest: str
    family: str
    numerics: int
    levels: int | None
    parameters: int
    step: int
    steps: int
    examples: int
    stopped_early: bool
    core_minutes: float
    device_minutes: float | None
    peak_mib: int | None
    machine: dict[str, Any] | None
    versions: dict[str, str]
    commit: str | None
    date: str
    figures: dict[str, Figure]
    valid: dict[str, float]
    lead_times: dict[str, Any] | None = None
    picture: str | None = None

    @property
    def experiment(self) -> str:
        """The name without that of a variant."""
        return self.name.partition(":")[0]


def records_file(experiment: Path) -> Path:
    """Where the records of an experiment file lie."""
    return experiment.with_suffix(".json")


def read_recorded(experiment: Path) -> list[Record]:
    """The records of an experiment file; none where there is no file of them.

    Raises:
      UserError: where they can't be read.
    """
    path = records_file(experiment)
    if not path.exists():
        return []
    try:
        return [_from_plain(plain) for plain in json.loads(path.read_text())]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} holds no records ({error}): take it back from git, or remove it"
        ) from error


def keep(record: Record, file: ExperimentFile) -> Path:
    """Writes a record beside its experiment; returns the file.

    It replaces the one of the same recipe and seed. Those of other digests, and of recipes that the
    file no longer has, go: they are measurements of something that is not there.
    """
    others = [
        other
        for other in read_recorded(file.path)
        if other.name in file.recipes
        and (other.name != record.name or other.digest == record.digest)
        and (other.name, other.seed) != (record.name, record.seed)
    ]
    records = sorted([*others, record], key=lambda r: (r.name, r.seed))
    path = records_file(file.path)
    plain = [_rounded(dataclasses.asdict(r)) for r in records]
    text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, _FLAT.sub(lambda flat: " ".join(flat[0].split()), text) + "\n")
    return path


def _from_plain(plain: dict[str, Any]) -> Record:
    figures = {name: Figure(**figure) for name, figure in plain["figures"].items()}
    return Record(**{**plain, "figures": figures})


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
