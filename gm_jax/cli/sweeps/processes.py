"""Several trainings at a time, each in a process of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from gm_jax.cli.report import say
from gm_jax.cli.sweeps.grid import Trial
from gm_jax.cli.sweeps.outcome import DONE, Outcome, is_done
from gm_jax.training.signals import StopRequest


class Processes:
    """Trains with `jobs` processes at a time; what they print is told with their numbers before it.

    A signal is passed on to each of them, once: they save and stop.
    """

    def __init__(self, trials: Sequence[Trial], jobs: int):
        self.signum: int | None = None
        self._trials, self._jobs = trials, jobs
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[str]] = []

    def run(self) -> list[Outcome]:
        """How each ended; those that a signal kept from starting, too."""
        with StopRequest(self._stop), ThreadPoolExecutor(self._jobs) as pool:
            try:
                return list(pool.map(self._train, range(1, len(self._trials) + 1), self._trials))
            except KeyboardInterrupt:  # the second one: it is not waited for any checkpoint
                self._stop(signal.SIGTERM)
                raise

    def _stop(self, signum: int) -> None:
        with self._lock:
            self.signum = signum
            for process in self._running:
                process.send_signal(signum)

    def _train(self, number: int, trial: Trial) -> Outcome:
        if is_done(trial):
            say("sweep", f"{self._title(number, trial)} · done before")
            return DONE
        with self._lock:  # a signal finds it running, or keeps it from starting
            if self.signum is not None:
                return Outcome(128 + self.signum, "stopped")
            process = start(trial, alone=self._jobs == 1)
            self._running.append(process)
        say("sweep", self._title(number, trial))
        reason = pass_on(process, number)
        with self._lock:
            self._running.remove(process)
        code = process.returncode
        if code < 0:  # a signal of the system's: most often, memory ran out
            return Outcome(128 - code, f"killed by {signal.Signals(-code).name}")
        return Outcome(code, reason) if code else DONE

    def _title(self, number: int, trial: Trial) -> str:
        return f"{number} of {len(self._trials)} · {trial.described()} · {trial.folder}"


def pass_on(process: "subprocess.Popen[str]", number: int) -> str:
    """Prints what a process prints, up to its end; returns its last word on what went wrong."""
    said, error = "", ""
    with process:
        for line in process.stdout or ():
            sys.stdout.write(f"{number:<9} {line}")
            sys.stdout.flush()
            said = line.strip() or said
            error = line.removeprefix("error: ").strip() if line.startswith("error: ") else error
    return error or said


def start(trial: Trial, alone: bool) -> "subprocess.Popen[str]":
    """Starts a process that trains; not in our process group, for signals come through us alone."""
    more = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    if not alone and "XLA_PYTHON_CLIENT_PREALLOCATE" not in os.environ:
        more["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # or the first takes most of a GPU's memory
    return subprocess.Popen(
        [sys.executable, "-m", "gm_jax", "train", *trial.args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=os.environ | more,
        process_group=0,
    )
