"""The names by which the world knows the classes of gm_jax, wherever they lie.

A run's folder holds them, so that it opens after any class has moved.
"""

import importlib
from typing import Any

# Packages whose `__all__` says what is public.
_ROOMS = ("gm_jax", "gm_jax.data", "gm_jax.models", "gm_jax.nets", "gm_jax.functional")


def public_name(cls: Any) -> str | None:
    """E.g. "gm_jax.data:Digits"; None for a class that is not exported, a subclass of one too."""
    name = cls.__name__
    for room in _ROOMS:
        package = importlib.import_module(room)
        if name in package.__all__ and getattr(package, name) is cls:
            return f"{room}:{name}"
    return None
