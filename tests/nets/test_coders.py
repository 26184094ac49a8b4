import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.errors import ConfigError
from gm_jax.nets.coders import ConvCoder, init_coder
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


@pytest.mark.parametrize("options", [{"dense": 8}, {"dense": None, "pooling": True}])
def test_what_does_not_go_together(options):
    with pytest.raises(ConfigError, match="code_stride 2 does not go with") as error:
        ConvCoder(code_stride=2, **options)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="code_stride must be greater than 0"):
        ConvCoder(dense=None, code_stride=0)
