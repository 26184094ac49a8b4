"""The settings of an experiment as flat plain values, whatever version wrote them. Needs no jax."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gm_jax.earlier_runs import CLASS, as_written_today, without_unused_fields

NOT_OF_THE_RECIPE = (
    "name",
    "seed",
    "sharding",
    "data.device_budget_mib",
    "data.num_threads",
    "training.keep_latest",
    "training.metrics_classifier",
    "training.samples_for_metrics",
    "training.steps_per_dispatch",
)
"""How an experiment is called, how often it is repeated, and what is a matter of the machine."""

# They enter training alone: figures of runs that differ in them are of the same images.
_OF_TRAINING = ("batch_size", "device_budget_mib", "num_threads", "train")
_AUGMENTATIONS = ("HorizontalFlip", "RandomRotation", "RandomResizedCrop", "ColorJitter")

Settings = Mapping[str, Any]
"""By path: names of classes, and scalars or lists of them."""


def settings(plain: Any) -> dict[str, Any]:
    """E.g. {"": "Experiment", "model": "VAE", "model.coder.hidden": [256, 128]}.

    Args:
      plain: an experiment as experiment.json has it, of this version or an earlier one.

    Raises:
      KeyError, TypeError, AttributeError: where it is none.
    """
    flat: dict[str, Any] = {}
    _flatten(plain, "", flat)
    return flat


def recipe_of(flat: Settings) -> str:
    """A text, the same for runs that differ in their seed or in a matter of the machine alone."""
    kept = {
        path: value
        for path, value in flat.items()
        if path not in NOT_OF_THE_RECIPE and not path.startswith("sharding.")
    }
    return json.dumps(kept, sort_keys=True)


def data_of(plain: Mapping[str, Any], split: str) -> dict[str, Any]:
    """The settings on which depends what a figure of a split is a figure of.

    Args:
      plain: an experiment as experiment.json has it.
      split: "test" or "valid".
    """
    others = {"test", "valid"} - {split}
    data = {k: v for k, v in plain["data"].items() if k not in (*_OF_TRAINING, *others)}
    if isinstance(data.get("transforms"), list):
        data["transforms"] = [t for t in data["transforms"] if not _is_augmentation(t)]
    return {path: value for path, value in settings({**plain, "data": data}).items() if _in(path)}


def differing(flats: Sequence[Settings]) -> list[str]:
    """The paths at which settings differ, in their order; those of the recipe, and the seed."""
    paths = dict.fromkeys(path for flat in flats for path in flat)
    ignored = {*NOT_OF_THE_RECIPE} - {"seed"}
    return [
        path
        for path in paths
        if path not in ignored
        and not path.startswith("sharding.")
        and any(flat.get(path, _NONE) != flats[0].get(path, _NONE) for flat in flats)
    ]


_NONE = object()


def _in(path: str) -> bool:
    return path == "data" or path.startswith("data.")


def _is_augmentation(transform: Mapping[str, Any]) -> bool:
    return transform[CLASS].rpartition(":")[2] in _AUGMENTATIONS


def _flatten(value: Any, path: str, flat: dict[str, Any]) -> None:
    inside = f"{path}." if path else ""
    if isinstance(value, dict) and CLASS in value:
        today = without_unused_fields(as_written_today(value))
        flat[path] = _spoken_class(today.pop(CLASS))
        for key, field in today.items():
            _flatten(field, f"{inside}{key}", flat)
    elif isinstance(value, dict):  # a function by its name
        flat[path] = ", ".join(map(str, value.values()))
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
        for i, entry in enumerate(value):
            _flatten(entry, f"{path}[{i}]", flat)
    else:
        flat[path] = [_whole(v) for v in value] if isinstance(value, list) else _whole(value)


def _spoken_class(name: str) -> str:
    """Ours without its module; somebody's own as it is."""
    return name.rpartition(":")[2] if name.startswith("gm_jax") else name


def _whole(value: Any) -> Any:
    """1.0 and 1 are one setting."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
