"""The sweep as a command: all its trainings, and a table of them."""

import dataclasses
import traceback

from gm_jax.cli.command import Command
from gm_jax.cli.failures import failure_line, say_error
from gm_jax.cli.report import say
from gm_jax.cli.sweeps.grid import Trial
from gm_jax.cli.sweeps.outcome import DONE, Outcome, is_done, tell

_SIGNALLED = 128  # exit codes above it mean a signal


@dataclasses.dataclass(frozen=True)
class Sweep(Command):
    """Several trainings. One that fails does not stop the others; the same command resumes them."""

    trials: tuple[Trial, ...]
    jobs: int | None

    def act(self) -> int:
        """Trains them, one after the other here or `jobs` at a time in processes of their own."""
        if self.jobs is None:
            outcomes = self._in_turn()
            stopped = next((o.code for o in outcomes if o.code > _SIGNALLED), None)
        else:
            from gm_jax.cli.sweeps.processes import Processes

            processes = Processes(self.trials, self.jobs)
            outcomes = processes.run()
            stopped = None if processes.signum is None else _SIGNALLED + processes.signum
        if stopped is None:
            return tell(self.trials, outcomes)
        say("sweep", "stopped · the same command resumes")
        return stopped

    def _in_turn(self) -> list[Outcome]:
        """How each ended, up to one that a signal stopped."""
        outcomes: list[Outcome] = []
        for number, trial in enumerate(self.trials, 1):
            done = is_done(trial)
            title = f"{number} of {len(self.trials)} · {trial.described()} · {trial.folder}"
            say("sweep", title + " · done before" * done)
            outcomes.append(DONE if done else train(trial))
            if outcomes[-1].code > _SIGNALLED:
                break
        return outcomes


def train(trial: Trial) -> Outcome:
    """Trains one here; what it fails of is said and kept."""
    try:
        return Outcome(trial.training.act())
    except Exception as error:
        line = failure_line(error)
        if line is not None:
            return Outcome(say_error(line), " ".join(line.split()))
        traceback.print_exc()
        return Outcome(1, f"{type(error).__name__}: {error}")
