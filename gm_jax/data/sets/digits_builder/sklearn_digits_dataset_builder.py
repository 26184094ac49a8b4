"""Scikit-learn's digits as a TFDS dataset; prepared without TensorFlow.

Images are handed over as PNG bytes because TFDS encodes arrays with TensorFlow.
"""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

TEST_EVERY = 6


class SklearnDigits(tfds.core.GeneratorBasedBuilder):
    """1,797 real 8x8 digits with 17 grey levels (0 .. 16), 10 classes.

    Every sixth image (0, 6, 12, ... in scikit-learn's order) is a test image. "id" is the image's
    place in scikit-learn's order, since TFDS shuffles what it writes.
    """

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = None

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="The 1,797 handwritten digits that come with scikit-learn, 8x8, 17 levels.",
            homepage="https://archive.ics.uci.edu/dataset/80",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(num_classes=10),
                    "id": np.int64,
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {"train": self._generate_examples(False), "test": self._generate_examples(True)}

    def _generate_examples(self, test: bool) -> Iterator[tuple[int, dict[str, Any]]]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        for i, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            if (i % TEST_EVERY == 0) == test:
                png = io.BytesIO()
                Image.fromarray(image.astype(np.uint8)).save(png, "png")
                png.seek(0)
                yield i, {"image": png, "label": int(label), "id": i}
