"""Runs of tiny models of several families with some numbers in them; none is trained."""

import dataclasses

import jax
import numpy as np
import pytest

from gm_jax import cli
from gm_jax.data import Data, Digits
from gm_jax.experiment import Experiment
from gm_jax.models.cgan import CGAN
from gm_jax.models.ddpm import DDPM
from gm_jax.models.gan import GAN
from gm_jax.models.gaussian_classes import GaussianClasses
from gm_jax.models.gmm import GMM
from gm_jax.models.realnvp import RealNVP
from gm_jax.models.vae import VAE
from gm_jax.nets.denoisers import DenseDenoiser
from gm_jax.nets.generators import DenseGenerator
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed
from gm_jax.run import Run
from gm_jax.training.sharding import DataMesh

DATA = Data(Digits(), train="train", valid=None, test="test", batch_size=8, limit=24)
AVERAGED = Optimizer(ema_decay=0.9)

MODELS = {
    "vae": VAE(latent_dim=3).quick(),
    # A player of two has an average, of its parameters and of its batch statistics.
    "gan": GAN(generator=DenseGenerator(norm="batch"), generator_optimizer=AVERAGED).quick(),
    "cgan": CGAN().quick(),
    "ddpm": DDPM(network=DenseDenoiser(hidden=(4,)), num_steps=3, optimizer=AVERAGED).quick(),
    "realnvp": RealNVP().quick(),
    "gmm": GMM(num_components=2).quick(),
}


def some_numbers(model, spec):
    """A state with numbers in it, the average's others than the parameters'; none is compiled."""
    state = jax.eval_shape(lambda: model.init(rngs_from_seed(0), spec))
    rng = np.random.default_rng(0)
    low = 0.1 if isinstance(model, GaussianClasses) else -0.5  # weights and variances are positive

    def some(leaf, low=low):
        return jax.numpy.asarray(rng.uniform(low, 0.5, leaf.shape).astype(leaf.dtype))

    return state.replace(
        step=jax.numpy.asarray(7, jax.numpy.int32),
        key=jax.random.key(0),
        params=jax.tree.map(some, state.params),
        model_state=jax.tree.map(lambda leaf: some(leaf, 0.1), state.model_state),
        opt_state={},
        ema_params=jax.tree.map(some, state.ema_params),
    )


@pytest.fixture
def run_of(tmp_path):
    """Makes a run of one of MODELS, whose folder is not there."""

    def make(name, **changes):
        model = dataclasses.replace(MODELS[name], **changes)
        experiment = Experiment(DATA, model, name=f"some/{name}")
        return Run(tmp_path / "nowhere", experiment, some_numbers(model, DATA.spec), DataMesh(8))

    return make


@pytest.fixture
def told(capsys):
    """Runs a command; returns what it printed."""

    def tell(*argv):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in argv])
        printed = capsys.readouterr()
        assert stop.value.code == 0, printed.err
        return printed.out

    return tell


@pytest.fixture
def refused(capsys):
    """Runs a command that is bad; returns the one line it was answered."""

    def answer(*argv):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in argv])
        lines = capsys.readouterr().err.splitlines()
        assert (stop.value.code, len(lines)) == (2, 1)
        return lines[0]

    return answer
