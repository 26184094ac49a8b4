"""Several processes that train one run together, through `jax.distributed`.

All of them compute, and take part when a checkpoint is written; the first one alone writes the
rest: records, pictures, what is printed. What the processes wait for outside a step goes through
jax's coordination service, not through the devices: it may take long, as a picture does.
"""

import json
import os
import re
from collections.abc import Callable
from typing import Any, NoReturn

import jax
from jax._src import distributed  # the service's client has no public name

from gm_jax.errors import UserError

HEARTBEAT_SECONDS = 60
"""A process that was not heard of for so long is gone, and the others end."""
_PATIENCE_SECONDS = 3600  # for one that is alive

_turn = 0  # of waiting: the same in all processes, since all do the same


def connect(
    coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Joins the other processes; to be called before anything is computed, and once.

    Args:
      coordinator: host:port of the first process; None: JAX_COORDINATOR_ADDRESS, or what jax finds
        on SLURM, Open MPI, Kubernetes and TPU; likewise the others.
      num_processes: how many there are; JAX_NUM_PROCESSES.
      process_id: which this one is, from 0; JAX_PROCESS_ID.

    Raises:
      UserError: something is missing or can't be, or the others were not found in time.
    """
    if distributed.global_state.client is not None:
        return
    coordinator = coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    count, number = (
        _number("JAX_NUM_PROCESSES", num_processes),
        _number("JAX_PROCESS_ID", process_id),
    )
    if coordinator is not None and not coordinator.rpartition(":")[2].isdigit():
        raise UserError(f"the coordinator must be host:port, not {coordinator!r}", "--coordinator")
    if count is not None and count < 1:
        raise UserError(f"the number of processes must be at least 1, not {count}")
    if number is not None and not 0 <= number < (count or number + 1):
        raise UserError(f"the process id must be 0 to {(count or 1) - 1}, not {number}")
    try:
        jax.distributed.initialize(
            coordinator,
            count,
            number,
            initialization_timeout=300,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=_PATIENCE_SECONDS,
        )
    except ValueError as error:
        raise UserError(
            "several processes need the coordinator's host:port, their number and the id of each "
            f"where neither SLURM nor a TPU tells ({error})",
            "--coordinator, --num-processes, --process-id",
        ) from None
    except RuntimeError as error:
        raise UserError(
            f"the {count or ''} processes did not find each other at {coordinator or 'the first'}: "
            f"start all of them with the same command ({' '.join(str(error).split())[:120]})"
        ) from None


def several() -> bool:
    """Whether there are others."""
    return jax.process_count() > 1


def leads() -> bool:
    """Whether this is the process that writes and prints."""
    return jax.process_index() == 0


def meet() -> None:
    """Waits until all processes are here."""
    if several():
        _client().wait_at_barrier(_key("meet"), _PATIENCE_SECONDS * 1000)


def agreed(value: Any) -> Any:
    """What the first process says, in all of them: a plain value, as JSON has them."""
    if not several():
        return value
    key = _key("agreed")
    if leads():
        _client().key_value_set(key, json.dumps(value))
        return value
    return json.loads(_client().blocking_key_value_get(key, _PATIENCE_SECONDS * 1000))


def first(action: Callable[[], object]) -> None:
    """Does something in the first process alone, and waits for it in the others.

    Raises:
      UserError: it failed there with one; in all processes.
    """
    failure: UserError | None = None
    if leads():
        try:
            action()
        except UserError as error:
            failure = error
            if not several():
                raise
    said = agreed(None if failure is None else [str(failure), failure.option])
    if failure is not None:
        raise failure
    if said is not None:
        raise UserError(*said)


def lost(error: Exception) -> UserError | None:
    """The line for an error of jax that means that another process is gone, else None."""
    own_fault = re.search("RESOURCE_EXHAUSTED|INVALID_ARGUMENT|UNIMPLEMENTED", str(error))
    if not several() or own_fault or not isinstance(error, jax.errors.JaxRuntimeError):
        return None
    return UserError(
        f"process {jax.process_index()} of {jax.process_count()} stops, since another one ended or "
        "can't be reached: the same command in all of them resumes from the last checkpoint "
        f"({' '.join(str(error).split())[:100]})"
    )


def leave(code: int) -> NoReturn:
    """Ends this process at once: at an ordinary end it would wait for those that wait for it."""
    os._exit(code)


def _client() -> Any:
    return distributed.global_state.client


def _key(what: str) -> str:
    global _turn
    _turn += 1
    return f"gm_jax/{what}/{_turn}"


def _number(variable: str, given: int | None) -> int | None:
    text = os.environ.get(variable)
    if given is not None or text is None:
        return given
    if not text.isdigit():
        raise UserError(f"{variable} must be a whole number, not {text!r}")
    return int(text)
