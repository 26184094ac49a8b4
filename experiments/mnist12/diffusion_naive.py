"""Dense diffusion with 12 steps on 12x12 digits of 16 levels.

16 levels, as in mnist12/arm, flow and gan, so that bits/dim can be compared with theirs. The
reference trained on 2,000 images: --data.train "train[:1900]" --data.valid "train[1900:2000]"
--training.eval-every 30

Paper: Sohl-Dickstein et al. 2015, arXiv:1503.03585
Command: gm-jax train mnist12/diffusion_naive
Minutes: not run in full yet; 5 (a shared CPU core) for 1,720 steps
Score: after these: validation 1.617 bits/dim (bound)
"""

from gm_jax.data import Data, Quantize, Resize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.diffusion_naive import NaiveDiffusion
from gm_jax.nets.denoisers import DenseDenoiser
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"),
            train="train[:55000]",
            valid="train[55000:]",
            transforms=(Resize(12), Quantize(16)),
            batch_size=64,
        ),
        model=NaiveDiffusion(
            network=DenseDenoiser(hidden=(256, 256), activation="leaky_relu"),
            num_steps=12,
            optimizer=Optimizer(name="adamax", learning_rate=1e-3),
        ),
        training=Training(
            num_steps=430_000,  # 500 epochs at most
            log_every=860,
            eval_every=860,
            checkpoint_every=0,
            sample_every=8600,
            patience=20,
        ),
        evaluation=Evaluation(num_samples=10, checkpoint="best"),
    )
