"""Examples with further arrays: read, checked, held or streamed like images."""

import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data import (
    ArrayExamples,
    Data,
    DataSpec,
    Digits,
    Examples,
    Extra,
    HorizontalFlip,
    MovingMnist,
    Quantize,
    Sevir,
    Source,
    Split,
    Storms,
    SyntheticStorms,
    gather,
)
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment_json import from_plain, to_plain

SPEC = DataSpec(
    (3, 4, 5, 1),
    extras=(
        Extra("context", (2, 4, 5, 1), "uint8"),
        Extra("context_time", (2,)),
        Extra("time", (3,)),
        Extra("ocean", (), "int32"),
    ),
)
NAMES = {"image", "context", "context_time", "time", "ocean"}


def arrays_of(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (n, 3, 4, 5, 1), np.uint8),
        "context": rng.integers(0, 256, (n, 2, 4, 5, 1), np.uint8),
        "context_time": rng.normal(size=(n, 2)).astype(np.float32),
        "time": rng.normal(size=(n, 3)).astype(np.float32),
        "ocean": rng.integers(-3, 3, n, np.int32),
    }


def examples(arrays: dict[str, np.ndarray]) -> ArrayExamples:
    extras = {name: array for name, array in arrays.items() if name != "image"}
    return ArrayExamples(arrays["image"], extras=extras)


def assert_rows(batch, arrays):
    """The batch is the rows of `arrays` that its index names."""
    assert batch.keys() - {"mask"} == arrays.keys() | {"index"}
    for name, array in arrays.items():
        assert batch[name].dtype == array.dtype
        np.testing.assert_array_equal(batch[name], array[batch["index"]])


def test_a_spec_with_extras():
    assert SPEC.is_sequence
    assert not DataSpec((4, 5, 1)).is_sequence
    assert SPEC.num_dims == 60  # of the wanted frames alone
    assert [extra.num_bytes for extra in SPEC.extras] == [40, 8, 12, 4]
    assert from_plain(to_plain(SPEC)) == SPEC
    assert hash(SPEC) != hash(DataSpec((3, 4, 5, 1)))
    with pytest.raises(ConfigError, match="every batch has its own"):
        Extra("index", (2,))
    with pytest.raises(ConfigError, match=r"Extra\.dtype"):
        Extra("time", (2,), "float64")  # type: ignore[arg-type]


@pytest.mark.parametrize("resident_bytes", [2**20, 0])
def test_batches(resident_bytes):
    arrays = arrays_of(7)
    data = Split(examples(arrays), SPEC, batch_size=3, resident_bytes=resident_bytes)
    assert data.resident == (resident_bytes > 0)
    for step, batch in enumerate(data.stream(0, 5)):
        assert_rows(batch, arrays)
        chex.assert_trees_all_equal(batch, data.batch_at(step))
    masks = []
    for batch in data.eval_batches(4):
        assert_rows(batch, arrays)
        masks += batch["mask"].tolist()
    assert masks == 7 * [True] + [False]


def test_gather_in_jit_is_batch_at():
    data = Split(examples(arrays_of(7)), SPEC, batch_size=3)
    assert data.arrays.keys() == NAMES
    batch = jax.jit(gather)(jax.device_put(data.arrays), jnp.asarray(data.indices_at(2)))
    chex.assert_trees_all_equal(jax.device_get(batch), data.batch_at(2))


def test_the_budget_counts_the_extras():
    source = examples(arrays_of(7))
    each = 60 + 40 + 8 + 12 + 4
    assert Split(source, SPEC, resident_bytes=7 * each).resident
    assert not Split(source, SPEC, resident_bytes=7 * each - 1).resident


def test_examples_one_by_one_load_the_same():
    class OneByOne(Examples):
        def __init__(self, arrays):
            self.rows = [{k: v[i] for k, v in arrays.items()} for i in range(len(arrays["image"]))]

        def __len__(self):
            return len(self.rows)

        def __getitem__(self, index):
            return self.rows[index]

    arrays = arrays_of(5)
    for source in (OneByOne(arrays), examples(arrays)):
        loaded = source.load(1, 4)
        assert loaded.keys() == NAMES
        for name, array in arrays.items():
            assert loaded[name].dtype == array.dtype
            np.testing.assert_array_equal(loaded[name], array[1:4])
    assert_rows(Split(OneByOne(arrays), SPEC, batch_size=4).batch_at(1), arrays)


