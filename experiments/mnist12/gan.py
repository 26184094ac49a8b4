"""WGAN-GP with dense networks on 12x12 digits of 16 levels.

The gradient's norm is taken per image, over all its values. The discriminator's 5 steps for one of
the generator are ours: the reference does not say how many.

Paper: Gulrajani et al. 2017, arXiv:1704.00028
Command: gm-jax train mnist12/gan
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gan import GAN
from gm_jax.nets.discriminators import DenseDiscriminator
from gm_jax.nets.generators import DenseGenerator
from gm_jax.optimizer import Optimizer


def _data() -> Data:
    """All of MNIST, 12x12, 16 levels by the reference's rule: floor(15 x) of the resized floats."""
    return Data(
        source=Tfds("mnist"),
        train="train[:55000]",
        valid="train[55000:]",
        transforms=(ResizeQuantize(12, 16, bins="top_alone"),),
        batch_size=128,
    )


def get_config() -> Experiment:
    adamw = Optimizer(learning_rate=1e-3, b1=0.5, b2=0.9, weight_decay=0.01)
    return Experiment(
        data=_data(),
        model=GAN(
            generator=DenseGenerator(hidden=(128, 128), output="sigmoid"),  # 32-128-128-144
            discriminator=DenseDiscriminator(hidden=(128, 128), slope=0.1, norm="layer"),
            latent_dim=32,
            loss="wgan_gp",
            gradient_penalty=10.0,
            discriminator_steps=5,
            generator_optimizer=adamw,
            discriminator_optimizer=adamw,
        ),
        training=Training(
            num_steps=43_000,  # 100 epochs
            log_every=430,
            eval_every=4300,
            checkpoint_every=4300,
            sample_every=4300,
        ),
    )


def reference() -> Experiment:
    """The reference's: 2,000 images, PyTorch's initial values."""
    return get_config().replace(
        **{
            "data.train": "train[:1900]",
            "data.valid": "train[1900:2000]",
            "model.generator.initializer": "torch",
            "model.generator.activation": "leaky_relu",
            "model.generator.slope": 0.1,
            "model.discriminator.initializer": "torch",
            "training.num_steps": 7_500,  # 500 epochs
            "training.eval_every": 750,
            "training.checkpoint_every": 750,
            "training.sample_every": 750,
        }
    )
