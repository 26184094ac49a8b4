"""Runs that start from given weights: where these go, what is kept of them, what does not fit."""

import dataclasses
import errno
import json
import shutil
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax.cli.train import Train
from gm_jax.data import Data, Digits
from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment, Training
from gm_jax.experiment_json import load_json
from gm_jax.model import Family, create_state, gradient_update
from gm_jax.models.gmm import GMM
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import VectorFlow
from gm_jax.optimizer import Optimizer
from gm_jax.results.from_runs import entry_of_run
from gm_jax.results.measure import measure
from gm_jax.rng import rngs_from_seed
from gm_jax.training.folder import RunFolder
from gm_jax.training.initial import Initial
from gm_jax.training.sharding import DataMesh
from gm_jax.weights import Weights, named_leaves, weights_of

OPTIMIZER = Optimizer(learning_rate=0.1, ema_decay=0.5)


@dataclasses.dataclass(frozen=True)
class Small(Family):
    """w and b move towards 1; the state counts steps."""

    width: int = 3
    extra: bool = False

    def init(self, rngs, spec):
        params = {"layer": {"w": jax.random.normal(rngs("w"), (self.width,)), "b": jnp.zeros(2)}}
        if self.extra:
            params["other"] = jnp.full(4, 5.0)
        return create_state(rngs, spec, params, OPTIMIZER, {"count": jnp.zeros((), jnp.int32)})

    def update(self, state, batch, rngs):
        def loss(params):
            moved = {"count": state.model_state["count"] + 1}
            return sum(((p - 1) ** 2).sum() for p in jax.tree.leaves(params)), ({}, moved)

        return gradient_update(state, loss, OPTIMIZER)

    def evaluate(self, state, batch, rngs):
        return {"loss": jnp.zeros(len(batch["image"]))}


