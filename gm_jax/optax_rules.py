"""Optimizers of optax by name, and functions of somebody's own that make one."""

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from gm_jax.errors import ConfigError

Rule = Callable[[Any], optax.GradientTransformation]
"""Makes an optimizer of a learning rate, which is a number or a schedule."""

# What optax calls what fields of `Optimizer` say, where it is not by the same name.
_PARAMETERS = {
    "b1": ("b1", "beta", "momentum"),
    "b2": ("b2", "decay"),
    "eps": ("eps",),
    "weight_decay": ("weight_decay",),
}
_MASKS = ("mask", "weight_decay_mask")  # which parameters decay
_OTHERWISE = ("scale_by_", "schedule_free", "_")  # no optimizers, or evaluated with other weights


@functools.cache
def optax_rules() -> dict[str, Callable[..., optax.GradientTransformation]]:
    """Functions of optax that make an optimizer of a learning rate alone, by name."""
    found = {}
    for room in (optax.contrib, optax):  # what has left contrib counts
        for name, function in vars(room).items():
            if not inspect.isfunction(function) or name.startswith(_OTHERWISE):
                continue
            parameters = inspect.signature(function).parameters
            needed = {n for n, p in parameters.items() if p.default is p.empty}
            if "learning_rate" in parameters and needed <= {"learning_rate"}:
                found[name] = function
    return dict(sorted(found.items()))


def optax_rule(name: str, learning_rate: Any, changed: Mapping[str, float], mask: Any) -> Any:
    """An optimizer of optax; what is not `changed` is as optax has it.

    Args:
      name: as optax calls it.
      learning_rate: a number or a schedule.
      changed: "b1", "b2", "eps" and "weight_decay", where they are not as by default.
      mask: of the parameters that decay.

    Raises:
      ConfigError: optax has none of that name, or it has nothing of that kind to change.
    """
    rules = optax_rules()
    if name not in rules:
        near = difflib.get_close_matches(name, rules, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"Optimizer.name must be one of {[*rules]}, not {name!r}.{hint}")
    parameters = inspect.signature(rules[name]).parameters
    arguments: dict[str, Any] = {m: mask for m in _MASKS if m in parameters}
    for field, value in changed.items():
        known = next((p for p in _PARAMETERS[field] if p in parameters), None)
        if known is None:
            raise ConfigError(f"Optimizer.{field} has no part in optax.{name}: leave it out")
        arguments[known] = value
    return rules[name](learning_rate, **arguments)


def check_rule(title: str, build: Callable[[], Any]) -> None:
    """Looks whether what is built can be initialized and moves parameters by gradients alone.

    Raises:
      ConfigError: it cannot.
    """
    params = {"matrix": jnp.zeros((2, 2)), "vector": jnp.zeros(2)}

    def move(params: Any) -> Any:
        made = build()
        return made.update(params, made.init(params), params)[0]

    try:
        jax.eval_shape(move, params)
    except ConfigError:
        raise
    except Exception as error:  # whatever somebody's own function raises
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise ConfigError(f"{title} makes no optimizer ({reason})") from error