def test_labels_and_extras_together():
    arrays = arrays_of(5)
    spec = DataSpec((3, 4, 5, 1), num_classes=4, extras=SPEC.extras[:1])
    source = ArrayExamples(arrays["image"], np.arange(5) % 4, {"context": arrays["context"]})
    batch = Split(source, spec, batch_size=5).batch_at(0)
    np.testing.assert_array_equal(batch["label"], batch["index"] % 4)
    np.testing.assert_array_equal(batch["context"], arrays["context"][batch["index"]])


def test_large_splits_are_kept_with_their_extras(no_data, monkeypatch):
    monkeypatch.setattr(Examples, "worth_keeping", 4)
    arrays = arrays_of(6)
    source = examples(arrays)
    source.fingerprint = "sequences"
    first = Split(source, SPEC).arrays
    monkeypatch.setattr(ArrayExamples, "take", None)  # not read again
    again = Split(source, SPEC).arrays
    chex.assert_trees_all_equal(first, again)
    assert again.keys() == NAMES


def raises(message: str, arrays: dict[str, np.ndarray], spec: DataSpec = SPEC):
    for resident_bytes in (2**20, 0):
        with pytest.raises(UserError, match=message) as error:
            list(Split(examples(arrays), spec, resident_bytes=resident_bytes).eval_batches(4))
        assert "\n" not in str(error.value)


def test_examples_that_do_not_fit():
    good = arrays_of(5)
    raises("example 0 .* has no time", {k: v for k, v in good.items() if k != "time"})
    raises(
        r"example 0 .* has context_time float64 \[2\]", {**good, "context_time": np.ones((5, 2))}
    )
    raises(r"has context uint8 \[1, 4, 5, 1\], not", {**good, "context": good["context"][:, 1:]})
    nan = good["time"].copy()
    nan[3, 1] = np.nan
    raises("example 3 .* in time that is not finite", {**good, "time": nan})
    few = {**good, "image": good["image"] // 16, "context": good["context"] // 16}
    few["context"][2, 0, 0, 0] = 16
    raises(
        "example 2 .* level in context above .* 15",
        few,
        DataSpec(SPEC.shape, 16, None, False, SPEC.extras),
    )
    with pytest.raises(ValueError, match="5 images, but 4 of time"):
        examples({**good, "time": good["time"][:4]})


@pytest.mark.parametrize("transform", [Quantize(4), HorizontalFlip()])
@pytest.mark.parametrize("spec", [SPEC, DataSpec((4, 5, 1), extras=SPEC.extras[:1])])
def test_transforms_are_refused(transform, spec):
    class Frames(Source):
        @property
        def spec(self):
            return spec

    with pytest.raises(ConfigError, match=f"{type(transform).__name__} is for single images"):
        Split(examples(arrays_of(5)), spec, (transform,))
    with pytest.raises(ConfigError, match="give the source its own size") as error:
        _ = Data(Frames(), transforms=(transform,)).spec
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "source",
    [SyntheticStorms(windows=2), Storms("storms", size=8), MovingMnist(Digits()), Sevir("sevir")],
    ids=lambda source: type(source).__name__,
)
def test_sources_as_json(source):
    data = Data(source=source, train="train", valid="validation")
    assert from_plain(json.loads(json.dumps(to_plain(data)))) == data


def test_examples_many_at_once_are_had_one_by_one():
    class Many(Examples):
        def __len__(self):
            return 5

        def take(self, indices):
            return [{"image": np.full((2, 2, 1), i, np.uint8)} for i in indices]

    assert Many()[3]["image"].max() == 3
    np.testing.assert_array_equal(Many().load(1, 3)["image"][:, 0, 0, 0], [1, 2])


def test_examples_need_a_way_to_be_read():
    with pytest.raises(TypeError, match="Misspelt needs __getitem__ or take"):

        class Misspelt(Examples):
            def __len__(self):
                return 5

            def takes(self, indices):
                return []
