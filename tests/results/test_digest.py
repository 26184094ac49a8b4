"""A digest changes with what a recipe says, and with nothing else."""

import pytest

import gm_jax
from gm_jax import earlier_runs
from gm_jax.results.digest import digest, overrides


@pytest.fixture
def vae():
    return gm_jax.load("digits/vae")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model.latent_dim", 9),
        ("model.optimizer.learning_rate", 1e-3),
        ("data.train", "train"),
        ("training.num_steps", 7),
        ("evaluation.num_samples", 7),
    ],
)
def test_a_setting_changes_it(vae, field, value):
    other = vae.replace(**{field: value})
    assert digest(other) != digest(vae)
    (change,) = overrides(vae, other)
    assert (change.path, change.new) == (field, repr(value))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "mine/other"),
        ("seed", 3),
        ("sharding.data", 2),
        ("data.num_threads", 9),
        ("data.device_budget_mib", 1),
        ("training.keep_latest", 3),
        ("training.steps_per_dispatch", 5),
        ("model.beta", 1),  # as 1.0
    ],
)
def test_what_is_no_part_of_the_recipe_does_not(vae, field, value):
    other = vae.replace(**{field: value})
    assert digest(other) == digest(vae)
    assert overrides(vae, other) == []


def test_a_new_version_of_the_updates_changes_it(vae, monkeypatch):
    before = digest(vae)
    monkeypatch.setattr(type(vae.model), "numerics", 17)
    assert digest(vae) != before
    assert digest(vae, numerics=1) == before


def test_a_field_that_came_later_does_not_where_it_changes_nothing(vae, monkeypatch):
    late = {"gm_jax.nets:DenseCoder": {"activation": "relu"}, "gm_jax.models:VAE": {"beta": 1.0}}
    monkeypatch.setattr(earlier_runs, "_AS_BEFORE", {})
    as_all_fields = digest(vae)
    monkeypatch.setattr(earlier_runs, "_AS_BEFORE", late)
    assert digest(vae) != as_all_fields  # they are left out, as if they were not there yet
    used = vae.replace(**{"model.beta": 2.0})
    monkeypatch.setattr(earlier_runs, "_AS_BEFORE", {**late, "gm_jax.models:VAE": {}})
    used_without_table = digest(used)
    monkeypatch.setattr(earlier_runs, "_AS_BEFORE", late)
    assert digest(used) == used_without_table
