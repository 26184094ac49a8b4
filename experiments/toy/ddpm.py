"""DDPM on a ring of 8 narrow Gaussians: the points that a GAN loses modes of.

bits/dim are those of a density; of the ring itself they are −2.10 (its modes do not overlap, so
its entropy is log 8 + log(2 π e 0.02²) nats).

Paper: Ho et al. 2020, arXiv:2006.11239; the ring: Metz et al. 2017, arXiv:1611.02163
Command: gm-jax train toy/ddpm
"""

from gm_jax.data import Data, Ring
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.denoisers import DenseDenoiser
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Ring(), train="train", valid="validation", test="test", batch_size=256),
        model=DDPM(
            network=DenseDenoiser(hidden=(128, 128, 128)),
            num_steps=200,
            optimizer=Optimizer(
                learning_rate=2e-3, schedule="cosine", decay_steps=20_000, ema_decay=0.999
            ),
        ),
        training=Training(
            num_steps=20_000,
            log_every=500,
            eval_every=2000,
            checkpoint_every=2000,
            sample_every=2000,
        ),
        evaluation=Evaluation(num_samples=1),
    )
