"""GAN on a ring of 8 narrow Gaussians: the classic test of mode collapse.

benchmarks/ring.py counts the modes held and the share of good samples, over 5 seeds.

Paper: Metz et al. 2017, "Unrolled generative adversarial networks", arXiv:1611.02163
Command: gm-jax train toy/gan
"""

from gm_jax.data import Data, Ring
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gan import GAN
from gm_jax.nets.discriminators import DenseDiscriminator
from gm_jax.nets.generators import DenseGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Ring(), train="train", valid="validation", test="test", batch_size=256),
        model=GAN(
            generator=DenseGenerator(hidden=(128, 128), output="linear"),
            discriminator=DenseDiscriminator(hidden=(128, 128)),
            latent_dim=2,
            generator_optimizer=Optimizer(learning_rate=1e-3, b1=0.5, ema_decay=0.999),
            discriminator_optimizer=Optimizer(learning_rate=1e-3, b1=0.5),
        ),
        training=Training(num_steps=10_000, log_every=500, eval_every=0, sample_every=500),
    )
