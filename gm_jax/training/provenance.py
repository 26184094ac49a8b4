"""What a run was trained by: commit, versions, machine. Each part of a run has its own."""

import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

from gm_jax import __version__

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
_CODE = ("gm_jax", ":(glob)experiments/**/*.py")  # below the checkout


def part_from(step: int) -> dict[str, Any]:
    """What trains a run from `step` on: plain values."""
    return {
        "step": step,
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(uncommitted()),
        "versions": {
            "gm_jax": __version__,
            **{package: importlib.metadata.version(package) for package in _PACKAGES},
        },
        "machine": machine(),
    }


def parts_of(plain: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a run by its experiment.json; one where it is of before there were parts."""
    first = {"step": 0, "commit": plain.get("commit"), "versions": plain.get("versions", {})}
    return plain.get("parts", [first])


def uncommitted() -> list[str]:
    """Files of the code that runs which differ from its commit, where it runs from a checkout."""
    listed = _git("status", "--porcelain", "--untracked-files=all", "--", *_CODE) or ""
    return [line.split(maxsplit=1)[1] for line in listed.splitlines()]


def machine() -> dict[str, Any]:
    """What computes: {"cpu", "cores", "accelerators"}, the last one None where there are none."""
    devices = jax.devices()
    name = devices[0].device_kind if devices[0].platform != "cpu" else None
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "accelerators": None if name is None else f"{len(devices)} {name}",
    }


def cpu_name() -> str:
    """The processor's, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _git(*args: str) -> str | None:
    """What git says of the checkout that the code runs from, if it does."""
    root = _checkout()
    return None if root is None else _run_git(root, *args)


@functools.cache
def _checkout() -> Path | None:
    """The root of the repository that has this file, not one that merely lies around it."""
    here = Path(__file__)
    if _run_git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    root = _run_git(here.parent, "rev-parse", "--show-toplevel")
    return None if root is None else Path(root)


def _run_git(folder: Path, *args: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *args], capture_output=True, text=True, check=True, timeout=20, cwd=folder
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip("\n")
