"""Named key streams: every random number is a function of (seed, phase, step, name).

Keys are never split and stored. A name is folded into the key by a stable hash (sha1, not Python's
salted `hash`), so adding a draw changes no other one, and a resumed run draws what the straight run
drew. No device index is folded in: the numbers do not depend on how many devices there are.
"""

import hashlib

import flax.struct
import jax
import numpy as np

PHASES = ("init", "data", "train", "eval", "sample")


def stable_hash(name: str) -> int:
    """The first 4 bytes of sha1(name) as an unsigned integer."""
    return int.from_bytes(hashlib.sha1(name.encode()).digest()[:4], "big")


def numpy_generator(seed: int, *names: str) -> np.random.Generator:
    """NumPy's generator for the draw of these names: for data that are made on the host."""
    return np.random.default_rng([seed, *map(stable_hash, names)])


class Rngs(flax.struct.PyTreeNode):
    """A key from which streams are drawn by name.

    `Rngs(key).at("train", step)("noise/generator")` is the key for one draw; one name, one draw.
    It is a pytree and may be passed through `jit`; step numbers may be traced.
    """

    key: jax.Array

    def at(self, *names: str | int | jax.Array) -> "Rngs":
        """The streams below `names`: strings are hashed, integers (also traced) are folded in."""
        key = self.key
        for name in names:
            key = jax.random.fold_in(key, stable_hash(name) if isinstance(name, str) else name)
        return Rngs(key)

    def __call__(self, name: str) -> jax.Array:
        """The key for the draw `name`."""
        return self.at(name).key


def rngs_from_seed(seed: int) -> Rngs:
    """The root of all streams of an experiment with this seed."""
    return Rngs(jax.random.key(seed))
