"""U-Net with self-attention on synthetic storms: frames at the times asked for, one at a time.

A quarter of the width of the full recipe, and a level less (--model.width 64 --model.depth 4
--model.num-heads 4), so that it trains on one CPU core.

Paper: Ronneberger et al. 2015, arXiv:1505.04597; Vaswani et al. 2017, arXiv:1706.03762
Command: gm-jax train storms/unet_attention
Minutes: not run in full yet; 8 (a shared CPU core) for --training.num-steps 200
  --model.optimizer.decay-steps 200
Score: after these: mse 0.0064, 0.0119, 0.0155 at the three times wanted of 200 test storms
  (persistence 0.0176, 0.0315, 0.0392; extrapolation 0.0149, 0.0256, 0.0281), ssim 0.81, 0.67, 0.62
"""

from gm_jax.data import Data, SyntheticStorms
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=SyntheticStorms(), train="train", valid="validation", test="test", batch_size=16
        ),
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
        evaluation=Evaluation(batch_size=100),
    )
