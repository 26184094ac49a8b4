import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.errors import ConfigError
from gm_jax.nets.coders import ConvCoder, init_coder
from gm_jax.nets.residual_coder import ResidualCoder
from gm_jax.rng import rngs_from_seed


def built(coder, shape, latent_dim=4, num_codes=2):
    """Encoder, decoder and the shapes of their parameters."""
    encoder = coder.encoder(num_codes, latent_dim, jnp.float32)
    decoder = coder.decoder(shape, shape[-1], jnp.float32)
    code_shape = coder.code_shape(shape, latent_dim)
    params = jax.eval_shape(
        lambda: init_coder(rngs_from_seed(0), encoder, decoder, shape, code_shape)
    )
    return encoder, decoder, params


def kernels(params):
    """Shapes of the kernels, in the order of the layers."""
    return [params[name]["kernel"].shape for name in sorted(params, key=by_place)]


def by_place(name):
    kind, number = name.rsplit("_", 1)
    return kind != "ConvTranspose", int(number)  # a decoder ends with its only Conv


@pytest.mark.parametrize("shape", [(32, 32, 3), (20, 27, 1), (7, 5, 3), (1, 1, 1)])
@pytest.mark.parametrize(
    "coder",
    [
        ConvCoder(features=(4, 8)),
        ConvCoder(features=(4, 8), dense=None),
        ConvCoder(features=(4, 8), dense=None, code_stride=2, kernel_size=4),
        ConvCoder(features=(4, 8), dense=None, code_stride=3),
        ConvCoder(features=(4, 8), dense=None, pooling=True),
        ConvCoder(features=(4, 8), dense=None, vector=True),
        ConvCoder(features=(4, 8), dense=None, vector=True, pooling=True),
        ResidualCoder(features=(4, 8)),
        ResidualCoder(features=(4, 8, 4), num_blocks=2, first_stride=2, norm="group"),
        ResidualCoder(features=(64, 32, 16), num_blocks=3).quick(),
        ConvCoder(features=(4, 8), dense=None, pooling=True, code_stride=2, activate_code=True),
    ],
)
def test_codes_and_images_have_their_shapes(coder, shape):
    encoder, decoder, params = built(coder, shape)
    code_shape = coder.code_shape(shape, 4)

    def there_and_back(params):
        codes = encoder.apply({"params": params["encoder"]}, jnp.zeros((2, *shape)))
        chex.assert_shape(codes, (2, *code_shape, 2))
        return decoder.apply({"params": params["decoder"]}, codes[..., 0])

    chex.assert_shape(jax.eval_shape(there_and_back, params), (2, *shape))


def test_the_code_is_made_by_a_strided_convolution():
    widths = tuple(256 * n for n in (1, 2, 4, 8, 12))
    coder = ConvCoder(widths, (2, 2, 2, 2, 2), kernel_size=4, dense=None, code_stride=2)
    _, _, params = built(coder, (448, 448, 3))
    assert coder.code_shape((448, 448, 3), 4) == (7, 7, 4)
    # Six convolutions with kernels of 4, the last of which gives 2 x 4 channels; six back.
    channels = [3, *widths, 8]
    assert kernels(params["encoder"]) == [(4, 4, a, b) for a, b in itertools.pairwise(channels)]
    channels = [4, *reversed(widths), widths[0], 3]
    assert kernels(params["decoder"]) == [(4, 4, a, b) for a, b in itertools.pairwise(channels)]


def test_without_it_nothing_has_changed():
    coder = ConvCoder((4, 8), dense=None)
    _, _, params = built(coder, (16, 16, 3))
    assert kernels(params["encoder"]) == [(3, 3, 3, 4), (3, 3, 4, 8), (1, 1, 8, 8)]
    assert kernels(params["decoder"]) == [(3, 3, 4, 4), (3, 3, 4, 4), (3, 3, 4, 3)]


def test_a_vector_of_the_map_has_no_narrower_layer():
    coder = ConvCoder((32, 64, 128), (2, 2, 2), dense=None, vector=True)
    _, _, params = built(coder, (32, 32, 3), latent_dim=2048)
    assert coder.code_shape((32, 32, 3), 2048) == (2048,)
    (dense,) = (params["encoder"][name] for name in params["encoder"] if "MLP" in name)
    assert dense["Dense_0"]["kernel"].shape == (4 * 4 * 128, 2 * 2048)
    (dense,) = (params["decoder"][name] for name in params["decoder"] if "MLP" in name)
    assert dense["Dense_0"]["kernel"].shape == (2048, 4 * 4 * 128)


