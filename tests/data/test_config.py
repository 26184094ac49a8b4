import dataclasses

import numpy as np
import pytest
import tyro

from gm_jax.data import (
    Data,
    DataSpec,
    Digits,
    DynamicBinarize,
    HorizontalFlip,
    Quantize,
    Resize,
    Tfds,
)
from gm_jax.errors import ConfigError, UserError


def test_digits_end_to_end(digits):
    assert digits.spec == DataSpec((8, 8, 1), 17, 10)
    sizes = {s: digits.open(s).num_examples for s in ("train", "valid", "test", "train[:10]")}
    assert sizes == {"train": 1347, "valid": 150, "test": 300, "train[:10]": 10}
    assert digits.open("valid").name == "valid"


def test_spec_is_what_a_model_sees():
    transforms = (Quantize(8, 17), DynamicBinarize(8))
    data = Data(Digits(), transforms=transforms, limit=20)
    split = data.open("train")
    assert data.spec == split.spec == DataSpec((8, 8, 1), 2, 10)
    assert split.arrays["image"].max() > 1  # random ones are left to apply_random
    assert split.num_examples == 20


def test_seed():
    data = Data(Digits(), limit=50)
    a, b, c = (data.open("train", seed).indices_at(0) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_fixed_after_random():
    with pytest.raises(ConfigError, match=r"Resize, .* after HorizontalFlip") as error:
        Data(transforms=(HorizontalFlip(), Resize(4)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"batch_size": 0},
        {"limit": 0},
        {"num_threads": 0},
        {"device_budget_mib": -1},
        {"source": "mnist"},
        {"transforms": ("Resize",)},
    ],
)
def test_wrong_fields(fields):
    with pytest.raises(ConfigError, match="Data"):
        Data(**fields)


def test_no_validation_split():
    with pytest.raises(UserError, match=r"Data\.valid is none"):
        Data(valid=None).open("valid")


def test_transform_that_does_not_fit():
    data = Data(transforms=(DynamicBinarize(),))
    for attempt in (lambda: data.spec, lambda: data.open("train")):
        with pytest.raises(ConfigError, match="17 levels"):
            attempt()


def test_from_the_command_line():
    default = Data(Tfds("mnist"), transforms=(Resize(12), HorizontalFlip()))
    args = ["--source.name", "cifar10", "--valid", "None"]
    args += ["--transforms", "resize:16", "horizontal_flip"]
    data = tyro.cli(Data, default=default, args=args)
    assert data == dataclasses.replace(
        default, source=Tfds("cifar10"), transforms=(Resize(16), HorizontalFlip()), valid=None
    )
