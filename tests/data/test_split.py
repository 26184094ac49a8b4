import threading

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data import (
    ArrayExamples,
    Data,
    DataSpec,
    Quantize,
    Resize,
    ResizeQuantize,
    Split,
    Tfds,
    gather,
)
from gm_jax.data.split import Examples
from gm_jax.data.transforms import DynamicBinarize, HorizontalFlip, apply_random
from gm_jax.errors import UserError
from gm_jax.rng import rngs_from_seed

SPEC = DataSpec((2, 3, 1), 256, 4)


def examples(n: int, seed: int = 0) -> ArrayExamples:
    rng = np.random.default_rng(seed)
    return ArrayExamples(rng.integers(0, 256, (n, 2, 3, 1), np.uint8), rng.integers(0, 4, n))


def split(n: int, batch_size: int, **kwargs) -> Split:
    return Split(examples(n), SPEC, batch_size=batch_size, **kwargs)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype
        np.testing.assert_array_equal(a[name], b[name])


def test_batch_shapes_and_dtypes():
    data = split(10, 4)
    batch = data.batch_at(0)
    chex.assert_shape(batch["image"], (4, 2, 3, 1))
    chex.assert_shape([batch["label"], batch["index"]], (4,))
    assert {k: v.dtype for k, v in batch.items()} == {
        "image": np.uint8,
        "label": np.int32,
        "index": np.int32,
    }
    np.testing.assert_array_equal(batch["image"], data.arrays["image"][batch["index"]])
    np.testing.assert_array_equal(batch["label"], data.arrays["label"][batch["index"]])


@pytest.mark.parametrize(("n", "batch_size"), [(10, 5), (10, 4), (10, 3), (3, 8), (1, 4), (7, 7)])
def test_every_epoch_has_every_example_once(n, batch_size):
    data = split(n, batch_size)
    epochs = 4
    steps = -(-n * epochs // batch_size)
    order = np.concatenate([data.indices_at(step) for step in range(steps)])[: n * epochs]
    for epoch in order.reshape(epochs, n):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(n))


def test_order_is_the_named_keys_permutation():
    data = split(50, 50, seed=3)
    for epoch in (0, 1, 7):
        key = rngs_from_seed(3).at("data", "epoch", epoch)("permutation")
        np.testing.assert_array_equal(data.indices_at(epoch), jax.random.permutation(key, 50))


def test_order_depends_on_seed_and_epoch_only():
    data, again, other = split(50, 10, seed=1), split(50, 10, seed=1), split(50, 10, seed=2)
    steps = [9, 0, 4, 17, 5]  # in any order, and again
    for step in steps + steps:
        np.testing.assert_array_equal(data.indices_at(step), again.indices_at(step))
    assert not np.array_equal(data.indices_at(0), other.indices_at(0))
    assert not np.array_equal(data.indices_at(0), data.indices_at(5))
    # Another batch size cuts the same order elsewhere.
    np.testing.assert_array_equal(
        split(50, 25, seed=1).indices_at(1),
        np.concatenate([data.indices_at(s) for s in range(5)])[25:],
    )


@pytest.mark.parametrize(("start", "steps"), [(0, 7), (5, 6), (1000, 3)])
def test_streamed_is_resident(start, steps):
    resident, streamed = split(23, 5), split(23, 5, resident_bytes=0, num_threads=3)
    assert resident.resident
    assert not streamed.resident
    assert streamed.arrays is None
    assert resident.spec == streamed.spec
    ours = list(streamed.stream(start, steps))
    assert len(ours) == steps
    for step, batch, other in zip(
        range(start, start + steps), ours, resident.stream(start, steps), strict=True
    ):
        assert_same(batch, other)
        assert_same(batch, resident.batch_at(step))
        assert_same(batch, streamed.batch_at(step))


