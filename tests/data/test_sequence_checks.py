"""Times and contexts that cannot be forecast from."""

import numpy as np
import pytest

from gm_jax.data.sequences.checks import check_forecast, check_times, forecast_spec
from gm_jax.errors import UserError

SPEC = forecast_spec((12, 13, 1), context=3, targets=2)
CONTEXT = {
    "context": np.zeros((2, 3, 12, 13, 1), np.uint8),
    "context_time": np.array([[-3000, -900, 0], [-5000, -2000, 0]], np.float32),
}
TIMES = np.array([[1000, 2500], [500, 4000]], np.float32)


@pytest.mark.parametrize(
    ("times", "line"),
    [
        ([], "no times are wanted"),
        ([[100.0, np.nan]], "not a finite number"),
        ([0.0, 100.0], "the wanted time 0 s is not after the last known frame"),
        ([[5.0, 6.0], [-3.0, 6.0]], "the wanted time -3 s is not after"),
        ([[1.0, 2.0], [7.0, 6.0]], "6 s comes after 7 s"),
        ([100.0, 200.0, 200.0], "200 s comes after 200 s"),
    ],
)
def test_times_that_cannot_be_forecast(times, line):
    with pytest.raises(UserError, match=line):
        check_times(np.array(times))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"context": CONTEXT["context"][:, 1:]}, "from 3 known frames, not from 2"),
        ({"context": CONTEXT["context"][:, :, :8]}, "takes frames of 12x13x1, not of 8x13x1"),
        ({"context": CONTEXT["context"][0]}, r"must be frames \[B, 3, 12, 13, 1\]"),
        ({"context": CONTEXT["context"] / 255.0}, "must hold uint8 levels, not float64"),
        ({"context_time": CONTEXT["context_time"] + 1}, "must increase and end in 0"),
        ({"context_time": CONTEXT["context_time"][:, ::-1]}, "must increase and end in 0"),
        ({"context_time": CONTEXT["context_time"][:, 1:]}, "need as many context_time"),
    ],
)
def test_contexts_that_do_not_fit(changes, line):
    check_forecast(SPEC, CONTEXT, TIMES)
    with pytest.raises(UserError, match=line):
        check_forecast(SPEC, {**CONTEXT, **changes}, TIMES)
