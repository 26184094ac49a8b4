"""Our steps and PyTorch's in turns, each in a fresh process, over several rounds.

    .venv/bin/python -m benchmarks.twins.run --torch-python PYTHON_WITH_TORCH
    .venv/bin/python -m benchmarks.twins.run --systems vae_mlp gan --modes eager --rounds 5

A system is measured only if its twin is one: as many parameters, and the same losses. Measurements
go to benchmarks/records/twins.jsonl one by one; what is there is not measured again, so that a run
may be stopped (Ctrl-C) and goes on. benchmarks.twins.page makes docs/benchmarks.md of them.
"""

import argparse
import contextlib
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.twins import records
from benchmarks.twins.pausing import paused_results
from benchmarks.twins.systems import SYSTEMS
from benchmarks.twins.timing import positive

ROOT = Path(__file__).parent.parent.parent
MODES = ("eager", "compile")
CHECK_BATCH = 8
CODE = ("gm_jax", "experiments", "benchmarks", ":!benchmarks/records")  # which a figure depends on


class Failed(Exception):
    """A process that ended with an error: its last lines."""


def main() -> None:
    asked = _asked()
    kept = records.read(asked.records)
    have = set() if asked.again else {records.key_of(record) for record in kept}
    wanted = [key for key in _keys(asked) if _whole_key(key, asked) not in have]
    print(f"{len(wanted)} of {len(list(_keys(asked)))} measurements to take", flush=True)
    if wanted and not _has_torch(asked.torch_python):
        sys.exit(f"{asked.torch_python} has no PyTorch: run make bench, or name --torch-python")
    try:
        with (
            paused_results()
            if wanted and not asked.beside_results
            else contextlib.nullcontext([]) as paused
        ):
            if paused:
                print(f"make results is paused (processes {', '.join(map(str, paused))})")
            failed = _measure(wanted, asked)
    except KeyboardInterrupt:
        print("stopped; the same command goes on")
        sys.exit(128 + signal.SIGINT)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _measure(wanted: Iterable[tuple[str, str, str, int]], asked: argparse.Namespace) -> list[str]:
    """Measures and keeps each, and returns what failed."""
    failed: list[str] = []
    checks: dict[str, dict[str, Any]] = {}
    for system, side, mode, number in wanted:
        if system in failed:
            continue
        try:
            if system not in checks:
                checks[system] = _check(system, asked.torch_python)
        except Failed as error:
            failed.append(system)
            print(f"{system}: no twin, so it is not measured\n{error}", flush=True)
            continue
        try:
            record = _measured(system, side, mode, number, asked)
        except Failed as error:
            failed.append(f"{system} {side} {mode}")
            print(f"{system} {side} {mode}: failed\n{error}", flush=True)
            continue
        records.append(record | {"check": checks[system]}, asked.records)
        print(
            f"round {number}  {system:<14} {side:<6} {mode:<8}{record['ms']:10.2f} ms a step",
            flush=True,
        )
    return failed


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--modes", nargs="*", choices=MODES, default=list(MODES))
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter with torch")
    parser.add_argument("--threads", type=positive, default=records.num_cores())
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--again", action="store_true", help="measure also what is there")
    parser.add_argument(
        "--beside-results", action="store_true", help="leave a running make results running"
    )
    parser.add_argument("--records", type=Path, default=records.FILE)
    return parser.parse_args()


def _keys(asked: argparse.Namespace) -> Iterator[tuple[str, str, str, int]]:
    """System, side, mode and round; every second round begins at the other side."""
    for number in range(asked.rounds):
        for system in asked.systems:
            sides = [("ours", "jit"), *(("torch", mode) for mode in asked.modes)]
            for side, mode in sides[:: -1 if number % 2 else 1]:
                yield system, side, mode, number


def _whole_key(key: tuple[str, str, str, int], asked: argparse.Namespace) -> tuple[Any, ...]:
    system, side, mode, number = key
    return records.key_of(_place(system, side, mode, number, asked))


def _place(
    system: str, side: str, mode: str, number: int, asked: argparse.Namespace
) -> dict[str, Any]:
    return {
        "system": system,
        "side": side,
        "mode": mode,
        "round": number,
        "batch": SYSTEMS[system].batch,
        "threads": asked.threads,
        "device": asked.device,
        "machine": records.machine(),
    }


def _measured(
    system: str, side: str, mode: str, number: int, asked: argparse.Namespace
) -> dict[str, Any]:
    options = [system, "--seconds", str(asked.seconds), "--threads", str(asked.threads)]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if side == "ours":
        found = _json_of(sys.executable, "benchmarks.twins.ours_worker", *options, env=_jax(asked))
    else:
        options += ["--mode", mode, "--device", asked.device]
        found = _json_of(asked.torch_python, "benchmarks.twins.torch_side.worker", *options)
    found["device_name"] = found.pop("device")
    return {
        **found,
        **_place(system, side, mode, number, asked),
        "load": load,
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--", *CODE)),
        "date": datetime.date.today().isoformat(),
    }


def _jax(asked: argparse.Namespace) -> dict[str, str]:
    return {"JAX_PLATFORMS": asked.device}


def _has_torch(python: str) -> bool:
    try:
        return not subprocess.run([python, "-c", "import torch"], capture_output=True).returncode
    except OSError:
        return False


def _check(system: str, torch_python: str) -> dict[str, Any]:
    """The figures of a check that holds."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / f"{system}.npz")
        options = (system, file, "--batch", str(CHECK_BATCH))
        # On a CPU, whose products are exact to float32.
        _output(sys.executable, "benchmarks.twins.ours", *options, env={"JAX_PLATFORMS": "cpu"})
        found = _json_of(torch_python, "benchmarks.twins.torch_side.check", file, system)
    names = ("parameters", "loss_difference", "step_difference")
    return {name: found[name] for name in names}


def _json_of(python: str, module: str, *args: str, env: dict[str, str] | None = None) -> Any:
    return json.loads(_output(python, module, *args, env=env).splitlines()[-1])


def _output(python: str, module: str, *args: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [python, "-m", module, *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
        raise Failed(f"{python} -m {module} {' '.join(args)} ended with {done.returncode}:\n{said}")
    return done.stdout


def _git(*args: str) -> str | None:
    try:
        done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


if __name__ == "__main__":
    main()