def test_streamed_is_resident_with_real_data(tfds_sets):
    transforms = (Resize(12), Quantize(16))
    data = Data(Tfds("mnist"), transforms=transforms, limit=200, batch_size=64)
    resident = data.open("train")
    streamed = Data(**{**vars(data), "device_budget_mib": 0}).open("train")
    assert streamed.spec == DataSpec((12, 12, 1), 16, 10)
    # Steps 2, 3, 4: across the ends of two epochs.
    for a, b in zip(resident.stream(2, 5), streamed.stream(2, 5), strict=True):
        assert_same(a, b)


def test_streams_read_in_several_threads():
    threads: set[int] = set()
    barrier = threading.Barrier(2, timeout=20)

    class Slow(ArrayExamples):
        def __getitem__(self, index):
            if len(threads) < 2 and threading.get_ident() not in threads:
                threads.add(threading.get_ident())
                barrier.wait()  # passes only if another thread reads at the same time
            return super().__getitem__(index)

    slow = Slow(np.zeros((8, 2, 3, 1), np.uint8))
    data = Split(slow, DataSpec((2, 3, 1)), batch_size=2, resident_bytes=0, num_threads=2)
    assert len(list(data.stream(0, 8))) == 8
    assert len(threads) == 2


@pytest.mark.parametrize("resident_bytes", [0, 2**20])
@pytest.mark.parametrize(("n", "size", "masks"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 8, [3])])
def test_eval_batches(n, size, masks, resident_bytes):
    data = split(n, 5, resident_bytes=resident_bytes)
    batches = list(data.eval_batches(size))
    assert [int(b["mask"].sum()) for b in batches] == masks
    for batch in batches:
        chex.assert_shape(batch["image"], (size, 2, 3, 1))
        chex.assert_shape([batch["label"], batch["index"], batch["mask"]], (size,))
        assert batch["mask"].dtype == bool
        assert batch["index"].dtype == np.int32
    index = np.concatenate([b["index"][b["mask"]] for b in batches])
    np.testing.assert_array_equal(index, np.arange(n))
    images = np.concatenate([b["image"][b["mask"]] for b in batches])
    np.testing.assert_array_equal(images, split(n, 5).arrays["image"])


def test_gather_in_jit_is_batch_at():
    data = split(23, 5)
    arrays = jax.device_put(data.arrays)
    compiled = jax.jit(gather)
    for step in (0, 4, 9):
        batch = jax.device_get(compiled(arrays, jnp.asarray(data.indices_at(step))))
        assert_same(batch, data.batch_at(step))


def test_example_batch_is_spread_over_the_split_as_evaluation_sees_it():
    data = split(9, 4, transforms=(DynamicBinarize(), HorizontalFlip(1.0)), seed=3)
    batch = data.example_batch(5)
    np.testing.assert_array_equal(batch["index"], [0, 2, 4, 6, 8])
    np.testing.assert_array_equal(batch["label"], data.arrays["label"][::2])
    rngs = rngs_from_seed(3).at("eval", "transforms")
    evaluated = apply_random(data.transforms, rngs, data.batch_of(batch["index"]), train=False)
    assert_same(batch, {name: np.asarray(value) for name, value in evaluated.items()})
    assert set(np.unique(batch["image"])) == {0, 1}
    assert len(data.example_batch(99)["image"]) == 9


def test_limit():
    data = split(23, 5, limit=7)
    assert data.num_examples == 7
    assert sorted(np.concatenate([data.indices_at(0), data.indices_at(1)])[:7]) == list(range(7))
    assert split(3, 5, limit=7).num_examples == 3


def test_resident_up_to_the_budget():
    assert split(10, 2, resident_bytes=60).resident
    assert not split(10, 2, resident_bytes=59).resident


def raises(message, source, spec, **kwargs):
    with pytest.raises(UserError, match=message) as error:
        Split(source, spec, name="valid", expression="train[9:]", **kwargs)
    assert "\n" not in str(error.value)
    # What is found when a split is read at once is found when it is streamed.
    if len(source):
        lazy = Split(source, spec, name="valid", resident_bytes=0, **kwargs)
        with pytest.raises(UserError, match=message):
            list(lazy.eval_batches(4))


