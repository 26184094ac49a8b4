"""The update of two players: a discriminator's step, and then a generator's.

Each player has its own parameters, optimizer and state, under "discriminator" and "generator".
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gm_jax.model import Array, Metrics, TrainState, descend, ema_update
from gm_jax.optimizer import Optimizer

PlayerLoss = Callable[[Any, Any], tuple[Array, tuple[Metrics, Any]]]
"""(params of both, model_state of both) -> (loss, (metrics, model_state of both))."""


def two_player_update(
    state: TrainState,
    discriminator_loss: PlayerLoss,
    generator_loss: PlayerLoss,
    optimizers: Mapping[str, Optimizer],
    discriminator_steps: int = 1,
) -> tuple[TrainState, Metrics]:
    """One step of the discriminator and, every `discriminator_steps` steps, one of the generator.

    The generator moves against the discriminator that has just moved, as in Algorithm 1 of
    Goodfellow et al. 2014.

    Args:
      state: with `params` and `opt_state` as {"discriminator", "generator"}.
      discriminator_loss: its metrics must hold "generator_loss", for the steps in which the
        generator rests.
      generator_loss: is differentiated by the generator's parameters only.
      optimizers: of "discriminator" and "generator".
      discriminator_steps: steps of the discriminator, each on a batch of its own, for one of the
        generator.

    Returns:
      The new state, and the metrics with "discriminator_loss", "generator_loss", their sum "loss",
      and the gradients' global norms "discriminator_grad_norm" and "generator_grad_norm", the
      latter being 0 in a step in which the generator rests.
    """
    state, metrics = _player_update(state, "discriminator", discriminator_loss, optimizers, 1)

    def play(state: TrainState) -> tuple[TrainState, Metrics]:
        state, moved = _player_update(
            state, "generator", generator_loss, optimizers, discriminator_steps
        )
        return state, {name: moved[name] for name in ("generator_loss", "generator_grad_norm")}

    def rest(state: TrainState) -> tuple[TrainState, Metrics]:
        loss = metrics["generator_loss"]
        return state, {"generator_loss": loss, "generator_grad_norm": jnp.zeros_like(loss)}

    if discriminator_steps == 1:
        state, moved = play(state)
    else:
        turn = (state.step + 1) % discriminator_steps == 0
        state, moved = jax.lax.cond(turn, play, rest, state)
    metrics = {**metrics, **moved}
    metrics["loss"] = metrics["discriminator_loss"] + metrics["generator_loss"]
    return state.replace(step=state.step + 1), metrics


def _player_update(
    state: TrainState,
    player: str,
    loss_fn: PlayerLoss,
    optimizers: Mapping[str, Optimizer],
    every: int,
) -> tuple[TrainState, Metrics]:
    """Moves one player's parameters, as in every `every` steps; the other's are constants."""

    def loss_of(own: Any) -> tuple[Array, tuple[Metrics, Any]]:
        return loss_fn({**state.params, player: own}, state.model_state)

    optimizer = optimizers[player]
    params, opt_state, (loss, (metrics, model_state)), grad_norm = descend(
        loss_of, state.params[player], state.opt_state[player], optimizer
    )
    ema_params = state.ema_params
    if ema_params is not None and player in ema_params:
        steps_before = state.step // every
        averaged = ema_update(ema_params[player], params, opt_state, optimizer, steps_before)
        ema_params = {**ema_params, player: averaged}
    new_state = state.replace(
        params={**state.params, player: params},
        opt_state={**state.opt_state, player: opt_state},
        model_state=model_state,
        ema_params=ema_params,
    )
    return new_state, {**metrics, f"{player}_loss": loss, f"{player}_grad_norm": grad_norm}
