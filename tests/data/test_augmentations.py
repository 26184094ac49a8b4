import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from PIL import Image, ImageEnhance
from scipy import stats
from skimage.color import hsv2rgb, rgb2hsv

from gm_jax.data import (
    ColorJitter,
    DataSpec,
    HorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    apply_random,
)
from gm_jax.data.augmentations import color_adjusted, resized_crop, rotate
from gm_jax.errors import ConfigError
from gm_jax.rng import rngs_from_seed

RNG = np.random.default_rng(0)
ALL = [RandomRotation(30.0), RandomResizedCrop((0.3, 0.9)), ColorJitter(0.4, 0.4, 0.4, 0.2)]
NOTHING = [RandomRotation(0.0), RandomResizedCrop((1.0, 1.0), (1.0, 1.0)), ColorJitter()]


def images(n=6, height=12, width=12, channels=3):
    return RNG.integers(0, 256, (n, height, width, channels), np.uint8)


def smooth(height=24, width=20, channels=3):
    """An image in which neighbours are alike, so that a pixel more or less shows as a level."""
    noise = RNG.random((height, width, channels))
    blurred = scipy.ndimage.gaussian_filter(noise, (2, 2, 0))
    blurred = (blurred - blurred.min()) / np.ptp(blurred)
    return np.round(255 * blurred).astype(np.uint8)


def applied(transform, x, step=0, index=None, train=True):
    index = np.arange(len(x)) if index is None else index
    batch = {"image": jnp.asarray(x[index]), "index": jnp.asarray(index, jnp.int32)}
    run = jax.jit(lambda b: apply_random((transform,), rngs_from_seed(0).at(step), b, train))
    return np.asarray(run(batch)["image"])


def named(transform):
    return type(transform).__name__


@pytest.mark.parametrize("transform", NOTHING, ids=named)
@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_to_do_changes_no_bit(transform, channels):
    x = images(channels=channels)
    np.testing.assert_array_equal(applied(transform, x), x)


@pytest.mark.parametrize("transform", ALL, ids=named)
def test_draws_depend_on_key_and_index_alone(transform):
    x = images()
    whole = applied(transform, x)
    chex.assert_shape(whole, x.shape)
    chex.assert_type(whole, np.uint8)
    assert (whole != x).any((1, 2, 3)).all()
    np.testing.assert_array_equal(applied(transform, x), whole)
    some = np.array([4, 1])
    np.testing.assert_array_equal(applied(transform, x, index=some), whole[some])
    assert (applied(transform, x, step=1) != whole).any((1, 2, 3)).all()
    np.testing.assert_array_equal(applied(transform, x, train=False), x)
    same = applied(transform, np.repeat(x[:1], 2, 0))
    assert (same[0] != same[1]).any()  # one draw for each example


@pytest.mark.parametrize(
    "transform", [RandomRotation(30.0), RandomResizedCrop(), ColorJitter(0.4, 0.4)], ids=named
)
def test_grey_images_and_other_shapes(transform):
    x = images(height=9, width=16, channels=1)
    spec = DataSpec(x.shape[1:])
    assert transform.spec(spec) == spec
    chex.assert_shape(applied(transform, x), x.shape)


@pytest.mark.parametrize("fill", ["edge", "reflect", "black"])
@pytest.mark.parametrize("size", [8, 9])
def test_quarter_turns_are_rot90(size, fill):
    (x,) = images(1, size, size)
    for quarters in range(-3, 4):
        turned = jax.jit(rotate, static_argnums=2)(x, 90.0 * quarters, fill)
        np.testing.assert_array_equal(turned, np.rot90(x, quarters))


@pytest.mark.parametrize(
    ("fill", "mode"), [("edge", "nearest"), ("reflect", "reflect"), ("black", "grid-constant")]
)
@pytest.mark.parametrize("degrees", [-20.0, 7.5, 133.0])
def test_rotation_is_scipys(degrees, fill, mode):
    x = smooth()
    turned = np.asarray(rotate(x, degrees, fill)).astype(float)
    expected = scipy.ndimage.rotate(
        x.astype(float), degrees, axes=(0, 1), reshape=False, order=1, mode=mode
    )
    np.testing.assert_allclose(turned, expected, atol=0.51)


