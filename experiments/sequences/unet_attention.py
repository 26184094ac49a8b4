"""U-Net with self-attention on sequences of your own: frames at the times asked for.

gm-jax train sequences/unet_attention --data.path my.npz --data.context 4 --data.targets 3

my.npz has "frames" uint8 [N, T, H, W, C] or [N, T, H, W], and "times" [T] or [N, T] in seconds;
--model.time-scale is to be of the order of their intervals (3600 unless given). Without a path it
learns synthetic storms.

Paper: Ronneberger et al. 2015, arXiv:1505.04597; Vaswani et al. 2017, arXiv:1706.03762
Command: gm-jax train sequences/unet_attention --data.path my.npz
"""

from gm_jax.data import SequenceData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=SequenceData(batch_size=16),
        model=UNetAttention(
            width=16,
            depth=3,
            num_heads=2,
            optimizer=Optimizer(
                learning_rate=2e-3,
                schedule="cosine",
                warmup_steps=50,
                decay_steps=1500,
                clip_norm=1.0,
            ),
        ),
        training=Training(num_steps=1500, eval_every=250, checkpoint_every=250, sample_every=500),
        evaluation=Evaluation(batch_size=100, checkpoint="best"),
    )
