"""Curves are thinned, and lose no peak."""

import json
import math

import numpy as np
import pytest

from gm_jax.report.curves import curves_of, names_of, thinned


def test_short_curves_stay_as_they_are():
    lines = [{"step": s, "phase": "train", "loss": 1 / s} for s in (1, 2, 3)]
    lines.append({"step": 3, "phase": "valid", "loss": "nan", "n": 5, "stderr": {"loss": 0.1}})
    lines.append({"step": 3, "phase": "valid", "loss": float("inf"), "ok": True})
    (one,) = curves_of([lines])
    assert one == {
        "loss": {"train": [[1, 2, 3], [1, 0.5, 0.333333]], "valid": [[3, 3], [None] * 2]}
    }


@pytest.mark.parametrize("buckets", [3, 40])
def test_peaks_and_ends_stay(buckets):
    values = np.random.default_rng(0).normal(size=1001)
    values[[400, 777]] = 50, -50
    points = list(enumerate(map(float, values)))
    kept = thinned(points, buckets)
    assert len(kept) <= 2 * buckets + 2
    assert [kept[0], kept[-1]] == [points[0], points[-1]]
    assert {(400, 50.0), (777, -50.0)} <= {*kept}
    assert kept == sorted(kept)
    # Of every stretch of steps both extremes, as NumPy finds them.
    for part in np.array_split(np.arange(1001), 1):
        told = [v for s, v in kept if s in part]
        assert (min(told), max(told)) == (values[part].min(), values[part].max())


def test_every_bucket_keeps_its_extremes_and_a_gap():
    points = [(s, math.sin(s)) for s in range(1000)]
    points[500] = (500, None)
    kept = dict(thinned(points, 10))
    assert kept[500] is None
    for i in range(10):
        inside = [v for s, v in points[100 * i : 100 * (i + 1)] if v is not None]
        told = [v for s, v in kept.items() if 100 * i <= s < 100 * (i + 1) and v is not None]
        assert {min(inside), max(inside)} <= {*told}


def test_a_page_of_long_curves_is_small():
    lines = [
        {"step": s, "phase": "train", **{f"figure_{i}": math.sin(s + i) for i in range(20)}}
        for s in range(1, 4001)
    ]
    text = json.dumps(curves_of([lines] * 12))
    assert len(text) < 2_900_000


def test_the_loss_comes_first():
    lines = [{"step": 1, "phase": "train", "grad_norm": 1.0, "bits_per_dim": 2.0, "loss": 3.0}]
    assert names_of(curves_of([lines])) == ["loss", "bits_per_dim", "grad_norm"]
