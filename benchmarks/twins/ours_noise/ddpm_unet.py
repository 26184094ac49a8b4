"""As DDPM draws: a step for each example, and the noise at it."""

import jax

LOSSES = ("loss", "mse")


def noise(model, state, batch, rngs):
    image = batch["image"]
    return {
        "timestep": jax.random.randint(rngs("timestep"), (len(image),), 1, model.num_steps + 1),
        "noise": jax.random.normal(rngs("noise"), image.shape),
    }
