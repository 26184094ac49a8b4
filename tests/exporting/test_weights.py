"""Weights in a file and out again: the same samples, names that others can read, damage told."""

import json
import shutil

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.flax
from flax.traverse_util import flatten_dict

import gm_jax
from gm_jax.errors import UserError
from gm_jax.weights import load_weights, named_leaves, read_weights

FAMILIES = ["vae", "gan", "cgan", "ddpm", "realnvp", "gmm"]


def header(path):
    """As the format's specification has it."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size])


@pytest.mark.parametrize("name", FAMILIES)
def test_in_and_out_gives_the_same_samples(name, run_of, tmp_path):
    run = run_of(name)
    file = run.export(tmp_path / "new" / "model.safetensors")
    other = gm_jax.open(file)
    assert (other.step, other.experiment, other.spec) == (7, run.experiment, run.spec)
    condition = np.arange(5) % 3 if run.model.conditional else None
    drawn = run.sample(5, 3, condition)
    assert len(np.unique(drawn)) > 1
    np.testing.assert_array_equal(other.sample(5, 3, condition), drawn)
    again = other.export(tmp_path / "again.safetensors")
    assert again.read_bytes() == file.read_bytes()


def test_the_average_is_what_leaves(run_of, tmp_path):
    run = run_of("ddpm")
    tree = load_weights(run.export(tmp_path / "a.safetensors"))
    chex.assert_trees_all_equal(tree["params"], run.state.ema_params)
    run = run_of("gan")
    tree = load_weights(run.export(tmp_path / "b.safetensors"))
    wanted = {**run.state.params, "generator": run.state.ema_params["generator"]}
    chex.assert_trees_all_equal(tree["params"], wanted)
    chex.assert_trees_all_equal(
        flatten_dict(tree["model_state"]), flatten_dict(run.state.model_state)
    )


def test_others_read_the_names_and_the_header(run_of, tmp_path):
    run = run_of("vae")
    file = run.export(tmp_path / "model.safetensors")
    found = safetensors.flax.load_file(file)
    wanted = {"/".join(("params", *path)): v for path, v in flatten_dict(run.state.params).items()}
    assert {"params/decoder/MLP_0/Dense_0/kernel"} < found.keys()
    chex.assert_trees_all_equal(found, wanted)
    text = header(file)["__metadata__"]
    assert (text["step"], text["numerics"]) == ("7", str(run.model.numerics))
    assert (text["gm_jax"], text["format"]) == (gm_jax.__version__, "flax")
    record = json.loads(text["experiment"])
    assert record["name"] == "some/vae"
    assert record["experiment"]["model"]["class"] == "gm_jax.models:VAE"
    with safetensors.safe_open(file, framework="numpy") as opened:
        assert opened.metadata() == text


def test_no_type_is_lost(run_of, tmp_path):
    run = run_of("vae")
    values = {
        "half": jnp.asarray([1.0, 2**-9, 3e38, -0.0, jnp.nan], jnp.bfloat16),
        "single": jnp.asarray([[1.5], [2.5]]).T,
        "count": jnp.asarray(7, jnp.int32),
        "none": jnp.zeros((0, 3)),
        "flags": jnp.asarray([True, False]),
        "bytes": jnp.arange(3, dtype=jnp.uint8),
    }
    run.state = run.state.replace(params=values)
    tree = load_weights(run.export(tmp_path / "a.safetensors"))["params"]
    assert {n: v.dtype for n, v in tree.items()} == {n: v.dtype for n, v in values.items()}
    assert tree["half"].tobytes() == np.asarray(values["half"]).tobytes()
    del tree["half"], values["half"]  # for NaN is not NaN
    chex.assert_trees_all_equal(tree, values)
    assert header(tmp_path / "a.safetensors")["params/half"]["dtype"] == "BF16"


def test_weights_of_others_are_a_tree_too(tmp_path):
    file = tmp_path / "torch.safetensors"
    arrays = {"layer.0.weight": np.ones((2, 3), np.float32), "head/bias": np.zeros(2, np.float16)}
    safetensors.numpy.save_file(arrays, file)
    wanted = {"layer.0.weight": arrays["layer.0.weight"], "head": {"bias": arrays["head/bias"]}}
    chex.assert_trees_all_equal(load_weights(file), wanted)
    with pytest.raises(UserError, match=r"torch.safetensors: it tells of no experiment"):
        gm_jax.open(file)
    safetensors.numpy.save_file({"a": np.ones(1), "a/b": np.ones(1)}, file)
    with pytest.raises(UserError, match="no tree: a/b lies below another array"):
        load_weights(file)


def test_damage_is_told(run_of, tmp_path):
    file = run_of("vae").export(tmp_path / "model.safetensors")
    content = file.read_bytes()
    for keep in (0, 7, 50, len(content) - 1):
        file.write_bytes(content[:keep])
        with pytest.raises(UserError, match=r"model.safetensors can't be read as weights"):
            load_weights(file)
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=r"is damaged: its arrays are not those that were written"):
        gm_jax.open(file)
    file.write_text("some text, long enough to be read as a header's length")
    with pytest.raises(UserError, match="can't be read as weights"):
        gm_jax.open(file)
    with pytest.raises(UserError, match=r"there is no file .*gone"):
        load_weights(tmp_path / "gone")
    with pytest.raises(UserError, match=r"is a folder without model.safetensors"):
        load_weights(tmp_path / "..")


def test_arrays_of_another_model_under_an_experiment_are_told(run_of, tmp_path):
    run = run_of("vae")
    run.state = run_of("realnvp").state
    file = run.export(tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"does not fit its own experiment: .* is missing"):
        gm_jax.open(file)


def test_a_file_has_one_step_and_no_pictures(run_of, tmp_path):
    file = run_of("vae").export(tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="has the weights of one step"):
        gm_jax.open(file, step="best")
    with pytest.raises(UserError, match=r"must end in .safetensors"):
        run_of("vae").export(tmp_path / "model.bin")
    with pytest.raises(UserError, match="is a file of weights: pictures need a run's folder"):
        gm_jax.open(file).paint()
    run = gm_jax.open(tmp_path)  # the folder that has it
    assert run.metrics == {}
    assert repr(run).startswith(f"Run {tmp_path}")


def test_the_digest_is_of_names_shapes_and_values(run_of, tmp_path):
    weights = run_of("vae").weights()
    digest = weights.digest
    assert read_weights(run_of("vae").export(tmp_path / "a.safetensors")).digest == digest
    name, array = next(iter(weights.arrays.items()))
    for changed in (array + 1, array.reshape(1, -1), array.astype(np.float64)):
        weights.arrays[name] = changed
        assert weights.digest != digest
    weights.arrays[name] = array
    assert weights.digest == digest


def test_a_run_keeps_the_version_of_its_updates(run_of, tmp_path):
    run = run_of("vae")
    run._numerics = 41  # of another version of gm_jax
    file = run.export(tmp_path / "a.safetensors")
    assert header(file)["__metadata__"]["numerics"] == "41"
    assert read_weights(gm_jax.open(file).export(file)).record["numerics"] == 41


def test_names_are_paths_whatever_the_tree_is_of(run_of):
    state = run_of("gmm").state
    names = named_leaves({"model_state": state.model_state})
    assert "model_state/statistics/counts" in names
    assert len(names) == len(jax.tree.leaves(state.model_state))


def test_commands_take_a_file_for_a_run(run_of, tmp_path, told, refused):
    run = run_of("vae")
    file = run.export(tmp_path / "model.safetensors")
    out = told("sample", file, "--num", 6, "--out", tmp_path / "a.npz", "--truncation", 0.5)
    assert "truncation 0.5" in out
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["image"], run.sample(6, truncation=0.5))
    told("sample", file, "--num", 4)
    assert (tmp_path / "seed_0_num_4.png").is_file()
    told("evaluate", file, "--num-samples", 0)
    shutil.copy(file, tmp_path / "b.safetensors")
    assert "step 7" in told("export", file, "--out", tmp_path / "b.safetensors")
    assert (tmp_path / "b.safetensors").read_bytes() == file.read_bytes()
    assert "leave 3 out" in refused("sample", file, "--step", 3)