def test_examples_that_do_not_fit():
    images = np.zeros((9, 2, 3, 1), np.uint8)
    bad = images.copy()
    bad[6, 1, 2] = 16
    labels = np.arange(9) % 4
    spec = DataSpec((2, 3, 1), 16, 4)
    raises("has no examples", ArrayExamples(images[:0], labels[:0]), spec)
    raises("example 6 .* level 16, .* highest is 15", ArrayExamples(bad, labels), spec)
    raises(r"example 4 .* label 4", ArrayExamples(images, np.arange(9) % 5), spec)
    raises(r"example 1 .* label -1", ArrayExamples(images, -labels), spec)
    raises("example 0 .* float32", ArrayExamples(images.astype(np.float32), labels), spec)
    raises("example 0 .* shape", ArrayExamples(images[:, 1:], labels), spec)
    raises("example 0 .* shape", ArrayExamples(images[..., 0], labels), spec)
    raises("without a label", ArrayExamples(images), spec)
    with pytest.raises(UserError, match=r"'valid' \(train\[9:\]\)"):
        Split(ArrayExamples(bad, labels), spec, name="valid", expression="train[9:]")


def test_images_of_several_sizes():
    class Photographs(Examples):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return {"image": np.full((4 + index, 9 - index, 3), 40 * index, np.uint8)}

    spec = DataSpec((0, 0, 3))
    with pytest.raises(UserError, match="Resize"):
        Split(Photographs(), spec)
    data = Split(Photographs(), spec, (Resize((4, 6)),), batch_size=2)
    assert data.spec == DataSpec((4, 6, 3))
    expected = np.broadcast_to(40 * np.arange(5)[:, None, None, None], (5, 4, 6, 3))
    np.testing.assert_array_equal(data.arrays["image"], expected)


def test_large_splits_are_decoded_once(no_data, monkeypatch):
    class Counting(ArrayExamples):
        fingerprint = "counting"
        reads = 0

        def take(self, indices):
            Counting.reads += len(indices)
            return super().take(indices)

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5000, 2, 3, 1), np.uint8)
    labels = rng.integers(0, 4, 5000)
    source = Counting(images, labels)

    def reads(*transforms, **kwargs):
        before = Counting.reads
        arrays = Split(source, SPEC, transforms, **kwargs).arrays
        plain = Split(ArrayExamples(images, labels), SPEC, transforms, **kwargs).arrays
        assert_same(arrays, plain)
        return Counting.reads - before

    assert [reads(), reads()] == [5000, 0]
    assert [reads(Quantize(4)), reads(Quantize(4)), reads(Quantize(5))] == [5000, 0, 5000]
    both = [ResizeQuantize(2), ResizeQuantize(2), ResizeQuantize(2, bins="top_alone")]
    assert [reads(transform) for transform in both] == [5000, 0, 5000]
    moved = "gm_jax.data.moved_elsewhere"
    monkeypatch.setattr(Quantize, "__module__", moved)
    assert reads(Quantize(4)) == 0  # where a class of ours lies does not count

    class Own(Quantize):
        """Somebody's own: it may be edited without its repr changing."""

    monkeypatch.setattr(Own, "__module__", moved)
    assert [reads(Own(4)), reads(Own(4))] == [5000, 5000]
    assert [reads(limit=4500), reads(limit=4500), reads(limit=100)] == [4500, 0, 100]
    kept = list((no_data / "cache" / "gm_jax" / "data" / "decoded").iterdir())
    assert len(kept) == 6
    for path in kept:
        path.write_bytes(path.read_bytes()[:1000])  # damaged: read anew
    assert [reads(), reads()] == [5000, 0]
    monkeypatch.setattr("gm_jax.data.store.kept.is_writable", lambda folder: False)
    Counting.fingerprint = "another"
    assert [reads(), reads()] == [5000, 5000]
