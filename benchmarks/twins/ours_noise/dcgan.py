"""As Adversarial draws: latents for each player."""

import jax

LOSSES = ("discriminator_loss", "generator_loss")
AFTER_A_MOVE = ("generator_loss",)  # the discriminator's


def noise(model, state, batch, rngs):
    shape = (len(batch["image"]), model.latent_dim)
    return {
        "discriminator": jax.random.normal(rngs("noise/discriminator"), shape),
        "generator": jax.random.normal(rngs("noise/generator"), shape),
    }
