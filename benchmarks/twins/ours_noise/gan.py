"""As Adversarial draws: latents for each player, and places between images and fakes."""

import jax

LOSSES = ("discriminator_loss", "generator_loss")
STEPS = 6  # the generator moves in the fifth


def noise(model, state, batch, rngs):
    num = len(batch["image"])
    return {
        "discriminator": jax.random.normal(rngs("noise/discriminator"), (num, model.latent_dim)),
        "generator": jax.random.normal(rngs("noise/generator"), (num, model.latent_dim)),
        "interpolation": jax.random.uniform(rngs("interpolation"), (num, 1, 1, 1)),
    }
