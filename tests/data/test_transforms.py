import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gm_jax.data import (
    Binarize,
    CenterCrop,
    DataSpec,
    DynamicBinarize,
    Grayscale,
    HorizontalFlip,
    Quantize,
    Resize,
    ResizeQuantize,
    Tfds,
    apply_random,
)
from gm_jax.errors import ConfigError, UserError
from gm_jax.rng import rngs_from_seed


def images(n=4, height=9, width=7, channels=3, levels=256):
    shape = (n, height, width, channels)
    return np.random.default_rng(0).integers(0, levels, shape, np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("method", ["box", "bilinear", "bicubic", "lanczos"])
def test_resize_is_pillows(channels, method):
    x = images(channels=channels)
    y = Resize((4, 5), method)(x)
    chex.assert_shape(y, (4, 4, 5, channels))
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    for before, after in zip(x, y, strict=True):
        picture = Image.frombytes(mode, (7, 9), before.tobytes())
        expected = np.asarray(picture.resize((5, 4), Image.Resampling[method.upper()]))
        np.testing.assert_array_equal(after, expected.reshape(4, 5, channels))


def test_resize_is_antialiased_and_alone():
    stripes = np.zeros((1, 64, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(Resize(8)(stripes)[:, 1:-1]) <= 1  # an even grey, no moiré
    x = images()
    np.testing.assert_array_equal(Resize(4)(x)[2:3], Resize(4)(x[2:3]))
    np.testing.assert_array_equal(Resize((9, 7))(x), x)
    assert Resize(4).spec(DataSpec((0, 0, 3))) == DataSpec((4, 4, 3))
    # The alphabet holds.
    assert Resize(5)(images(levels=17, channels=1)).max() <= 16


def test_resize_that_does_not_fit():
    with pytest.raises(ConfigError, match="channels"):
        Resize(4).spec(DataSpec((8, 8, 2)))
    with pytest.raises(ConfigError, match="overshoots"):
        Resize(4, "bicubic").spec(DataSpec((8, 8, 1), 17))
    with pytest.raises(ConfigError, match="greater than 0"):
        Resize(0)
    with pytest.raises(ConfigError, match="one of"):
        Resize(4, "nearest")


def test_center_crop():
    x = images()
    np.testing.assert_array_equal(CenterCrop()(x), x[:, 1:8])
    np.testing.assert_array_equal(CenterCrop(4)(x), x[:, 2:6, 1:5])
    assert CenterCrop().spec(DataSpec((9, 7, 3))).shape == (7, 7, 3)
    assert CenterCrop().spec(DataSpec((0, 0, 3))).shape == (0, 0, 3)
    assert CenterCrop(4).spec(DataSpec((0, 0, 3))).shape == (4, 4, 3)
    with pytest.raises(ConfigError, match="larger"):
        CenterCrop(8).spec(DataSpec((9, 7, 3)))
    with pytest.raises(UserError, match="larger"):
        CenterCrop(8)(x)


def test_grayscale_is_pillows():
    x = images()
    y = Grayscale()(x)
    for before, after in zip(x, y, strict=True):
        np.testing.assert_array_equal(
            after[..., 0], np.asarray(Image.fromarray(before).convert("L"))
        )
    assert Grayscale().spec(DataSpec((9, 7, 3))) == DataSpec((9, 7, 1))
    with pytest.raises(ConfigError, match="3 channels"):
        Grayscale().spec(DataSpec((9, 7, 1)))


@pytest.mark.parametrize(("levels_in", "levels"), [(256, 8), (256, 256), (256, 3), (17, 4)])
def test_quantize(levels_in, levels):
    x = np.arange(levels_in, dtype=np.uint8).reshape(1, -1, 1, 1)
    y = Quantize(levels, levels_in)(x)
    assert y.dtype == np.uint8
    np.testing.assert_array_equal(
        y.ravel(), [int(v * levels / levels_in) for v in range(levels_in)]
    )
    assert set(np.unique(y)) == set(range(levels))
    spec = DataSpec(x.shape[1:], levels_in)
    assert Quantize(levels, levels_in).spec(spec).num_levels == levels


def bits_a_pixel(levels):
    """The entropy of each pixel by itself, on average; levels [N, H, W, 1]."""
    counts = np.apply_along_axis(np.bincount, 0, levels.reshape(len(levels), -1), minlength=16)
    p = counts / len(levels)  # [16, D]
    return -(p * np.log2(np.where(p > 0, p, 1))).sum(0).mean()


def test_resize_quantize_gives_mnist_its_known_entropy(tfds_sets):
    images = Tfds("mnist").open("train").load(0, 2000)["image"]
    rounded = Quantize(16)(Resize(12)(images))
    equal, alone = (ResizeQuantize(12, 16, bins)(images) for bins in ("equal", "top_alone"))
    figures = [bits_a_pixel(levels) for levels in (alone, rounded, equal)]
    np.testing.assert_allclose(figures, [1.511, 1.554, 1.550], atol=5e-4)
    share = [(levels == 15).mean() for levels in (alone, equal)]
    assert share[0] < 0.1 * share[1]  # white alone


@pytest.mark.parametrize(("bins", "levels"), [("equal", 16), ("top_alone", 16), ("top_alone", 2)])
def test_resize_quantize_is_its_formula(bins, levels):
    # Constant images, so that resizing changes nothing, up to white.
    x = np.arange(256, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 5, 7, 1), np.uint8)
    y = ResizeQuantize((2, 3), levels, bins)(x)
    chex.assert_shape(y, (256, 2, 3, 1))
    num = levels if bins == "equal" else levels - 1
    expected = [min(v * num // 255, levels - 1) for v in range(256)]
    np.testing.assert_array_equal(y, np.reshape(expected, (-1, 1, 1, 1)) * np.ones((1, 2, 3, 1)))


def test_resize_quantize_does_not_round_in_between():
    # The means are 15.75 and 16; 255 / 16 lies in between.
    x = np.array([[15, 16, 16, 16], [16, 16, 16, 16]], np.uint8).reshape(2, 2, 2, 1)
    np.testing.assert_array_equal(ResizeQuantize(1, 16, method="box")(x).ravel(), [0, 1])
    np.testing.assert_array_equal(Quantize(16)(Resize(1, "box")(x)).ravel(), [1, 1])
    np.testing.assert_array_equal(
        ResizeQuantize(1, 16, method="box", num_levels_in=17)(x).ravel(), [15, 15]
    )
    colours = images(channels=2)
    both = ResizeQuantize(4)(colours)
    np.testing.assert_array_equal(both[..., 1:], ResizeQuantize(4)(colours[..., 1:]))
    spec = ResizeQuantize((4, 5), 8).spec(DataSpec((0, 0, 2)))
    assert spec == DataSpec((4, 5, 2), 8)


def test_binarize():
    x = np.array([0, 127, 128, 255], np.uint8).reshape(1, 4, 1, 1)
    np.testing.assert_array_equal(Binarize()(x).ravel(), [0, 0, 1, 1])
    np.testing.assert_array_equal(Binarize(threshold=1.0)(x).ravel(), [0, 0, 0, 1])
    assert Binarize(num_levels_in=17).spec(DataSpec((4, 1, 1), 17)).num_levels == 2


@pytest.mark.parametrize(
    "transform",
    [Quantize(4), ResizeQuantize(), Binarize(), DynamicBinarize()],
    ids=lambda t: type(t).__name__,
)
def test_levels_have_to_agree(transform):
    with pytest.raises(ConfigError, match=r"num_levels_in is 256, .* 17 levels") as error:
        transform.spec(DataSpec((8, 8, 1), 17))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Quantize(1),
        lambda: Quantize(300),
        lambda: Quantize(8, 4),
        lambda: ResizeQuantize(0),
        lambda: ResizeQuantize(num_levels=1),
        lambda: ResizeQuantize(num_levels_in=257),
        lambda: ResizeQuantize(bins="white"),
        lambda: Binarize(0.0),
        lambda: HorizontalFlip(1.5),
        lambda: CenterCrop(-1),
    ],
)
def test_wrong_fields(build):
    with pytest.raises(ConfigError):
        build()


def batch_of(x, index):
    return {"image": jnp.asarray(x[index]), "index": jnp.asarray(index, jnp.int32), "label": index}


@functools.partial(jax.jit, static_argnums=(0, 3))
def applied(transforms, rngs, batch, train):
    return apply_random(transforms, rngs, batch, train)["image"]


@pytest.mark.parametrize(
    "transforms", [(DynamicBinarize(),), (HorizontalFlip(), DynamicBinarize())], ids=len
)
def test_random_does_not_depend_on_the_batch(transforms):
    x = images(n=12, channels=1)
    everything = batch_of(x, np.arange(12))
    rngs = rngs_from_seed(0).at("train", 5)
    whole = applied(transforms, rngs, everything, True)
    np.testing.assert_array_equal(applied(transforms, rngs, everything, True), whole)
    for index in (np.array([11, 3, 0]), np.arange(12)[::-1]):
        part = applied(transforms, rngs, batch_of(x, index), True)
        np.testing.assert_array_equal(part, whole[index])
    other = applied(transforms, rngs_from_seed(0).at("train", 6), everything, True)
    assert not np.array_equal(other, whole)


def test_dynamic_binarization_has_the_right_mean():
    levels = np.array([0, 64, 128, 255], np.uint8)
    x = np.broadcast_to(levels[:, None], (4, 2500)).reshape(1, 100, 100, 1)
    x = np.ascontiguousarray(np.repeat(x, 4, axis=0))
    y = apply_random(
        (DynamicBinarize(),), rngs_from_seed(1), batch_of(x, np.arange(4)), train=False
    )["image"]
    assert y.dtype == jnp.uint8
    assert set(np.unique(y)) == {0, 1}
    assert not np.array_equal(y[0], y[1])  # one draw for each example
    mean = np.asarray(y).reshape(4, 4, 2500).mean((0, 2))
    # Four standard errors of the mean of 10,000 coins.
    np.testing.assert_allclose(mean, levels / 255, atol=4 * 0.5 / 100)
    assert mean[0] == 0
    assert mean[3] == 1


def test_flip():
    x = images(n=400)
    batch = batch_of(x, np.arange(400))
    y = np.asarray(apply_random((HorizontalFlip(),), rngs_from_seed(0), batch, train=True)["image"])
    flipped = (y == x[:, :, ::-1]).all((1, 2, 3))
    np.testing.assert_array_equal(y[~flipped], x[~flipped])
    assert abs(flipped.mean() - 0.5) < 4 * 0.5 / 20
    assert y.dtype == np.uint8
    same = apply_random((HorizontalFlip(),), rngs_from_seed(0), batch, train=False)
    np.testing.assert_array_equal(same["image"], x)
    always = apply_random((HorizontalFlip(1.0),), rngs_from_seed(0), batch, train=True)
    np.testing.assert_array_equal(always["image"], x[:, :, ::-1])


def test_fixed_ones_do_not_disturb_random_ones():
    x = images(n=3, channels=1)
    rngs, batch = rngs_from_seed(0), batch_of(x, np.arange(3))
    one = apply_random((DynamicBinarize(),), rngs, batch, train=True)
    two = apply_random((Resize(4), DynamicBinarize()), rngs, batch, train=True)
    chex.assert_trees_all_equal(one, two)
    assert one["label"] is batch["label"]
