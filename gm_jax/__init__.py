"""Classic generative models as pure JAX/Flax functions: one loop, one ruler.

import gm_jax
run = gm_jax.fit(gm_jax.load("digits/vae"), "runs/mine")
images = run.sample(64, seed=0)
"""

from gm_jax.lazy_exports import lazy_exports

__version__ = "0.2.0"

TYPE_CHECKING = False  # typing is slow to import, and a command begins with this file

if TYPE_CHECKING:
    from gm_jax.ensemble import Ensemble as Ensemble
    from gm_jax.errors import UserError as UserError
    from gm_jax.evaluation.figure import Figure as Figure
    from gm_jax.experiment import Evaluation as Evaluation
    from gm_jax.experiment import Experiment as Experiment
    from gm_jax.experiment import Sharding as Sharding
    from gm_jax.experiment import Training as Training
    from gm_jax.experiment_file import load as load
    from gm_jax.optimizer import Optimizer as Optimizer
    from gm_jax.rng import Rngs as Rngs
    from gm_jax.run import Run as Run
    from gm_jax.run import fit as fit
    from gm_jax.run import open_run as open
    from gm_jax.run import open_weights as open_weights
    from gm_jax.training.callbacks import Callback as Callback
    from gm_jax.weights import load_weights as load_weights

# Imported on first use, so that `gm-jax --help` need not wait for jax.
_LAZY = {
    "Callback": "gm_jax.training.callbacks:Callback",
    "Ensemble": "gm_jax.ensemble:Ensemble",
    "Evaluation": "gm_jax.experiment:Evaluation",
    "Experiment": "gm_jax.experiment:Experiment",
    "Figure": "gm_jax.evaluation.figure:Figure",
    "Optimizer": "gm_jax.optimizer:Optimizer",
    "Rngs": "gm_jax.rng:Rngs",
    "Run": "gm_jax.run:Run",
    "Sharding": "gm_jax.experiment:Sharding",
    "Training": "gm_jax.experiment:Training",
    "UserError": "gm_jax.errors:UserError",
    "fit": "gm_jax.run:fit",
    "load": "gm_jax.experiment_file:load",
    "load_weights": "gm_jax.weights:load_weights",
    "open": "gm_jax.run:open_run",
    "open_weights": "gm_jax.run:open_weights",
}

__all__ = ["__version__", *sorted(_LAZY)]
__getattr__, __dir__ = lazy_exports(__name__, _LAZY)
