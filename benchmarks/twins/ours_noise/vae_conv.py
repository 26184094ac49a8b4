"""As VAE draws: the code's noise, and that of the dequantization."""

import jax


def noise(model, state, batch, rngs):
    image = batch["image"]
    code = (len(image), *model.coder.code_shape(state.spec.shape, model.latent_dim))
    return {
        "reparameterization": jax.random.normal(rngs("reparameterization"), code),
        "dequantization": jax.random.uniform(rngs("dequantization"), image.shape),
    }
