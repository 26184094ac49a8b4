"""Sources of data, transforms, and `batch_at(step)`; knows nothing of models."""

from gm_jax.data.arrays.config import ArrayData
from gm_jax.data.arrays.source import Arrays
from gm_jax.data.augmentations import ColorJitter, RandomResizedCrop, RandomRotation
from gm_jax.data.config import AnyData, Data
from gm_jax.data.images.config import ImageData
from gm_jax.data.images.folder import ImageFolder
from gm_jax.data.points.config import PointData
from gm_jax.data.points.source import Points
from gm_jax.data.sequence_augmentations import (
    SequenceFlip,
    SequenceQuarterTurn,
    SequenceRotation,
    TimeReversal,
)
from gm_jax.data.sequences.arrays import Sequences
from gm_jax.data.sequences.config import SequenceData
from gm_jax.data.sequences.moving_mnist import MovingMnist
from gm_jax.data.sequences.moving_mnist_config import MovingMnistData
from gm_jax.data.sequences.sevir import Sevir
from gm_jax.data.sequences.sevir_config import SevirData
from gm_jax.data.sequences.sevir_writer import write_synthetic_sevir
from gm_jax.data.sequences.storm_config import StormData
from gm_jax.data.sequences.storm_frames import Cut, StormFrames, read_storms
from gm_jax.data.sequences.storm_writer import write_storms
from gm_jax.data.sequences.storms import Storms
from gm_jax.data.sequences.synthetic_storms import SyntheticStorms
from gm_jax.data.sets.binarized_mnist import BinarizedMnist
from gm_jax.data.sets.digits import Digits
from gm_jax.data.sets.toy import Clusters, Grid, Ring
from gm_jax.data.source import ArrayExamples, Examples, Source
from gm_jax.data.spec import Columns, DataSpec, Extra
from gm_jax.data.split import Split, gather
from gm_jax.data.store.places import data_dirs
from gm_jax.data.store.prepared import Prepared, list_prepared
from gm_jax.data.store.tfds import Tfds
from gm_jax.data.transforms import (
    AspectCrop,
    Binarize,
    CenterCrop,
    DynamicBinarize,
    FixedTransform,
    Grayscale,
    HorizontalFlip,
    Quantize,
    RandomTransform,
    Resize,
    ResizeQuantize,
    SequenceTransform,
    Transform,
    apply_random,
)

__all__ = [
    "AnyData",
    "ArrayData",
    "ArrayExamples",
    "Arrays",
    "AspectCrop",
    "Binarize",
    "BinarizedMnist",
    "CenterCrop",
    "Clusters",
    "ColorJitter",
    "Columns",
    "Cut",
    "Data",
    "DataSpec",
    "Digits",
    "DynamicBinarize",
    "Examples",
    "Extra",
    "FixedTransform",
    "Grayscale",
    "Grid",
    "HorizontalFlip",
    "ImageData",
    "ImageFolder",
    "MovingMnist",
    "MovingMnistData",
    "PointData",
    "Points",
    "Prepared",
    "Quantize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTransform",
    "Resize",
    "ResizeQuantize",
    "Ring",
    "SequenceData",
    "SequenceFlip",
    "SequenceQuarterTurn",
    "SequenceRotation",
    "SequenceTransform",
    "Sequences",
    "Sevir",
    "SevirData",
    "Source",
    "Split",
    "StormData",
    "StormFrames",
    "Storms",
    "SyntheticStorms",
    "Tfds",
    "TimeReversal",
    "Transform",
    "apply_random",
    "data_dirs",
    "gather",
    "list_prepared",
    "read_storms",
    "write_storms",
    "write_synthetic_sevir",
]
