"""What is due after which step, and how many steps are dispatched at once."""

import dataclasses
from collections.abc import Iterator

from gm_jax.experiment import Training
from gm_jax.training.sharding import on_accelerator


@dataclasses.dataclass(frozen=True)
class Due:
    """What is to be done after a step, in this order."""

    log: bool
    validate: bool
    save: bool
    paint: bool


class Schedule:
    """A function of the config and the step alone, so that a resumed run keeps to it."""

    def __init__(self, training: Training, validates: bool):
        """`validates` says whether there is a validation split."""
        self._training = training
        self._validates = validates

    def due(self, step: int) -> Due:
        """What is due after `step`; everything that is done at all is, after the last."""
        training = self._training
        last = step == training.num_steps

        def now(every: int) -> bool:
            return bool(every) and (step % every == 0 or last)

        validate = now(training.eval_every) and self._validates
        save = now(training.checkpoint_every) or validate or last
        return Due(
            # Before a checkpoint too, so that none holds what is not finite.
            log=now(training.log_every) or save,
            validate=validate,
            save=save,
            paint=now(training.sample_every),
        )

    def sizes(self, start: int) -> Iterator[int]:
        """Numbers of steps to dispatch at once, from `start` on; none crosses what is due."""
        training = self._training
        most = training.steps_per_dispatch or (10 if on_accelerator() else 1)
        intervals = (
            training.log_every,
            training.eval_every,
            training.checkpoint_every,
            training.sample_every,
        )
        step = start
        while step < training.num_steps:
            ends = [(step // n + 1) * n for n in intervals if n] + [training.num_steps]
            size = min(most, min(ends) - step)
            yield size
            step += size
