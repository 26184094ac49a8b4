"""Metrics against what other packages said of the same arrays (benchmarks/metric_agreement)."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent.parent / "benchmarks" / "metric_agreement"


@pytest.fixture(scope="module")
def page():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("page")


@pytest.fixture(scope="module")
def rows(page):
    return page.rows()


def test_equal_figures_are_equal(page, rows):
    equal = [row for row in rows if not row.reason]
    assert len(equal) > 30
    off = {(r.figure, r.package): r.difference for r in equal if not r.difference <= page.AGREES}
    assert not off


def test_figures_with_a_reason_do_differ(page, rows):
    """Else the reason is none any more."""
    differ = {(r.figure, r.package): r.difference for r in rows if r.reason}
    assert differ.keys() == page.REASONS.keys()
    assert min(differ.values()) > page.AGREES
    assert max(differ.values()) < 0.01


def test_every_figure_that_was_kept_is_compared_and_told(page, rows):
    figures = page.json.loads((FOLDER / "expected.json").read_text())["figures"]
    assert {(r.figure, r.package) for r in rows} == {(f, p) for f in figures for p in figures[f]}
    text = page.PAGE.read_text()
    for row in rows:
        assert f"| {row.figure} |" in text
        assert f"| {row.package} |" in text
        assert row.reason in text


def test_packages_agree_among_themselves(rows):
    """What one of them is held against is no slip of another one."""
    by_figure = {}
    for row in rows:
        if not row.reason:
            by_figure.setdefault(row.figure, []).append(row.theirs)
    for first, *others in by_figure.values():
        for other in others:
            assert other == pytest.approx(first, rel=1e-6)
