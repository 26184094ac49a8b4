"""What was measured of a run's samples, kept in its folder. Needs no jax."""

import dataclasses
import json
from pathlib import Path

from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.strict_json import to_json
from gm_jax.whole_file import write_text

_FILE = "measured.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures of one set of samples beside the images of a split.

    Attributes:
      step: of the checkpoint that was sampled.
      split: of the images beside which the samples were held.
      num: samples.
      seed: of the samples.
      features: in which they were compared: name and first digits of the digest, e.g.
        mnist/classifier-1a2b3c4d. Figures of different features are not comparable.
      figures: by plain names, such as fid, kid, precision.
    """

    step: int
    split: str
    num: int
    seed: int
    features: str
    figures: dict[str, Figure]

    @property
    def conditions(self) -> tuple[int, str, int, int, str]:
        """All but the figures: what they are figures of."""
        return self.step, self.split, self.num, self.seed, self.features


def read_measured(folder: Path) -> list[Measured]:
    """What a run's folder keeps; nothing where nothing was measured.

    Raises:
      UserError: where the file can't be read.
    """
    path = folder / _FILE
    if not path.exists():
        return []
    try:
        return [
            Measured(**{**plain, "figures": {n: Figure(**f) for n, f in plain["figures"].items()}})
            for plain in json.loads(path.read_text())
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} holds no figures ({error}): remove it, gm-jax evaluate makes it anew"
        ) from error


def keep_measured(folder: Path, measured: Measured) -> None:
    """Adds figures to those of a run; they replace those of the same conditions."""
    others = [m for m in read_measured(folder) if m.conditions != measured.conditions]
    plain = [dataclasses.asdict(m) for m in [*others, measured]]
    write_text(folder / _FILE, to_json(plain, indent=1) + "\n")
