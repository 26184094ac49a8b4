"""The tables of docs/benchmarks.md, made of the records: between its two markers.

.venv/bin/python -m benchmarks.twins.page
"""

import argparse
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.twins import records
from benchmarks.twins.systems import SYSTEMS

PAGE = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- twins: begin -->", "<!-- twins: end -->"
NONE = "–"
MODES = ("eager", "compile")

Records = Sequence[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=Path, default=records.FILE)
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args()
    text = asked.page.read_text()
    asked.page.write_text(with_tables(text, tables(records.read(asked.records))))


def with_tables(text: str, made: str) -> str:
    """The page with everything between the markers replaced."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page needs the markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{made}\n{END}{after}"


def tables(kept: Records) -> str:
    """Of each machine, device and number of threads: what was measured, and two tables."""
    if not kept:
        return "No measurement yet: `make bench`.\n"
    groups = records.by(kept, "machine", "device_name", "threads")
    return "\n".join(_tables_of_one(*place, group) for place, group in groups.items())


def _tables_of_one(machine: str, device: str, threads: int, kept: Records) -> str:
    systems = records.by(kept, "system")
    named = [name for name in SYSTEMS if name in systems]
    title = machine if device == "cpu" else f"{device}; {machine}"
    return "\n".join(
        [
            f"### {title}",
            "",
            _told(kept, threads),
            "",
            *_table(
                (
                    "system, batch",
                    "ours, ms",
                    "PyTorch eager, ms",
                    "ratio (range)",
                    "`torch.compile`, ms",
                    "ratio (range)",
                    "images/s, ours",
                    "of the product",
                    "of bandwidth",
                ),
                [_speed(name, systems[name]) for name in named],
            ),
            "",
            *_table(
                (
                    "system",
                    "parameters",
                    "losses differ by",
                    "first step, s: ours / eager / compile",
                    "of it compiling, s: ours / compile",
                    "peak memory, MiB: ours / eager / compile",
                ),
                [_costs(name, systems[name]) for name in named],
            ),
            "",
        ]
    )


def _told(kept: Records, threads: int) -> str:
    """Versions, dates, commits, and the ceilings of the machine."""
    versions = sorted({f"{k} {v}" for r in kept for k, v in r["versions"].items()})
    dates = sorted({r["date"] for r in kept})
    ours = [r for r in kept if r["side"] == "ours"]
    commits = sorted({f"{r['commit']}{' (changed)' * r['changed']}" for r in ours if r["commit"]})
    loads = [r["load"] for r in kept if r["load"] is not None]
    parts = [
        " to ".join(dict.fromkeys((dates[0], dates[-1]))),
        f"{threads} thread{'s' * (threads != 1)}",
        ", ".join(versions),
    ]
    if commits:
        parts.append(f"commit {', '.join(commits)}")
    if loads:
        parts.append(f"load of the machine before each measurement {_range(loads, '.1f')}")
    if ours:
        product = _range([r["product_gflops"] for r in ours], ",.0f")
        bandwidth = _range([r["bandwidth_gb_per_s"] for r in ours], ",.0f")
        parts.append(f"product of float32 matrices {product} GFLOP/s, y ← a x + y {bandwidth} GB/s")
    return "; ".join(parts) + "."


def _speed(name: str, kept: Records) -> list[str]:
    ours = [r for r in kept if r["side"] == "ours"]
    cells = [f"{name}, {kept[0]['batch']}", _median(ours, "ms", _time)]
    for mode in MODES:
        theirs = [r for r in kept if r["mode"] == mode]
        cells += [_median(theirs, "ms", _time), _ratio(ours, theirs)]
    flops = [r["flops"] / r["ms"] / 1e6 / r["product_gflops"] for r in ours if r["flops"]]
    moved = [r["bytes"] / r["ms"] / 1e6 / r["bandwidth_gb_per_s"] for r in ours if r["bytes"]]
    cells.append(_median(ours, "images_per_s", lambda x: f"{x:,.0f}"))
    return cells + [f"{statistics.median(s):.0%}" if s else NONE for s in (flops, moved)]


def _costs(name: str, kept: Records) -> list[str]:
    ours = [r for r in kept if r["side"] == "ours"]
    eager, compiled = ([r for r in kept if r["mode"] == mode] for mode in MODES)
    check = kept[-1]["check"]
    seconds, size = (lambda x: f"{x:.1f}"), (lambda x: f"{x:,.0f}")
    memory = "peak_rss_mib" if kept[0]["device_name"] == "cpu" else "peak_device_mib"
    return [
        name,
        f"{check['parameters']:,}",
        f"{check['loss_difference']:.0e}",
        " / ".join(_median(side, "first_step_s", seconds) for side in (ours, eager, compiled)),
        " / ".join(_median(side, "compile_s", seconds) for side in (ours, compiled)),
        " / ".join(_median(side, memory, size) for side in (ours, eager, compiled)),
    ]


def _ratio(ours: Records, theirs: Records) -> str:
    """Ours / theirs of the rounds that have both: the median and the range."""
    of_round = {r["round"]: r["ms"] for r in theirs}
    ratios = [r["ms"] / of_round[r["round"]] for r in ours if r["round"] in of_round]
    if not ratios:
        return NONE
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def _median(kept: Records, name: str, form: Callable[[float], str]) -> str:
    return form(statistics.median(r[name] for r in kept)) if kept else NONE


def _time(ms: float) -> str:
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}"


def _range(values: Sequence[float], form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


if __name__ == "__main__":
    main()
