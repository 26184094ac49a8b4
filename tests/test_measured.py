"""Figures of samples, kept in a run's folder."""

import dataclasses
from pathlib import Path

import pytest

from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.measured import Measured, keep_measured, read_measured


def _measured(step: int, value: float) -> Measured:
    return Measured(
        step=step,
        split="test",
        num=1000,
        seed=0,
        features="digits/classifier-12345678",
        figures={"fid": Figure(value, "estimate", 1000), "kid": Figure(0.1, "estimate", 9, 0.01)},
    )


def test_figures_are_read_as_they_were_kept(tmp_path: Path) -> None:
    assert read_measured(tmp_path) == []
    keep_measured(tmp_path, _measured(1, 2.0))
    keep_measured(tmp_path, _measured(2, 3.0))
    assert read_measured(tmp_path) == [_measured(1, 2.0), _measured(2, 3.0)]


def test_the_same_conditions_measured_again_replace_what_was(tmp_path: Path) -> None:
    keep_measured(tmp_path, _measured(1, 2.0))
    keep_measured(tmp_path, _measured(1, 5.0))
    other = dataclasses.replace(_measured(1, 7.0), features="random-00000000")
    keep_measured(tmp_path, other)
    assert read_measured(tmp_path) == [_measured(1, 5.0), other]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "measured.json").write_text("[1")
    with pytest.raises(UserError, match=r"measured.json holds no figures"):
        read_measured(tmp_path)
