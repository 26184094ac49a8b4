"""Convolutional VAE on photographs of railway tracks, 64 of them: mean squared error + 0.001 KL.

The code is a feature map of 4 channels, made by a strided convolution like all layers before it.
At 64 pixels it is 4x4x4, after four layers; six would leave a single pixel. The decoder mirrors
the encoder and ends with one convolution more. The reference has 448 pixels and six convolutions.

Our losses are sums over an image of D = 3 size^2 values. With a Gaussian of scale s, -log p(x|z) is
D / (2 s^2) times the mean squared error, and a constant; so a weight of 0.001 for the KL, which is
summed over the latents, is beta = 0.001 D / (2 s^2): 614.4 at 64 pixels, 2457.6 at 128, 30105.6 at
448. So heavy a KL leaves 4.6 nats, enough for where an image is light or dark (mean squared error
0.0236 after 1,500 steps). So we read the KL of the recipe as a mean over the latents, as its
squared error is one over the values: beta is 9.6 at 64 and at 128 pixels, 153.6 at 448.

The recipe's 100 epochs would be 128 steps for the 41 photographs that are left to train on.

Paper: Kingma & Welling 2014, arXiv:1312.6114
Command: gm-jax train railway/vae
"""

from gm_jax.data import ColorJitter, HorizontalFlip, ImageData, RandomResizedCrop, RandomRotation
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ImageData(
            path="images/railway_tracks",
            size=64,
            augment=(
                RandomRotation(20.0),
                HorizontalFlip(),
                ColorJitter(0.2, 0.2, 0.2, 0.05),
                RandomResizedCrop((0.8, 1.0)),
            ),
            valid_fraction=0.2,
            test_fraction=0.1,
            batch_size=32,
        ),
        model=VAE(
            coder=ConvCoder(
                features=(16, 32, 64),
                strides=(2, 2, 2),
                kernel_size=4,
                dense=None,
                code_stride=2,
            ),
            latent_dim=4,
            likelihood="gaussian",
            scale=0.1,
            beta=9.6,
            optimizer=Optimizer(learning_rate=1e-3),
        ),
        training=Training(
            num_steps=1500,
            eval_every=50,
            log_every=50,
            checkpoint_every=200,
            sample_every=150,
            monitor="mse",
        ),
        evaluation=Evaluation(batch_size=16, checkpoint="best"),
    )


def reference() -> Experiment:
    """448x448, convolutions of 256 x (1, 2, 4, 8, 12) channels, and a code of 7x7x4.

    Budget: 600 device-minutes
    """
    return get_config().replace(
        **{
            "data.size": 448,
            "model.coder": ConvCoder(
                features=(256, 512, 1024, 2048, 3072),
                strides=(2, 2, 2, 2, 2),
                kernel_size=4,
                dense=None,
                code_stride=2,
                initializer="torch",
            ),
            "model.beta": 153.6,
        }
    )
