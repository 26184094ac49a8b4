"""What is due when is a function of the step, and no dispatch crosses it."""

import itertools

import pytest

from gm_jax.experiment import Training
from gm_jax.training.schedule import Due, Schedule

TRAINING = Training(
    num_steps=50,
    log_every=10,
    eval_every=20,
    checkpoint_every=15,
    sample_every=25,
    steps_per_dispatch=7,
)


def test_what_is_due():
    schedule = Schedule(TRAINING, validates=True)
    due = {step: schedule.due(step) for step in (7, 10, 15, 20, 25, 50)}
    assert due == {
        7: Due(log=False, validate=False, save=False, paint=False),
        10: Due(log=True, validate=False, save=False, paint=False),
        15: Due(log=True, validate=False, save=True, paint=False),  # a line before a checkpoint
        20: Due(log=True, validate=True, save=True, paint=False),
        25: Due(log=False, validate=False, save=False, paint=True),
        50: Due(log=True, validate=True, save=True, paint=True),
    }
    unseen = Schedule(TRAINING, validates=False)
    assert unseen.due(20) == due[10]
    assert unseen.due(50) == Due(log=True, validate=False, save=True, paint=True)


@pytest.mark.parametrize("start", [0, 7, 15, 48])
def test_no_dispatch_crosses_what_is_due(start):
    sizes = list(Schedule(TRAINING, validates=True).sizes(start))
    ends = list(itertools.accumulate(sizes, initial=start))
    assert ends[-1] == 50
    assert {10, 15, 20, 25, 30, 40, 45} & set(range(start + 1, 51)) <= set(ends)
    assert max(sizes) <= 7


def test_a_run_that_goes_on_dispatches_like_a_straight_one():
    straight = list(Schedule(TRAINING, validates=True).sizes(0))
    done = list(itertools.accumulate(straight))
    for i, step in enumerate(done):
        assert list(Schedule(TRAINING, validates=True).sizes(step)) == straight[i + 1 :]
