"""A split of the data as batches: `batch_at(step)` is a function of the seed and the step alone."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.data.source import Example, Examples
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.decoded import decoded
from gm_jax.data.transforms import FixedTransform, SequenceTransform, Transform, apply_random
from gm_jax.errors import ConfigError, UserError
from gm_jax.public_names import public_name
from gm_jax.rng import rngs_from_seed

NumpyBatch = dict[str, np.ndarray]

# Examples read at a time, so that large originals need not all be held at once; fewer where they
# are large themselves.
_CHUNK = 1024
_CHUNK_BYTES = 2**28


def gather(arrays: Mapping[str, jax.Array], indices: jax.Array) -> dict[str, jax.Array]:
    """The batch of the examples at `indices`, for use inside `jit` on arrays kept on a device.

    Args:
      arrays: "image" uint8 [N, H, W, C], "label" int32 [N] where there are labels, and the extras
        of the spec, [N, ...].
      indices: int32 [B], in [0, N).

    Returns:
      "image" [B, H, W, C], "label" [B] if any, the extras [B, ...], and "index" int32 [B].
    """
    batch = {name: jnp.take(array, indices, axis=0, mode="clip") for name, array in arrays.items()}
    return {**batch, "index": jnp.asarray(indices, jnp.int32)}


class Split:
    """A split, read and checked, in batches.

    Position p = step * B + i lies in epoch p // N, at place p % N of that epoch's permutation,
    which is drawn from the seed and the epoch. So every epoch has every example once, nothing is
    dropped, any batch size works, also one larger than the split, and a resumed run needs no
    iterator state.

    Attributes:
      name: as it was asked for.
      spec: of the images a model sees, after all transforms, also the random ones.
      num_examples: N.
      batch_size: B.
      transforms: all of them; `apply_random` takes the random ones.
      resident: whether all of it is in memory.
      arrays: if resident, "image" uint8 [N, H, W, C] (float32 where they are points; [N, M, H, W,
        C] where they are sequences), "label" int32 [N] where there are labels, and the extras of
        the spec, after the fixed transforms; else None.
    """

    def __init__(
        self,
        examples: Examples,
        spec: DataSpec,
        transforms: Sequence[Transform] = (),
        *,
        name: str = "data",
        expression: str | None = None,
        batch_size: int = 128,
        seed: int = 0,
        limit: int | None = None,
        resident_bytes: int = 2**30,
        num_threads: int = 4,
    ):
        """Reads the split if it fits in `resident_bytes`.

        Args:
          examples: what to read.
          spec: of the examples as they are stored; shape [0, 0, C] where they differ in size.
          transforms: fixed ones, then random ones.
          name: of the split.
          expression: what that name stands for, if it is another; for messages.
          batch_size: B.
          seed: of the order.
          limit: at most this many examples, the first ones.
          resident_bytes: the split is held in memory if its examples take no more than this.
          num_threads: that read, where the split is streamed.

        Raises:
          UserError: the split is empty, or an example does not fit the spec.
          ConfigError: a transform does not fit the images.
        """
        self._examples = examples
        self.name = name
        self._title = repr(name) if expression in (None, name) else f"{name!r} ({expression})"
        self._seed = seed
        self._num_threads = num_threads
        self._source_spec = spec
        self.transforms = tuple(transforms)
        self._fixed = [t for t in self.transforms if isinstance(t, FixedTransform)]
        self._stored_spec = apply_spec(self._fixed, spec)
        self.spec = apply_spec(self.transforms, spec)
        check_one_size(self._stored_spec)
        self.batch_size = batch_size
        self.num_examples = len(examples) if limit is None else min(limit, len(examples))
        if self.num_examples == 0:
            raise UserError(f"the split {self._title} has no examples")
        self._dtype = np.dtype(np.float32 if spec.continuous else np.uint8)
        size = example_bytes(self._stored_spec)
        self._chunk = max(1, min(_CHUNK, _CHUNK_BYTES // size))
        self.resident = self.num_examples * size <= resident_bytes
        self.arrays = self._read_all() if self.resident else None
        # Two epochs, because a batch may lie across the end of one.
        self._permutation = functools.lru_cache(maxsize=2)(self._draw_permutation)

    @property
    def groups(self) -> np.ndarray | None:
        """As `Examples.groups`, of the examples of this split."""
        groups = self._examples.groups()
        return None if groups is None else groups[: self.num_examples]

    def indices_at(self, step: int) -> np.ndarray:
        """The examples in the batch of `step`, int32 [B]."""
        start, stop = step * self.batch_size, (step + 1) * self.batch_size
        pieces = []
        while start < stop:
            epoch, place = divmod(start, self.num_examples)
            piece = self._permutation(epoch)[place : place + stop - start]
            pieces.append(piece)
            start += len(piece)
        return np.concatenate(pieces)

    def batch_at(self, step: int) -> NumpyBatch:
        """The batch of `step`, on the host.

        Returns:
          "image" uint8 [B, H, W, C] (float32 where they are points), "label" int32 [B] if any,
          the extras of the spec, and "index" int32 [B].
        """
        return self.batch_of(self.indices_at(step))

    def stream(
        self, start_step: int, num_steps: int, rows: slice = slice(None)
    ) -> Iterator[NumpyBatch]:
        """`batch_at` of start_step, start_step + 1, ..., read ahead by threads.

        Args:
          start_step: of the first batch.
          num_steps: how many batches.
          rows: of each batch, which are read.
        """
        return self._read_ahead(
            lambda step: self.batch_of(self.indices_at(start_step + step)[rows]),
            num_steps,
            self.batch_size,
        )

    def eval_batches(self, batch_size: int | None = None) -> Iterator[NumpyBatch]:
        """Every example once, in order; the last batch is padded with the first example.

        Yields:
          As `batch_at`, and "mask" bool [B], which is False where an example is padding.
        """
        size = batch_size or self.batch_size

        def batch(step: int) -> NumpyBatch:
            indices = np.arange(step * size, (step + 1) * size, dtype=np.int32)
            mask = indices < self.num_examples
            return {**self.batch_of(np.where(mask, indices, 0).astype(np.int32)), "mask": mask}

        return self._read_ahead(batch, -(-self.num_examples // size), size)

    def _read_ahead(self, batch: Any, num_batches: int, size: int) -> Iterator[NumpyBatch]:
        """batch(0), ..., batch(num_batches - 1); by threads, unless that is a look-up in memory."""
        if self.resident:
            return map(batch, range(num_batches))
        import grain

        options = grain.ReadOptions(
            num_threads=self._num_threads, prefetch_buffer_size=2 * self._num_threads
        )
        return iter(grain.MapDataset.range(num_batches).map(batch).to_iter_dataset(options))

    def batch_of(self, indices: np.ndarray) -> NumpyBatch:
        """The examples at `indices`, int32 [B] in [0, N), as `batch_at`."""
        if self.arrays is not None:
            batch = {name: array[indices] for name, array in self.arrays.items()}
        else:
            batch = self._read(indices)
        return {**batch, "index": indices}

    def example_batch(self, num: int) -> NumpyBatch:
        """`num` examples (all, if there are fewer) as they enter a model in evaluation.

        Evenly spread over the split, since some sets come sorted by class.

        Returns:
          As `batch_at`, after the random transforms that evaluation applies.
        """
        num = min(num, self.num_examples)
        indices = np.linspace(0, self.num_examples - 1, num).round().astype(np.int32)
        rngs = rngs_from_seed(self._seed).at("eval", "transforms")
        batch = apply_random(self.transforms, rngs, self.batch_of(indices), train=False)
        return {name: np.asarray(value) for name, value in batch.items()}

    def _draw_permutation(self, epoch: int) -> np.ndarray:
        """The order of an epoch, int32 [N]; on the CPU, to leave the device alone."""
        with jax.default_device(_cpu()):
            key = rngs_from_seed(self._seed).at("data", "epoch", epoch)("permutation")
            order = np.asarray(jax.random.permutation(key, self.num_examples), np.int32)
        order.setflags(write=False)
        return order

    def _read_all(self) -> NumpyBatch:
        def read() -> NumpyBatch:
            return self._read(np.arange(self.num_examples))

        fingerprint = self._examples.fingerprint
        # A transform from elsewhere may be edited without its repr changing.
        ours = all(public_name(type(t)) for t in self._fixed)
        if fingerprint is None or not ours or self.num_examples < self._examples.worth_keeping:
            return read()
        return decoded((fingerprint, self.num_examples, self._source_spec, self._fixed), read)

    def _read(self, indices: np.ndarray) -> NumpyBatch:
        """Reads, transforms and checks the examples at `indices`."""
        image = np.empty((len(indices), *self._stored_spec.shape), self._dtype)
        extras = {e.name: np.empty((len(indices), *e.shape), e.dtype) for e in self.spec.extras}
        labels = []
        for start in range(0, len(indices), self._chunk):
            chunk = indices[start : start + self._chunk]
            examples = self._examples.take(chunk.tolist())
            self._check_dtype(chunk, examples)
            self._check_extras(chunk, examples)
            part = slice(start, start + len(chunk))
            image[part] = self._transform([e["image"] for e in examples])
            labels += [e["label"] for e in examples if "label" in e]
            for name, array in extras.items():
                array[part] = [e[name] for e in examples]
        self._check_values(indices, image)
        for name, array in extras.items():
            self._check_extra_values(indices, name, array)
        arrays = {"image": image, **extras}
        if self._stored_spec.num_classes is not None:
            arrays["label"] = np.asarray(labels, np.int32)
            self._check_labels(indices, arrays["label"])
        return arrays

    def _transform(self, images: list[np.ndarray]) -> np.ndarray:
        if all(self._source_spec.shape[:2]):
            batches = [np.stack(images)]
        else:  # of different sizes
            batches = [image[None] for image in images]
        for transform in self._fixed:
            batches = [transform(batch) for batch in batches]
        return np.concatenate(batches)

    def _check_dtype(self, indices: np.ndarray, examples: list[Example]) -> None:
        shape = tuple(size or None for size in self._source_spec.shape)
        for index, example in zip(indices, examples, strict=True):
            image = example["image"]
            if image.dtype != self._dtype:
                raise self._bad(index, f"is {image.dtype}, not {self._dtype}")
            fits = len(image.shape) == len(shape) and all(
                want in (None, have) for want, have in zip(shape, image.shape, strict=True)
            )
            if not fits:
                raise self._bad(index, f"has shape {list(image.shape)}, not {list(shape)}")

    def _check_extras(self, indices: np.ndarray, examples: list[Example]) -> None:
        for extra in self.spec.extras:
            for index, example in zip(indices, examples, strict=True):
                if extra.name not in example:
                    raise self._bad(index, f"has no {extra.name}")
                array = np.asarray(example[extra.name])
                if array.dtype != extra.dtype or array.shape != extra.shape:
                    raise self._bad(
                        index,
                        f"has {extra.name} {array.dtype} {list(array.shape)}, not {extra.dtype} "
                        f"{list(extra.shape)}",
                    )

    def _check_extra_values(self, indices: np.ndarray, name: str, array: np.ndarray) -> None:
        flat = array.reshape(len(array), -1)
        if array.dtype == np.float32:
            good = np.isfinite(flat).all(-1)
            if not good.all():
                worst = indices[np.argmin(good)]
                raise self._bad(worst, f"has a value in {name} that is not finite")
        elif array.dtype == np.uint8 and (top := self._stored_spec.num_levels - 1) < 255:
            good = (flat <= top).all(-1)
            if not good.all():
                worst = indices[np.argmin(good)]
                raise self._bad(worst, f"has a level in {name} above the highest, {top}")

    def _check_values(self, indices: np.ndarray, image: np.ndarray) -> None:
        if self._stored_spec.continuous:
            finite = np.isfinite(image.reshape(len(image), -1)).all(-1)
            if not finite.all():
                raise self._bad(indices[np.argmin(finite)], "has a value that is not finite")
            return
        top = self._stored_spec.num_levels - 1
        if top < 255 and image.max() > top:
            worst = int(np.argmax(image.reshape(len(image), -1).max(-1) > top))
            raise self._bad(
                indices[worst], f"has the level {image[worst].max()}, but the highest is {top}"
            )

    def _check_labels(self, indices: np.ndarray, label: np.ndarray) -> None:
        classes = self._stored_spec.num_classes
        if len(label) != len(indices):
            raise UserError(f"the split {self._title} has examples without a label")
        wrong = (label < 0) | (label >= classes)
        if wrong.any():
            worst = int(np.argmax(wrong))
            raise self._bad(
                indices[worst], f"has the label {label[worst]}, but there are {classes} classes"
            )

    def _bad(self, index: int, what: str) -> UserError:
        return UserError(f"example {index} of the split {self._title} {what}")


def example_bytes(spec: DataSpec) -> int:
    """Of one example in memory, without its label."""
    values = spec.num_dims * (4 if spec.continuous else 1)
    return values + sum(extra.num_bytes for extra in spec.extras)


def apply_spec(transforms: Sequence[Transform], spec: DataSpec) -> DataSpec:
    """What images like `spec` are like after all `transforms`; raises ConfigError as they do."""
    name = type(transforms[0]).__name__ if transforms else ""
    for transform in transforms:
        title, moves = type(transform).__name__, isinstance(transform, SequenceTransform)
        if moves and not spec.is_sequence:
            raise ConfigError(
                f"{title} is for sequences of frames, and these data are none: leave it out"
            )
        if not moves and (spec.is_sequence or spec.extras):
            raise ConfigError(
                f"{title} is for single images, and these data are sequences or have several "
                "arrays: leave it out, and give the source its own size"
            )
    if transforms and spec.continuous:
        raise ConfigError(f"{name} is for images, and these data are points: leave it out")
    for transform in transforms:
        spec = transform.spec(spec)
    return spec


def check_one_size(spec: DataSpec) -> None:
    """Raises UserError where the images still differ in size."""
    if not all(spec.shape):
        raise UserError(
            "the images of this source differ in size: add Resize(...) to Data.transforms"
        )


def _cpu() -> Any:
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX was told to have no CPU; threefry gives the same bits elsewhere
        return None
