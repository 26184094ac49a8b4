"""Whether a run gives again what a record says."""

import numpy as np

from gm_jax.evaluation.figure import Figure
from gm_jax.results.repetition import again


def figures(value, stderr=0.01):
    return {"bits_per_dim": Figure(value, "bound", 60, stderr)}


def test_other_seeds_say_how_far_is_far(record):
    recorded = [record(seed=s, figures=figures(v)) for s, v in enumerate((2.0, 2.2, 2.4))]
    (line,) = again(record(figures=figures(2.5)), recorded)
    np.testing.assert_allclose(line.deviations, 0.5 / 0.2)  # by hand: the deviation is 0.2
    assert line.is_near
    assert not line.is_same
    (line,) = again(record(figures=figures(2.5)), recorded[:2])
    np.testing.assert_allclose(line.deviations, 0.5 / 0.01)
    assert not line.is_near


def test_digits_that_are_not_kept_do_not_count(record):
    (line,) = again(record(figures=figures(2.000001)), [record()])
    assert line.is_same
    (line,) = again(record(figures=figures(2.0001, 0.0)), [record(figures=figures(2.0, 0.0))])
    assert not line.is_same
    assert line.deviations is None
    assert not line.is_near


def test_records_of_other_recipes_and_seeds_say_nothing(record):
    others = [record(seed=1), record("some/tiny:paper"), record(digest="as it was")]
    assert again(record(), others) == []
    (line,) = again(record(), [*others, record()])
    assert line.is_same
