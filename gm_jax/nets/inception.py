"""The Inception-v3 network by whose features generated images are compared (FID, KID, IS).

That is TensorFlow's graph of 2015-12-05 (Szegedy et al. 2016, arXiv:1512.00567, trained on
ImageNet with 1008 outputs), not the Inception-v3 of torchvision or Keras: averages leave out the
padding, the last block takes a maximum where the others average, and the weights are others.
Modules are called as in its ports to PyTorch (pytorch-fid, torch-fidelity), so that their weights
fit by name.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array

NUM_CLASSES = 1008
SMALLEST_SIDE = 75
"""Of an image, in pixels: below it the last maps would be empty."""

_EPSILON = 1e-3  # added to the variances of batch normalization
_PRECISION = jax.lax.Precision.HIGHEST  # no rounding to TF32 or bfloat16 where hardware would

Kernel = tuple[int, int]
Chain = tuple[tuple[str, int, Kernel], ...]
"""Convolutions one after the other: name, channels, height and width of the kernel."""


class InceptionOutputs(NamedTuple):
    """What the network says of images, each [B, ...]; maps are averaged over their places.

    Attributes:
      features_64: after the first maximum pooling, [B, 64].
      features_192: after the second one, [B, 192].
      features_768: where the auxiliary classifier was attached in training, [B, 768].
      features_2048: before the last layer, [B, 2048]; FID and KID compare these.
      logits_unbiased: of the classes, without the last layer's bias, [B, 1008]; the Inception Score
        is defined by these.
      logits: of the classes, [B, 1008].
    """

    features_64: Array
    features_192: Array
    features_768: Array
    features_2048: Array
    logits_unbiased: Array
    logits: Array


class InceptionV3(nn.Module):
    """Images [B, H, W, 3] in [-1, 1], H and W at least `SMALLEST_SIDE` (meant: 299)."""

    @nn.compact
    def __call__(self, x: Array) -> InceptionOutputs:
        """The features and logits of images; batch normalization uses its running statistics."""
        x = Convolution(32, (3, 3), 2, name="Conv2d_1a_3x3")(x)
        x = Convolution(32, (3, 3), padding="VALID", name="Conv2d_2a_3x3")(x)
        x = Convolution(64, (3, 3), name="Conv2d_2b_3x3")(x)
        first = x = _halved(x)
        x = Convolution(80, (1, 1), name="Conv2d_3b_1x1")(x)
        x = Convolution(192, (3, 3), padding="VALID", name="Conv2d_4a_3x3")(x)
        second = x = _halved(x)
        x = BlockA(32, name="Mixed_5b")(x)
        x = BlockA(64, name="Mixed_5c")(x)
        x = BlockA(64, name="Mixed_5d")(x)
        x = BlockB(name="Mixed_6a")(x)
        x = BlockC(128, name="Mixed_6b")(x)
        x = BlockC(160, name="Mixed_6c")(x)
        x = BlockC(160, name="Mixed_6d")(x)
        third = x = BlockC(192, name="Mixed_6e")(x)
        x = BlockD(name="Mixed_7a")(x)
        x = BlockE(pools="mean", name="Mixed_7b")(x)
        x = BlockE(pools="maximum", name="Mixed_7c")(x)
        pooled = _over_places(x)
        unbiased, logits = Classes(name="fc")(pooled)
        places = [_over_places(m) for m in (first, second, third)]
        return InceptionOutputs(places[0], places[1], places[2], pooled, unbiased, logits)


class Convolution(nn.Module):
    """Convolution without bias, batch normalization, ReLU."""

    features: int
    kernel: Kernel
    stride: int = 1
    padding: str | None = None
    """None: "SAME" where the stride is 1, else "VALID"."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B, H, W, C] -> [B, H', W', features]."""
        x = nn.Conv(
            self.features,
            self.kernel,
            self.stride,
            self.padding or ("SAME" if self.stride == 1 else "VALID"),
            use_bias=False,
            precision=_PRECISION,
            name="conv",
        )(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=_EPSILON, name="bn")(x))


class BlockA(nn.Module):
    """[B, H, W, C] -> [B, H, W, 224 + pooled]: kernels of 1x1, 5x5 and twice 3x3."""

    pooled: int
    """Channels of the branch that averages."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The branches, side by side."""
        branches = [
            _chain(x, _of_1x1(64)),
            _chain(x, (("branch5x5_1", 48, (1, 1)), ("branch5x5_2", 64, (5, 5)))),
            _chain(x, _twice_3x3(64, 96, 96)),
            _chain(_smoothed(x), _of_pool(self.pooled)),
        ]
        return jnp.concatenate(branches, -1)


