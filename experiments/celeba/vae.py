"""VAE on CelebA faces, 64x64, 10 latents.

The encoder has convolutions of 32, 64 and 32 channels, the first two with stride 2, and a dense
layer of 512. All kernels are 4x4: a coder has one size for all, so the third one's is not 3x3.

The faces are TFDS's celeb_a, or any folder or archive of them: --data.path celeba_aligned_64.tar

Paper: Kingma & Welling 2014, arXiv:1312.6114; data: Liu et al. 2015, arXiv:1411.7766
Command: gm-jax train celeba/vae
"""

from gm_jax.data import ImageData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ImageData(size=64, tfds="celeb_a", batch_size=200),
        model=VAE(
            coder=ConvCoder(features=(32, 64, 32), strides=(2, 2, 1), kernel_size=4, dense=512),
            latent_dim=10,
            likelihood="bernoulli",
            optimizer=Optimizer(learning_rate=4e-4),
        ),
        training=Training(
            num_steps=16000, eval_every=800, sample_every=1600
        ),  # 20 epochs of celeb_a
        evaluation=Evaluation(checkpoint="best"),
    )


def three_thousand() -> Experiment:
    """On 3,000 aligned faces from an archive."""
    return get_config().replace(
        **{
            "data.path": "images/celeba_aligned_64.tar",
            "training.num_steps": 2400,  # 200 epochs
            "training.eval_every": 120,
            "training.sample_every": 480,
        }
    )