def test_angles_are_uniform():
    x = np.zeros((33, 33, 1), np.uint8)
    x[15:18, 25:28] = 255  # 10 pixels to the right of the centre
    keys = jax.random.split(jax.random.key(0), 1000)
    turned = np.asarray(jax.jit(jax.vmap(RandomRotation(60.0), (0, None)))(keys, x))[..., 0]
    y, x = np.mgrid[16:-17:-1, -16:17]  # upwards, to the right
    angles = np.rad2deg(np.arctan2((turned * y).sum((1, 2)), (turned * x).sum((1, 2))))
    assert stats.kstest(angles, "uniform", (-60, 120)).pvalue > 1e-3


def test_crop_is_cutting_out_and_pillows_resize():
    x = smooth()
    for top, left, height, width in [(0, 0, 24, 20), (3, 5, 10, 7), (23, 19, 1, 1), (2, 0, 22, 3)]:
        box = x[top : top + height, left : left + width]
        resized = np.asarray(Image.fromarray(box).resize((20, 24), Image.Resampling.BILINEAR))
        cropped = np.asarray(resized_crop(x, top, left, height, width)).astype(int)
        # Pillow rounds after each direction.
        np.testing.assert_allclose(cropped, resized, atol=1)


def boxes(transform, keys):
    return jax.jit(jax.vmap(lambda key: jnp.stack(transform.box(key, 1000, 1000))))(keys)


def test_boxes_have_the_area_and_ratio_that_were_asked_for():
    transform = RandomResizedCrop((0.2, 0.6), (0.5, 1.5))
    keys = jax.random.split(jax.random.key(0), 4000)
    top, left, height, width = np.asarray(boxes(transform, keys)).T
    assert min(top.min(), left.min()) >= 0
    assert (top + height).max() <= 1000
    assert (left + width).max() <= 1000
    area = height.astype(float) * width / 1e6
    assert area.min() > 0.198
    assert area.max() < 0.602
    logs = np.log(width / height)
    assert logs.min() > math.log(0.5) - 0.01
    assert logs.max() < math.log(1.5) + 0.01
    # Where all fit, the shares are uniform, and so are the logarithms of the ratios.
    transform = RandomResizedCrop((0.2, 0.4), (0.5, 1.5))
    top, left, height, width = np.asarray(boxes(transform, keys)).T
    area = (height.astype(float) * width / 1e6 - 0.2) / 0.2
    ratio = (np.log(width / height) - math.log(0.5)) / math.log(3.0)
    down, right = (top + 0.5) / (1001 - height), (left + 0.5) / (1001 - width)
    for values in (area, ratio, down, right):
        assert stats.kstest(values, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(down, right)[0, 1]) < 4 / math.sqrt(4000)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 40), (35, 0, 30, 40)), ((40, 100), (0, 20, 40, 60))],
)
def test_a_box_that_never_fits_is_the_middle(size, expected):
    # The whole area at a ratio that the image does not have.
    transform = RandomResizedCrop((1.0, 1.0), (4 / 3, 1.5))
    box = transform.box(jax.random.key(0), *size)
    assert tuple(int(v) for v in box) == expected


def test_drawn_colours_are_uniform():
    keys = jax.random.split(jax.random.key(0), 4000)
    drawn = jax.vmap(ColorJitter(0.5, 0.2, 2.0, 0.3).draw)(keys)
    ranges = {
        "brightness": (0.5, 1.5),
        "contrast": (0.8, 1.2),
        "saturation": (0, 3),
        "hue": (-0.3, 0.3),
    }
    assert drawn.keys() == ranges.keys()
    for name, (low, high) in ranges.items():
        assert stats.kstest(np.asarray(drawn[name]), "uniform", (low, high - low)).pvalue > 1e-3
    assert abs(np.corrcoef(drawn["brightness"], drawn["contrast"])[0, 1]) < 4 / math.sqrt(4000)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
