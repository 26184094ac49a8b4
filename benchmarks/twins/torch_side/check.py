"""Whether a module is a twin: as many parameters, and with ours copied in the same losses.

    PYTHON_WITH_TORCH -m benchmarks.twins.torch_side.check FILE.npz SYSTEM

FILE.npz is what benchmarks.twins.ours wrote. Prints one JSON line; exits with 1 if it is none.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.twins.systems import SYSTEMS
from benchmarks.twins.torch_side.base import TwinBase, flip_maps

TOLERANCE = 1e-4
"""Of a loss, times the larger of 1 and the loss."""
STEP_TOLERANCE = 5e-3
"""After steps: Adam's first moves are the signs of gradients, and those near 0 are rounding. Flax
rounds a batch's variance, E[x²] - E[x]², ten times as much as PyTorch: dcgan's third step is off by
1e-3 (by 1e-4 with the variance in two passes); with a b1 of 0.9 for 0.5 it would be by 0.08."""


def make_twin(name: str) -> TwinBase:
    system = SYSTEMS[name]
    module = importlib.import_module(f"benchmarks.twins.torch_side.{system.torch}")
    return module.Twin(system.config)


def below(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def differences(
    ours: Mapping[str, np.ndarray], theirs: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    """Of each loss, as a share of the larger of 1 and ours; NaN counts as none."""
    found = {}
    for name, loss in ours.items():
        off = abs(float(theirs[name].detach()) - float(loss)) / max(1.0, abs(float(loss)))
        found[name] = off if off == off else float("inf")
    return found


def check(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    twin = make_twin(name)
    params = below(arrays, "params/")
    twin.load(params)
    num_ours = sum(p.size for p in params.values())
    num_torch = sum(p.numel() for p in twin.parameters())
    tensors = _mirrored if twin.mirrored else _plain
    batch = tensors(below(arrays, "batch/"))
    at_start = differences(
        below(arrays, "loss/"), twin.losses(batch, tensors(below(arrays, "noise/")))
    )
    steps = sorted({int(key.split("/")[1]) for key in arrays if key.startswith("step/")})
    after: list[dict[str, float]] = []
    for step in steps:
        losses = twin.train_step(batch, tensors(below(arrays, f"step/{step}/noise/")))
        after.append(differences(below(arrays, f"step/{step}/loss/"), losses))
    largest = max(at_start.values())
    largest_after = max((off for step in after for off in step.values()), default=0.0)
    return {
        "system": name,
        "parameters": num_torch,
        "parameters_ours": num_ours,
        "loss_difference": largest,
        "step_difference": largest_after,
        "losses": at_start,
        "steps": after,
        "is_twin": num_ours == num_torch
        and largest <= TOLERANCE
        and largest_after <= STEP_TOLERANCE,
    }


def _plain(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def _mirrored(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return _plain(flip_maps(arrays))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("system", choices=SYSTEMS)
    asked = parser.parse_args()
    with np.load(asked.file) as arrays:
        found = check(asked.system, dict(arrays))
    print(json.dumps(found))
    sys.exit(not found["is_twin"])


if __name__ == "__main__":
    main()
