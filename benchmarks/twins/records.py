"""Measurements, one JSON object a line: appended at once, so that an interrupted run goes on."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gm_jax.training.provenance import cpu_name

FILE = Path(__file__).parent.parent / "records" / "twins.jsonl"
KEY = ("system", "side", "mode", "round", "batch", "threads", "device", "machine")


def key_of(record: dict[str, Any]) -> tuple[Any, ...]:
    """What makes it one measurement: a later one of the same key takes its place."""
    return tuple(record.get(name) for name in KEY)


def read(path: Path = FILE) -> list[dict[str, Any]]:
    """The last of each key, in the order of the file; a line that was cut off is none."""
    if not path.exists():
        return []
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in path.read_text().splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[key_of(record)] = record
    return list(found.values())


def append(record: dict[str, Any], path: Path = FILE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cut_off = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write("\n" * bool(cut_off) + json.dumps(record, sort_keys=True) + "\n")


def machine() -> str:
    """Processor and cores, without a look at an accelerator."""
    return f"{cpu_name()}, {num_cores()} cores"


def num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def by(records: Iterable[dict[str, Any]], *names: str) -> dict[Any, list[dict[str, Any]]]:
    """Grouped by one field, or a tuple of several, in their order."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for record in records:
        values = tuple(record[name] for name in names)
        groups.setdefault(values[0] if len(names) == 1 else values, []).append(record)
    return groups
