"""A signal that one of several processes got, noted by all of them at the same step."""

import collections

import jax

from gm_jax.training.processes import several
from gm_jax.training.sharding import DataMesh

_LATER = 2  # dispatches after which an answer is looked at: it is there by then


class SharedSignal:
    """Asks all processes at each dispatch, and never waits for the device to answer."""

    def __init__(self, mesh: DataMesh):
        """`mesh` has the devices that the question goes through."""
        self._mesh = mesh
        self._asked: collections.deque[jax.Array] = collections.deque()

    def agree(self, signum: int | None) -> int | None:
        """The signal by which all stop now, or None.

        Args:
          signum: that this process got, if it got one.
        """
        if not several():
            return signum
        self._asked.append(self._mesh.greatest(signum or 0))
        if len(self._asked) <= _LATER:
            return None
        return int(self._asked.popleft()) or None