@pytest.mark.slow
def test_a_fresh_residual_coder_is_as_shallow_as_its_strides():
    """Blocks add nothing before training; once they are moved they do."""
    shape = (9, 8, 1)
    x = jax.random.uniform(jax.random.key(0), (2, *shape))

    def codes(num_blocks, norm, move=0.0):
        coder = ResidualCoder((4, 8), num_blocks, norm=norm)
        encoder, decoder, _ = built(coder, shape)
        params = init_coder(rngs_from_seed(0), encoder, decoder, shape, (4,))["encoder"]
        kept = {name: p for name, p in params.items() if not name.startswith("ResidualBlock")}
        blocks = {name: p for name, p in params.items() if name not in kept}
        blocks = jax.tree.map(lambda p: p + move, blocks)
        return encoder.apply({"params": {**kept, **blocks}}, x)

    np.testing.assert_array_equal(codes(1, "none"), codes(3, "group"))
    assert np.abs(codes(1, "none") - codes(1, "none", 0.1)).max() > 0.01


def test_group_norm_is_in_the_blocks_where_it_is_asked_for():
    _, _, params = built(ResidualCoder((8,), norm="group"), (8, 8, 1))
    assert {"GroupNorm_0", "GroupNorm_1"} < set(params["encoder"]["ResidualBlock_0"])
    _, _, params = built(ResidualCoder((8,)), (8, 8, 1))
    assert set(params["encoder"]["ResidualBlock_0"]) == {"Conv_0", "Conv_1"}


def test_a_code_sees_its_own_place():
    """A change in one corner of the image changes the code of that corner only."""
    shape = (32, 32, 1)
    coder = ConvCoder((4, 8), dense=None, code_stride=2, kernel_size=4)
    encoder, decoder, _ = built(coder, shape)
    params = init_coder(rngs_from_seed(0), encoder, decoder, shape, (4, 4, 4))
    x = jax.random.uniform(jax.random.key(0), (1, *shape))
    codes = [encoder.apply({"params": params["encoder"]}, v) for v in (x, x.at[0, 0, 0].add(1))]
    changed = np.asarray(codes[0] != codes[1])[0].any((2, 3))  # [4, 4]
    assert changed[0, 0]
    assert not changed[2:].any()
    assert not changed[:, 2:].any()


def test_a_code_of_pooled_maps():
    """Three times a 3x3 convolution, ReLU and pooling: 28, 14, 7, 4; back by 4, 7, 14, 28."""
    coder = ConvCoder(
        (4, 5), dense=None, pooling=True, code_stride=2, code_kernel=3, activate_code=True
    )
    shape = (28, 28, 1)
    encoder, decoder, shapes = built(coder, shape, latent_dim=3, num_codes=1)
    assert kernels(shapes["encoder"]) == [(3, 3, 1, 4), (3, 3, 4, 5), (3, 3, 5, 3)]
    assert kernels(shapes["decoder"]) == [(3, 3, 3, 5), (3, 3, 5, 4), (3, 3, 4, 4), (3, 3, 4, 1)]
    params = init_coder(rngs_from_seed(0), encoder, decoder, shape, (4, 4, 3))
    codes = encoder.apply(
        {"params": params["encoder"]}, jax.random.normal(jax.random.key(0), (2, *shape))
    )
    chex.assert_shape(codes, (2, 4, 4, 3, 1))
    assert float(codes.min()) == 0
    assert float(codes.max()) > 0
    # Row 3 of the code covers row 6 of 7: what it says reaches row 24 at the end, and 4 above.
    z = jnp.zeros((1, 4, 4, 3))
    images = [decoder.apply({"params": params["decoder"]}, v) for v in (z, z.at[0, 3].set(1.0))]
    changed = np.asarray(images[0] != images[1])[0].any((1, 2))  # [28]
    assert np.flatnonzero(changed)[0] in range(15, 24)


@pytest.mark.parametrize(
    "field", [{"code_stride": 2}, {"code_kernel": 3}, {"activate_code": True}], ids=str
)
@pytest.mark.parametrize("options", [{"dense": 8}, {"dense": None, "vector": True}], ids=str)
def test_what_does_not_go_together(field, options):
    name = next(iter(field))
    with pytest.raises(ConfigError, match=rf"ConvCoder\.{name}.* does not go with") as error:
        ConvCoder(**field, **options)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"vector is for dense None: with 256"):
        ConvCoder(vector=True)
    with pytest.raises(ConfigError, match=r"norm must be one of"):
        ResidualCoder(norm="batch")
    with pytest.raises(ConfigError, match="code_stride must be greater than 0"):
        ConvCoder(dense=None, code_stride=0)
