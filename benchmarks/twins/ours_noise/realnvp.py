"""As RealNVP draws: the noise that its dequantizer moves."""

import jax


def noise(model, state, batch, rngs):
    return {"dequantization": jax.random.logistic(rngs("dequantization"), batch["image"].shape)}
