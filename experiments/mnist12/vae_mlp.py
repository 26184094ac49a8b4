"""VAE 144-256-256-z64 on 12x12 digits, with a Bernoulli likelihood of the grey values.

Paper: Kingma & Welling 2014, arXiv:1312.6114
Command: gm-jax train mnist12/vae_mlp
"""

from gm_jax.data import Data, Resize, ResizeQuantize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import DenseCoder
from gm_jax.optimizer import Optimizer


def _data() -> Data:
    """All of MNIST, 12x12, with 256 levels: as good as the reference's floats."""
    return Data(
        source=Tfds("mnist"),
        train="train[:55000]",
        valid="train[55000:]",
        transforms=(Resize(12),),
        batch_size=64,
    )


def get_config() -> Experiment:
    return Experiment(
        data=_data(),
        model=VAE(
            coder=DenseCoder(hidden=(256, 256)),
            latent_dim=64,
            likelihood="bernoulli",
            optimizer=Optimizer(
                name="adamax", learning_rate=1e-3, schedule="cosine", decay_steps=86_000
            ),
        ),
        training=Training(
            num_steps=86_000,  # 100 epochs
            log_every=860,
            eval_every=4_300,
            checkpoint_every=0,
            sample_every=17_200,
        ),
        evaluation=Evaluation(checkpoint="best"),
    )


def reference() -> Experiment:
    """The reference's: 2,000 images, a constant rate, PyTorch's initial values."""
    return get_config().replace(
        **{
            "data.train": "train[:1900]",
            "data.valid": "train[1900:2000]",
            "model.coder.initializer": "torch",
            "model.optimizer.schedule": "constant",
            "model.optimizer.decay_steps": None,
            "training.num_steps": 15_000,  # 500 epochs at most
            "training.log_every": 30,
            "training.eval_every": 30,
            "training.sample_every": 1_500,
            "training.patience": 20,
        }
    )


def levels() -> Experiment:
    """16 levels, as in mnist12/arm, flow and gan, with a likelihood of them: bits/dim as theirs."""
    return get_config().replace(
        **{
            "data.transforms": (ResizeQuantize(12, 16, bins="top_alone"),),
            "model.likelihood": "discretized_logistic",
            "model.latent_dim": 32,
            "model.optimizer": Optimizer(
                learning_rate=1e-3, schedule="cosine", decay_steps=43_000, weight_decay=0.1
            ),
            "training.num_steps": 43_000,  # 50 epochs
            "evaluation.num_samples": 100,
        }
    )