class BlockB(nn.Module):
    """[B, H, W, C] -> [B, (H-1)//2, (W-1)//2, 480 + C]."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The branches, side by side."""
        branches = [
            _chain(x, (("branch3x3", 384, (3, 3)),), last_stride=2),
            _chain(x, _twice_3x3(64, 96, 96), last_stride=2),
            _halved(x),
        ]
        return jnp.concatenate(branches, -1)


class BlockC(nn.Module):
    """[B, H, W, C] -> [B, H, W, 768]: kernels of 7x7, as 1x7 and 7x1."""

    inner: int
    """Channels within the branches."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The branches, side by side."""
        n = self.inner
        once: Chain = (
            ("branch7x7_1", n, (1, 1)),
            ("branch7x7_2", n, (1, 7)),
            ("branch7x7_3", 192, (7, 1)),
        )
        twice: Chain = (
            ("branch7x7dbl_1", n, (1, 1)),
            ("branch7x7dbl_2", n, (7, 1)),
            ("branch7x7dbl_3", n, (1, 7)),
            ("branch7x7dbl_4", n, (7, 1)),
            ("branch7x7dbl_5", 192, (1, 7)),
        )
        branches = [
            _chain(x, _of_1x1(192)),
            _chain(x, once),
            _chain(x, twice),
            _chain(_smoothed(x), _of_pool(192)),
        ]
        return jnp.concatenate(branches, -1)


class BlockD(nn.Module):
    """[B, H, W, C] -> [B, (H-1)//2, (W-1)//2, 512 + C]."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The branches, side by side."""
        wide: Chain = (
            ("branch7x7x3_1", 192, (1, 1)),
            ("branch7x7x3_2", 192, (1, 7)),
            ("branch7x7x3_3", 192, (7, 1)),
            ("branch7x7x3_4", 192, (3, 3)),
        )
        branches = [
            _chain(x, (("branch3x3_1", 192, (1, 1)), ("branch3x3_2", 320, (3, 3))), last_stride=2),
            _chain(x, wide, last_stride=2),
            _halved(x),
        ]
        return jnp.concatenate(branches, -1)


class BlockE(nn.Module):
    """[B, H, W, C] -> [B, H, W, 2048]: branches that end in 1x3 beside 3x1."""

    pools: str
    """"mean", or "maximum", which the last block of this graph has."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The branches, side by side."""
        one = _chain(x, (("branch3x3_1", 384, (1, 1)),))
        two = _chain(x, (("branch3x3dbl_1", 448, (1, 1)), ("branch3x3dbl_2", 384, (3, 3))))
        pooled = _smoothed(x) if self.pools == "mean" else _maximum(x, stride=1, padding="SAME")
        branches = [
            _chain(x, _of_1x1(320)),
            _chain(one, (("branch3x3_2a", 384, (1, 3)),)),
            _chain(one, (("branch3x3_2b", 384, (3, 1)),)),
            _chain(two, (("branch3x3dbl_3a", 384, (1, 3)),)),
            _chain(two, (("branch3x3dbl_3b", 384, (3, 1)),)),
            _chain(pooled, _of_pool(192)),
        ]
        return jnp.concatenate(branches, -1)


class Classes(nn.Module):
    """[B, K] -> logits [B, 1008], without bias and with it."""

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        """The two."""
        shape = (x.shape[-1], NUM_CLASSES)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (NUM_CLASSES,))
        unbiased = jnp.matmul(x, kernel, precision=_PRECISION)
        return unbiased, unbiased + bias[None]


def _chain(x: Array, chain: Chain, last_stride: int = 1) -> Array:
    """Convolutions one after the other; called in a compact method, whose module they belong to."""
    for name, features, kernel in chain[:-1]:
        x = Convolution(features, kernel, name=name)(x)
    name, features, kernel = chain[-1]
    return Convolution(features, kernel, last_stride, name=name)(x)


def _of_1x1(features: int) -> Chain:
    return (("branch1x1", features, (1, 1)),)


def _twice_3x3(first: int, second: int, third: int) -> Chain:
    return (
        ("branch3x3dbl_1", first, (1, 1)),
        ("branch3x3dbl_2", second, (3, 3)),
        ("branch3x3dbl_3", third, (3, 3)),
    )


def _of_pool(features: int) -> Chain:
    return (("branch_pool", features, (1, 1)),)


def _halved(x: Array) -> Array:
    """Maxima of 3x3 places, at each second one: [B, H, W, C] -> [B, (H-1)//2, (W-1)//2, C]."""
    return _maximum(x, stride=2, padding="VALID")


def _maximum(x: Array, stride: int, padding: str) -> Array:
    return nn.max_pool(x, (3, 3), (stride, stride), padding)


def _smoothed(x: Array) -> Array:
    """Means of 3x3 places, of fewer at the border: [B, H, W, C], as before."""
    return nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)


def _over_places(x: Array) -> Array:
    """[B, H, W, C] -> [B, C]."""
    return x.mean((1, 2))
