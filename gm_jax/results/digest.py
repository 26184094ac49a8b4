"""A recipe in one number, so that a record knows whether it is still of the recipe as it stands."""

import hashlib
import json
from typing import Any

from gm_jax.earlier_runs import CLASS, without_later_fields
from gm_jax.experiment import Experiment
from gm_jax.experiment_json import Difference, differences, to_plain
from gm_jax.results.settings import NOT_OF_THE_RECIPE


def digest(experiment: Experiment, numerics: int | None = None) -> str:
    """SHA-256 of all that a recipe says, by public names, and of the version of its updates.

    Args:
      experiment: the recipe.
      numerics: the version of the family's updates; None: today's.
    """
    plain = {
        "recipe": _canonical(to_plain(experiment), ""),
        "numerics": experiment.model.numerics if numerics is None else numerics,
    }
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def overrides(recipe: Experiment, experiment: Experiment) -> list[Difference]:
    """The fields of a recipe that were changed."""
    found = differences(recipe, experiment)
    return [
        d
        for d in found
        if d.path.partition("[")[0] not in NOT_OF_THE_RECIPE and not d.path.startswith("sharding.")
    ]


def _canonical(plain: Any, path: str) -> Any:
    if isinstance(plain, list):
        return [_canonical(v, path) for v in plain]
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)  # 1.0 and 1 are one setting
    if not isinstance(plain, dict):
        return plain
    inside = f"{path}." if path else ""
    return {
        key: _canonical(value, f"{inside}{key}")
        for key, value in (without_later_fields(plain) if CLASS in plain else plain).items()
        if f"{inside}{key}" not in NOT_OF_THE_RECIPE
    }
