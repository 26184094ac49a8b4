"""Sequences of one's own in an .npz file."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data import SequenceData, Sequences, SyntheticStorms
from gm_jax.data.store.row_splits import split_rows
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment_file import load
from gm_jax.experiment_json import from_plain, to_plain
from gm_jax.rng import rngs_from_seed

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 256, (20, 9, 6, 7, 2)).astype(np.uint8)
TIMES = np.cumsum(RNG.uniform(10, 20, (20, 9)), 1) + 1e9  # seconds since 1970


def write(path, frames=FRAMES, times=TIMES, **others):
    arrays = {"frames": frames, "times": times, **others}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_examples_are_all_windows_of_the_sequences_of_a_split(tmp_path):
    """Held against a loop over the arrays."""
    source = Sequences(write(tmp_path / "my.npz"), context=3, targets=2, stride=2)
    members = split_rows(20, 0.10, 0.10, 0)
    for split, rows in members.items():
        examples = source.open(split)
        np.testing.assert_array_equal(examples.groups(), np.repeat(rows, 3))
        found = iter(examples[i] for i in range(len(examples)))
        for row in rows:
            for start in range(0, 9 - 5 + 1, 2):
                example, since = next(found), TIMES[row] - TIMES[row, start + 2]
                np.testing.assert_array_equal(example["context"], FRAMES[row, start : start + 3])
                np.testing.assert_array_equal(example["image"], FRAMES[row, start + 3 : start + 5])
                np.testing.assert_allclose(
                    example["context_time"], since[start : start + 3], atol=1e-5
                )
                np.testing.assert_allclose(example["time"], since[start + 3 : start + 5], atol=1e-5)
                assert example["context_time"][-1] == 0
        assert next(found, None) is None
    assert sorted(np.concatenate([*members.values()])) == list(range(20))


def test_grey_frames_and_shared_times(tmp_path):
    path = write(tmp_path / "my.npz", FRAMES[..., 0], np.arange(9))
    source = Sequences(path, context=4, targets=3)
    assert source.spec.shape == (3, 6, 7, 1)
    assert source.spec.is_sequence
    example = source.open("valid")[0]
    assert example["time"].tolist() == [1, 2, 3]
    assert example["context_time"].tolist() == [-3, -2, -1, 0]
    assert len(source.open("train")) == 3 * len(split_rows(20, 0.10, 0.10, 0)["train"])
    assert source.summary().endswith(
        "20 sequences of 9 frames, 6x7x1, about 1 s apart; examples of 4 + 3: "
        + " / ".join(f"{3 * len(r)} {s}" for s, r in split_rows(20, 0.10, 0.10, 0).items())
    )


def test_batches(tmp_path):
    data = SequenceData(write(tmp_path / "my.npz"), context=3, targets=2, batch_size=4)
    assert data.spec == Sequences(str(data.path), context=3, targets=2).spec
    batch = data.open("train").batch_at(0)
    chex.assert_shape(batch["image"], (4, 2, 6, 7, 2))
    chex.assert_shape(batch["context"], (4, 3, 6, 7, 2))
    streamed = SequenceData(
        data.path, context=3, targets=2, batch_size=4, device_budget_mib=0
    ).open("train")
    np.testing.assert_array_equal(next(streamed.stream(0, 1))["image"], batch["image"])
    assert from_plain(to_plain(data)) == data
    assert SequenceData(context=5, targets=2).source == SyntheticStorms(
        context=5, targets=2, kind="smooth"
    )


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"times": None}, 'has no "times": it has frames, and sequences need both'),
        ({"frames": None}, 'has no "frames": it has times'),
        ({"frames": FRAMES / 255}, "frames must be uint8 [N, T, H, W, C] or [N, T, H, W], not fl"),
        ({"frames": FRAMES[0, 0]}, "not uint8 [6, 7, 2]"),
        ({"frames": FRAMES[:0]}, "not uint8 [0, 9, 6, 7, 2]"),
        ({"times": TIMES[:, :5]}, "times must be numbers [9] or [20, 9], as frames are [20, 9, 6"),
        ({"times": TIMES.astype(str)}, "times must be numbers [9] or [20, 9]"),
        ({"times": np.where(TIMES[3, 2] == TIMES, np.nan, TIMES)}, "frame 2 of sequence 3 is nan"),
        ({"times": TIMES[:, ::-1]}, "in sequence 0 frame 1 (1e+09 s) is not after frame 0"),
        ({"times": np.zeros(9)}, "times must increase"),
    ],
)
def test_bad_arrays(tmp_path, arrays, words):
    path = write(tmp_path / "my.npz", **arrays)
    with pytest.raises(UserError, match=r"my\.npz") as error:
        Sequences(path).open("train")
    assert words in one_line(error)


def test_bad_files(tmp_path, no_data):
    (tmp_path / "text.npz").write_text("text")
    np.save(tmp_path / "one.npy", FRAMES)
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    whole = write(tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    write(tmp_path / "pickled.npz", frames=np.array([{}], object))
    (tmp_path / "my.h5").write_text("")
    for name, words in {
        "text.npz": "cannot be read as .npz",
        "one.npz": "cannot be read as .npz",
        "cut.npz": "cannot be read as .npz",
        "pickled.npz": "cannot be read as .npz",
        "my.h5": "is no file of sequences: give an .npz",
        "no.npz": "there is no file",
    }.items():
        with pytest.raises(UserError, match=name) as error:
            Sequences(tmp_path / name).open("train")
        assert words in one_line(error)


def test_too_few_and_too_short(tmp_path):
    path = write(tmp_path / "my.npz", FRAMES[:2], TIMES[:2])
    with pytest.raises(UserError, match=r"at least 3 sequences are needed, one each .*found 2"):
        Sequences(path).open("train")
    path = write(tmp_path / "short.npz")
    with pytest.raises(UserError, match=r"have 9 frames, but an example takes 8 \+ 2: take fewer"):
        Sequences(path, context=8, targets=2).open("train")
    for fields in ({"context": 0}, {"targets": -1}, {"stride": 0}, {"valid_fraction": 1.0}):
        with pytest.raises(ConfigError, match=next(iter(fields))):
            Sequences("my.npz", **fields)


@pytest.mark.parametrize("name", ["sequences/unet_attention", "sequences/cnn_convlstm"])
def test_families_take_them(tmp_path, name):
    """Any size, and two channels: by their shapes."""
    experiment = load(name).quick()
    changes = {"data.path": write(tmp_path / "my.npz"), "data.context": 3, "data.targets": 2}
    experiment = experiment.replace(**changes)
    model, spec = experiment.model, experiment.data.spec
    assert spec.shape == (2, 6, 7, 2)
    batch = {
        k: jax.ShapeDtypeStruct(v.shape, jnp.asarray(v).dtype)
        for k, v in experiment.data.open("train").batch_at(0).items()
    }
    rngs = rngs_from_seed(0)
    state = jax.eval_shape(functools.partial(model.init, rngs, spec))
    after, metrics = jax.eval_shape(model.update, state, batch, rngs)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
    assert metrics["loss"].shape == ()