@pytest.mark.parametrize(
    ("name", "enhance"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
def test_factors_are_pillows(name, enhance, factor):
    (x,) = images(1)
    ours = np.asarray(color_adjusted(x, **{name: factor})).astype(int)
    theirs = np.asarray(enhance(Image.fromarray(x)).enhance(factor)).astype(int)
    # Pillow rounds the luma, and cuts off the rest.
    np.testing.assert_allclose(ours, theirs, atol=1.01 + 0.5 * abs(1 - factor))


@pytest.mark.parametrize("turn", [-0.5, -0.13, 0.0, 0.25, 0.5])
def test_hue_is_scikit_images(turn):
    x = np.concatenate([images(1)[0], np.full((1, 12, 3), 77, np.uint8)])  # also greys
    x[0] = np.eye(3, dtype=np.uint8)[np.arange(12) % 3] * 255
    hsv = rgb2hsv(x)
    hsv[..., 0] = (hsv[..., 0] + turn) % 1
    expected = 255 * hsv2rgb(hsv)
    ours = np.asarray(color_adjusted(x, hue=turn)).astype(float)
    np.testing.assert_allclose(ours, expected, atol=0.501)


def test_colours_in_a_row():
    """Brightness, contrast, saturation, hue: in this order, clipped in between, rounded once."""
    (x,) = images(1)
    weights = np.array([0.299, 0.587, 0.114])
    y = np.clip(x / 255 * 1.3, 0, 1)
    y = np.clip((y @ weights).mean() + 1.4 * (y - (y @ weights).mean()), 0, 1)
    luma = (y @ weights)[..., None]
    y = np.clip(luma + 0.6 * (y - luma), 0, 1)
    hsv = rgb2hsv(y)
    hsv[..., 0] = (hsv[..., 0] + 0.1) % 1
    ours = np.asarray(color_adjusted(x, 1.3, 1.4, 0.6, 0.1)).astype(float)
    np.testing.assert_allclose(ours, 255 * hsv2rgb(hsv), atol=0.502)


@pytest.mark.parametrize("num_levels", [2, 17])
def test_levels_stay_levels(num_levels):
    x = RNG.integers(0, num_levels, (6, 12, 12, 1)).astype(np.uint8)
    jitter = ColorJitter(0.9, 0.9, num_levels_in=num_levels)
    for transform in (RandomRotation(90.0), RandomResizedCrop((0.1, 0.5)), jitter):
        assert applied(transform, x).max() <= num_levels - 1
        assert transform.spec(DataSpec((12, 12, 1), num_levels)).num_levels == num_levels
    np.testing.assert_array_equal(color_adjusted(x[0], 1.0, num_levels=num_levels), x[0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RandomRotation(-1.0), r"RandomRotation\.degrees must be 0 or greater"),
        (lambda: RandomRotation(math.nan), r"RandomRotation\.degrees"),
        (lambda: RandomRotation(10.0, "white"), r"RandomRotation\.fill must be one of"),
        (lambda: RandomResizedCrop((0.0, 1.0)), r"scale must be 0 < low <= high <= 1, not"),
        (lambda: RandomResizedCrop((0.5, 1.5)), r"scale must be"),
        (lambda: RandomResizedCrop((0.9, 0.8)), r"scale must be"),
        (lambda: RandomResizedCrop(ratio=(2.0, 1.0)), r"ratio must be 0 < low <= high, not"),
        (lambda: RandomResizedCrop(ratio=(1.0, math.inf)), r"ratio must be"),
        (lambda: ColorJitter(brightness=-0.1), r"ColorJitter\.brightness must be 0 or greater"),
        (lambda: ColorJitter(hue=0.6), r"ColorJitter\.hue must be in \[0, 0\.5\]"),
        (lambda: ColorJitter().spec(DataSpec((8, 8, 1), 17)), "num_levels_in is 256"),
        (lambda: ColorJitter(hue=0.1).spec(DataSpec((8, 8, 1))), "must be 0 for grey"),
        (lambda: ColorJitter(0.1).spec(DataSpec((8, 8, 2))), "1 or 3 channels, not 2"),
    ],
)
def test_wrong_fields(build, message):
    with pytest.raises(ConfigError, match=message) as error:
        build()
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_several_in_a_row():
    x = images()
    batch = {"image": jnp.asarray(x), "index": jnp.arange(6)}
    rngs = rngs_from_seed(0)
    y = apply_random((*ALL, HorizontalFlip()), rngs, batch, train=True)["image"]
    chex.assert_shape(y, x.shape)
    chex.assert_type(y, jnp.uint8)