def experiment(model=None, steps=2, seed=0, name="some/small"):
    data = Data(Digits(), train="train", valid=None, test="test", batch_size=8, limit=24)
    model = Small() if model is None else model
    training = Training(steps, log_every=1, sample_every=0)
    return Experiment(data, model, training, seed=seed, name=name)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of two steps, and its weights beside it."""
    folder = tmp_path_factory.mktemp("source")
    run = gm_jax.fit(experiment(), folder / "run")
    run.export(folder / "model.safetensors")
    return run


def one_step_by_hand(model, weights, seed):
    """Params after the first update from these weights, and their average."""
    state = jax.jit(lambda: model.init(rngs_from_seed(seed).at("init"), DataSpec((8, 8, 1))))()
    params = {"layer": {n: jnp.asarray(weights.arrays[f"params/layer/{n}"]) for n in ("w", "b")}}
    count = jnp.asarray(weights.arrays["model_state/count"])
    state = state.replace(params=params, ema_params=params, model_state={"count": count})
    return model.update(state, {}, None)[0]


@pytest.mark.parametrize("kind", ["file", "run", "folder"])
def test_a_run_starts_from_given_weights(kind, source, tmp_path):
    folder = source.folder.parent
    init = {"file": folder / "model.safetensors", "run": source.folder, "folder": folder}[kind]
    run = gm_jax.fit(experiment(steps=1, seed=5), tmp_path / "run", init=init)
    weights = source.weights()
    wanted = one_step_by_hand(Small(), weights, 5)
    chex.assert_trees_all_close(run.state.params, wanted.params, rtol=1e-6)
    chex.assert_trees_all_close(run.state.ema_params, wanted.ema_params, rtol=1e-6)
    chex.assert_trees_all_close(run.state.opt_state, wanted.opt_state, rtol=1e-6)
    assert (run.step, int(run.state.model_state["count"])) == (1, 3)
    record = json.loads((tmp_path / "run" / "experiment.json").read_text())
    assert record["init"] == {
        "path": str(init),
        "digest": weights.digest,
        "experiment": "some/small",
        "step": 2,
        "left_out": [],
    }
    # Earlier readers take what they know.
    assert load_json(tmp_path / "run" / "experiment.json")["experiment"] == run.experiment


def test_a_run_goes_on_without_the_weights_it_started_from(source, tmp_path):
    init = shutil.copy(source.folder.parent / "model.safetensors", tmp_path)
    straight = gm_jax.fit(experiment(steps=4), tmp_path / "straight", init=init)
    gm_jax.fit(experiment(), tmp_path / "run", init=init)
    (tmp_path / "model.safetensors").unlink()
    gone_on = gm_jax.fit(experiment(steps=3), tmp_path / "run")
    gone_on = gm_jax.fit(experiment(steps=4), tmp_path / "run", init=init)  # the same command
    chex.assert_trees_all_equal(gone_on.state.params, straight.state.params)
    chex.assert_trees_all_equal(gone_on.state.ema_params, straight.state.ema_params)
    records = [RunFolder(tmp_path / name).record()["init"] for name in ("run", "straight")]
    assert records[0] == records[1]


def test_a_run_whose_first_checkpoint_was_cut_short_starts_from_them_again(source, tmp_path):
    """What is still being saved when a process is killed, or a disk full, is no checkpoint."""
    straight = gm_jax.fit(experiment(), tmp_path / "straight", init=source.folder)
    folder = tmp_path / "run"
    RunFolder(folder).claim(experiment(seed=9), source.spec, 0)  # by a command with another flag
    (folder / "checkpoints" / ".2.saving").mkdir(parents=True)
    run = gm_jax.fit(experiment(), folder, init=source.folder)
    chex.assert_trees_all_equal(run.state.params, straight.state.params)
    assert RunFolder(folder).record()["init"] == RunFolder(straight.folder).record()["init"]


def test_a_folder_that_a_full_disk_left_without_an_experiment_is_taken(source, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gm_jax.training.folder.write_text", full)
        with pytest.raises(OSError, match="no space"):
            gm_jax.fit(experiment(), folder)
    (folder / ".4711.experiment.json").touch()
    assert gm_jax.fit(experiment(), folder).step == 2


def test_it_is_no_other_seed_of_a_run_that_started_afresh(source, tmp_path):
    afresh = gm_jax.fit(experiment(seed=1), tmp_path / "afresh")
    given = gm_jax.fit(experiment(), tmp_path / "given", init=source.folder)
    recipes = [entry_of_run(run.folder).recipe for run in (source, afresh, given)]
    assert recipes[0] == recipes[1] != recipes[2]
    with pytest.raises(UserError, match=r"given started from .*: a record is of a recipe alone"):
        measure(given.folder)


def test_it_goes_on_from_no_others(source, tmp_path):
    file = source.folder.parent / "model.safetensors"
    gm_jax.fit(experiment(), tmp_path / "run", init=file)
    # The same weights in another place will do.
    gm_jax.fit(experiment(steps=3), tmp_path / "run", init=source.folder)
    other = gm_jax.fit(experiment(seed=1), tmp_path / "other")
    with pytest.raises(UserError, match=r"started from .*model.safetensors, not from .*other"):
        gm_jax.fit(experiment(steps=3), tmp_path / "run", init=other.folder)
    with pytest.raises(UserError, match="a run that started without given weights"):
        gm_jax.fit(experiment(steps=3, seed=1), tmp_path / "other", init=file)
    moved = shutil.copy(file, tmp_path / "moved.safetensors")
    gm_jax.fit(experiment(), tmp_path / "again", init=moved)
    other.export(moved)
    with pytest.raises(UserError, match=r"moved.safetensors, as it was then"):
        gm_jax.fit(experiment(steps=3), tmp_path / "again", init=moved)
    with pytest.raises(UserError, match=r"there is no run and no file of weights .*nowhere"):
        gm_jax.fit(experiment(), tmp_path / "new", init=tmp_path / "nowhere")
    assert not (tmp_path / "new").exists()


def test_what_does_not_fit_is_listed_and_left_out_when_asked(source, tmp_path):
    wide = experiment(Small(width=4, extra=True), steps=1)
    with pytest.raises(UserError) as refusal:
        gm_jax.fit(wide, tmp_path / "run", init=source.folder)
    assert str(refusal.value).endswith(
        "does not fit some/small: 2 of 4 arrays: params/layer/w is 3 there and 4 here, "
        "params/other is missing; to start from the 2 that do, ask for a part"
    )
    assert refusal.value.option == "--init-partial"
    assert not (tmp_path / "run").exists()
    run = gm_jax.fit(wide, tmp_path / "run", init=source.folder, init_partial=True)
    left_out = RunFolder(run.folder).record()["init"]["left_out"]
    assert left_out == ["params/layer/w", "params/other"]
    assert int(run.state.model_state["count"]) == 3
    plain = gm_jax.fit(experiment(Small(extra=True), steps=1), tmp_path / "plain")
    np.testing.assert_array_equal(run.state.params["other"], plain.state.params["other"])
    with pytest.raises(UserError, match="params/other has no place here"):
        gm_jax.fit(experiment(steps=1), tmp_path / "new", init=plain.folder)
    vae = gm_jax.load("digits/vae").quick()
    with pytest.raises(UserError, match=r"has no array that fits digits/vae: .* and [0-9]+ more"):
        gm_jax.fit(vae, tmp_path / "new", init=source.folder, init_partial=True)


OWN = """
from gm_jax import Experiment, Training
from gm_jax.data import Data, Digits
from gm_jax.models import Bayes

def get_config():
    data = Data(Digits(), train="train", valid=None, test="test", batch_size=8, limit=24)
    training = Training(2, log_every=1, sample_every=0)
    return Experiment(data, Bayes(covariance="diagonal"), training)
"""


@pytest.fixture
def first(tmp_path, monkeypatch):
    """A run "a" of own.py, in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    return gm_jax.fit(gm_jax.load("own.py"), "a")


