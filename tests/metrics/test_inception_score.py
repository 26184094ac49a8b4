import numpy as np
import pytest

from gm_jax.errors import UserError
from gm_jax.metrics.inception_score import inception_score

RNG = np.random.default_rng(0)


def by_loops(p):
    marginal = [sum(row[k] for row in p) / len(p) for k in range(p.shape[1])]
    kl = [
        sum(row[k] * np.log(row[k] / marginal[k]) for k in range(len(row)) if row[k]) for row in p
    ]
    return np.exp(np.mean(kl))


def test_equal_to_loops():
    p = RNG.dirichlet([0.3] * 7, 60)
    p[0] = np.eye(7)[0]
    assert inception_score(p, 1).value == pytest.approx(by_loops(p))
    scores = [by_loops(part) for part in np.array_split(p, 4)]
    found = inception_score(p, 4)
    assert found.value == pytest.approx(np.mean(scores))
    assert found.stderr == pytest.approx(np.std(scores, ddof=1) / 2)


def test_extremes():
    sure = np.eye(10)[np.arange(1000) % 10]
    assert inception_score(sure).value == pytest.approx(10)
    assert inception_score(sure[::10]).value == pytest.approx(1)  # all of one class
    assert inception_score(np.full((100, 10), 0.1)).value == pytest.approx(1)


def test_what_is_no_probability():
    with pytest.raises(UserError, match="with the sum 1"):
        inception_score(np.log(RNG.dirichlet([1] * 3, 20)))
    with pytest.raises(UserError, match="10 or more samples are needed, not 2"):
        inception_score(np.eye(2))
