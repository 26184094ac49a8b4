"""Random weights of the network, by the formula that PyTorch's expected outputs were made of."""

import importlib.util
from pathlib import Path

import pytest

from gm_jax.evaluation.inception.weights import torch_names

FIXTURES = Path(__file__).parent.parent / "fixtures" / "inception"


@pytest.fixture(scope="session")
def fixtures():
    return FIXTURES


@pytest.fixture(scope="session")
def formulas():
    """tests/fixtures/inception/random_weights.py, as a module."""
    spec = importlib.util.spec_from_file_location("formulas", FIXTURES / "random_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def arrays(formulas):
    """All of the network's, as PyTorch has them."""
    return {name: formulas.random_array(name, shape) for name, shape in torch_names().items()}