def test_the_command_reads_and_refuses(first, refused):
    line = refused("train", "own.py", "--run", "b", "--init-partial")
    assert "--init-partial is for --init" in line
    full = ("train", "own.py", "--run", "b", "--model.covariance", "full")
    assert refused(*full, "--init", "a").endswith("ask for a part (--init-partial)")
    assert not Path("b").exists()
    parsed = Train.parsed("train", ["--init", "a", "own.py", "--init-partial"])
    assert (parsed.init, parsed.init_partial) == (Path("a"), True)
    assert parsed.experiment == gm_jax.load("own.py")


@pytest.mark.slow
def test_the_command(first, told):
    out = told("train", "--init", "a", "own.py", "--run", "b")
    assert "starting from a (" in out
    assert ", step 2)" in out
    # What was seen counts on: as many again.
    counts = [
        np.asarray(run.state.model_state["statistics"].counts).sum()
        for run in (first, gm_jax.open("b"))
    ]
    assert counts[1] == 2 * counts[0]


@pytest.mark.parametrize("name", ["vae", "gan", "ddpm"])
def test_an_average_starts_at_them(name, run_of):
    run = run_of(name)
    weights = run.weights()
    model, spec = run.model, run.spec
    fresh = jax.jit(lambda: model.init(rngs_from_seed(0), spec))()
    started = Initial(weights, run.folder).into(fresh, DataMesh(8))
    again = weights_of(run.experiment, started, 1)
    chex.assert_trees_all_equal(again.arrays, weights.arrays)
    chex.assert_trees_all_equal(started.opt_state, fresh.opt_state)
    assert int(started.step) == 0
    assert (started.ema_params is None) == (fresh.ema_params is None)
    buffers = [leaf.unsafe_buffer_pointer() for leaf in _on_one(started)]
    assert len(set(buffers)) == len(buffers)  # each is donated once


def _on_one(state):
    leaves = jax.tree.leaves((state.params, state.model_state, state.ema_params))
    return [leaf.addressable_data(0) for leaf in leaves if leaf.size]


def test_the_first_batch_leaves_activation_norms_that_were_given():
    model = RealNVP(
        flow=VectorFlow(couplings=2, hidden=(4,)),
        optimizer=Optimizer(learning_rate=1e-12),
    )
    spec = DataSpec((1, 1, 2), continuous=True)
    batch = {"image": jax.random.normal(jax.random.key(0), (8, 1, 1, 2)) * 3 + 1}
    update = jax.jit(lambda s: model.update(s, batch, rngs_from_seed(1))[0])
    fresh = jax.jit(lambda: model.init(rngs_from_seed(0), spec))()
    normed = update(fresh)
    before, after = (named_leaves(s.params) for s in (fresh, normed))
    changed = [n for n in before if np.abs(np.asarray(after[n] - before[n])).max() > 0.01]
    # After the first norm nothing is left for the second.
    assert sorted(name.rpartition("/")[2] for name in changed) == ["log_scale", "shift"]
    given = jax.tree.map(lambda leaf: leaf + 0.25, fresh.params)
    moved = update(fresh.replace(params=given))
    chex.assert_trees_all_close(moved.params, given, atol=1e-9)


@pytest.mark.parametrize("algorithm", ["batch", pytest.param("stepwise", marks=pytest.mark.slow)])
def test_the_first_batch_leaves_mixtures_that_were_given(algorithm):
    model = GMM("diagonal", num_components=2, algorithm=algorithm, starts=1, lloyd_steps=1)
    spec = DataSpec((1, 1, 2), continuous=True)
    batch = {"image": jax.random.normal(jax.random.key(0), (40, 1, 1, 2))}
    update = jax.jit(lambda s: model.update(s, batch, rngs_from_seed(1))[0])
    state = jax.jit(lambda: model.init(rngs_from_seed(0), spec))()
    for _ in range(3):
        state = update(state)
    # At step 0 the update is that of EM, as it is at any later step (but for the step's size).
    at_start = update(state.replace(step=jnp.zeros((), jnp.int32)))
    if algorithm == "batch":
        chex.assert_trees_all_close(at_start.params, update(state).params, rtol=1e-6)
    eta = 2.0**-0.7
    if algorithm == "stepwise":
        kept = (1 - eta) * state.model_state["statistics"].counts
        assert (np.asarray(at_start.model_state["statistics"].counts) > kept - 1e-6).all()


def test_floats_of_another_width_fit(source, tmp_path):
    weights = source.weights()
    narrow = {
        n: a.astype(jnp.bfloat16) if a.dtype == np.float32 else a for n, a in weights.arrays.items()
    }
    Weights(narrow, weights.record, 2).save(tmp_path / "half.safetensors")
    run = gm_jax.open(tmp_path / "half.safetensors")
    w = run.state.params["layer"]["w"]
    assert w.dtype == np.float32
    np.testing.assert_array_equal(w, narrow["params/layer/w"].astype(np.float32))
    wrong = {**narrow, "model_state/count": np.float32(2)}
    Weights(wrong, weights.record, 2).save(tmp_path / "wrong.safetensors")
    with pytest.raises(UserError, match="model_state/count is float32 there and int32 here"):
        gm_jax.open(tmp_path / "wrong.safetensors")
