import itertools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from gm_jax.functional import patch_products
from gm_jax.functional.convolution import conv_general_dilated, conv_transpose

NUMBERS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def arrays(size, kernel_size, channels, features, batch=2, dtype=jnp.float32):
    """An input and a kernel whose convolution is of order one."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, *size, channels))
    w = rng.normal(size=(*kernel_size, channels, features))
    w /= np.sqrt(np.prod(kernel_size) * channels)
    return jnp.asarray(x, dtype), jnp.asarray(w, dtype)


def values_and_gradients(convolution):
    """y = conv(x, w), and the gradients of a sum of sin(y), whose dy is no constant."""

    def call(x, w):
        y, backward = jax.vjp(convolution, x, w)
        return y, *backward(jnp.cos(y))

    return jax.jit(call)


def assert_same(ours, theirs, x, w, tolerance=1e-5):
    for a, b in zip(
        values_and_gradients(ours)(x, w), values_and_gradients(theirs)(x, w), strict=True
    ):
        chex.assert_equal_shape([a, b])
        assert a.dtype == b.dtype
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, np.abs(b).max()))


def both(n, **options):
    """Our convolution and XLA's with the same options."""
    options["dimension_numbers"] = NUMBERS[n]
    return (
        lambda x, w: conv_general_dilated(x, w, **options),
        lambda x, w: lax.conv_general_dilated(x, w, **options),
    )


@settings(max_examples=16, deadline=None, derandomize=True, database=None)
@given(
    kernel=st.integers(1, 7),
    stride=st.sampled_from([1, 1, 2, 3]),
    dilation=st.sampled_from([1, 1, 2, 4]),
    padding=st.sampled_from(["SAME", "VALID", ((1, 2), (0, 3)), ((-1, 2), (4, 0))]),
    channels=st.sampled_from([1, 2, 3]),
    size=st.tuples(st.integers(7, 9), st.integers(7, 9)),
)
def test_any_window_gives_xlas_values_and_gradients(
    kernel, stride, dilation, padding, channels, size
):
    reach = (kernel - 1) * dilation + 1
    size = tuple(n + reach for n in size) if padding != "SAME" else size
    x, w = arrays(size, (kernel, kernel), channels, 2)
    ours, theirs = both(
        2,
        window_strides=(stride, stride),
        padding=padding,
        rhs_dilation=(dilation, dilation),
    )
    assert_same(ours, theirs, x, w)


@pytest.mark.parametrize(("channels", "features"), [(1, 4), (4, 1)])
@pytest.mark.parametrize("kernel", [(1, 4), (3, 2), (11, 11)])
def test_kernels_of_any_shape(kernel, channels, features):
    x, w = arrays((6, 9), kernel, channels, features)
    assert_same(*both(2, window_strides=(1, 1), padding="SAME"), x, w)


@pytest.mark.parametrize(("size", "kernel", "stride"), [(2, 3, 1), (4, 4, 2), (5, 7, 1), (1, 3, 1)])
def test_what_is_smaller_than_its_kernel_is_no_naive_loop(size, kernel, stride):
    """XLA on a CPU is fast in this layout only, and turns small inputs into another."""
    x, w = arrays((size, size), (kernel, kernel), 8, 8)
    ours, theirs = both(2, window_strides=(stride, stride), padding="SAME")
    assert_same(ours, theirs, x, w)
    program = values_and_gradients(ours).lower(x, w).compile().as_text()
    layouts = re.findall(r"dim_labels=(\S+?),", program)
    assert layouts
    assert set(layouts) == {"b01f_01io->b01f"}


@pytest.mark.parametrize("dilation", [1, 4, 16])
def test_causal_1d(dilation):
    x, w = arrays((24,), (11,), 3, 3)
    low = 10 * dilation
    options = {"window_strides": (1,), "padding": ((low, 0),), "rhs_dilation": (dilation,)}
    assert_same(*both(1, **options), x, w)
    # Nothing flows back from an output to a later input.
    ours, _ = both(1, **options)
    flow = jax.grad(lambda x: jnp.sum(ours(x, w)[:, 7]))(x)
    assert np.all(np.asarray(flow)[:, 8:] == 0)


def test_strided_1d_and_3d():
    x, w = arrays((9,), (4,), 2, 3)
    assert_same(*both(1, window_strides=(2,), padding="SAME_LOWER"), x, w)
    x, w = arrays((4, 5, 3), (3, 2, 1), 2, 3)
    assert_same(*both(3, window_strides=(1, 2, 1), padding="SAME"), x, w)


def test_input_dilation_with_and_without_strides():
    x, w = arrays((4, 5), (3, 3), 2, 3)
    for strides in [(1, 1), (3, 2)]:
        options = {"window_strides": strides, "padding": ((2, 1), (1, 3)), "lhs_dilation": (2, 3)}
        assert_same(*both(2, **options), x, w)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [
        (4, 2, "SAME"),
        (4, 2, "VALID"),
        (4, 2, ((2, 2), (1, 3))),
        (3, 1, "SAME"),
        (3, 2, ((1, 2), (1, 2))),
        (5, 2, "SAME"),
        (6, 2, ((3, 3), (3, 3))),
        (9, 3, "SAME"),
        (7, 1, "SAME"),
        (7, 1, "VALID"),
        (2, 3, "SAME"),
        (2, 3, "VALID"),
    ],
)
def test_transposed_windows(kernel, stride, padding):
    x, w = arrays((4, 3), (kernel, kernel), 3, 2)
    assert_same(
        lambda x, w: conv_transpose(x, w, (stride, stride), padding),
        lambda x, w: lax.conv_transpose(x, w, (stride, stride), padding),
        x,
        w,
    )


def test_transposed_1d_with_a_dilated_kernel():
    x, w = arrays((6,), (3,), 2, 3)
    assert_same(
        lambda x, w: conv_transpose(x, w, (2,), "SAME", rhs_dilation=(2,)),
        lambda x, w: lax.conv_transpose(x, w, (2,), "SAME", rhs_dilation=(2,)),
        x,
        w,
    )


def test_patches_of_some_taps_at_a_time_give_the_same_kernel_gradient(monkeypatch):
    x, w = arrays((7, 7), (3, 3), 2, 3)
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    monkeypatch.setattr(patch_products, "SHARED_BLOCK_BYTES", 4 * x.nbytes)
    jax.clear_caches()
    assert_same(*both(2, window_strides=(1, 1), padding="SAME"), x, w)


@pytest.fixture
def one_device(monkeypatch):
    """Kernel gradients by blocks, as where one device has the batch."""
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    monkeypatch.setattr(patch_products, "BLOCK_PATCHES", 1)
    jax.clear_caches()
    yield monkeypatch
    jax.clear_caches()


@pytest.mark.parametrize("channels", [2, 3])  # patches of the input, of the output
@pytest.mark.parametrize(
    ("batch", "block"),
    [
        (5, 10**9),  # all at once
        (5, 2 * 56 * 9 * 2 * 4),  # two examples at a time, and one left
        (4, 2 * 56 * 9 * 2 * 4),
        (3, 2 * 7 * 9 * 2 * 4),  # rows of one example
        (3, 1),
    ],
)
@pytest.mark.parametrize(
    ("stride", "dilation", "spread"), [(1, 1, None), (2, 1, None), (1, 2, None), (1, 1, (2, 1))]
)
def test_blocks_give_the_same_kernel_gradient(
    one_device, channels, batch, block, stride, dilation, spread
):
    x, w = arrays((8, 7), (3, 3), channels, 5 - channels, batch=batch)
    one_device.setattr(patch_products, "BLOCK_BYTES", block)
    options = {
        "window_strides": (stride, stride),
        "padding": ((1, 2), (2, 0)),
        "rhs_dilation": (dilation, dilation),
        "lhs_dilation": spread,
    }
    assert_same(*both(2, **options), x, w)


@pytest.mark.parametrize("n", [1, 3])
def test_blocks_along_one_axis_and_three(one_device, n):
    x, w = arrays((6, 5, 4)[:n], (3, 2, 2)[:n], 2, 3, batch=3)
    one_device.setattr(patch_products, "BLOCK_BYTES", 200)
    assert_same(*both(n, window_strides=(1,) * n, padding="SAME"), x, w)


def test_blocks_in_a_loop_and_over_an_axis_of_vmap(one_device):
    x, w = arrays((8, 8), (3, 3), 2, 3, batch=4)
    one_device.setattr(patch_products, "BLOCK_BYTES", 1000)
    ours, theirs = both(2, window_strides=(1, 1), padding="SAME")

    def each(convolution):
        def gradient(x, w):
            return jax.grad(lambda w: jnp.sum(jnp.cos(convolution(x, w))))(w)

        return lambda x, w: jax.vmap(gradient, (0, None))(x[:, None], w)

    chex.assert_trees_all_close(each(ours)(x, w), each(theirs)(x, w), atol=1e-5)


def test_bfloat16_sums_in_float32():
    x, w = arrays((16, 16), (3, 3), 2, 3, batch=16, dtype=jnp.bfloat16)
    ours, theirs = both(2, window_strides=(1, 1), padding="SAME")
    assert_same(ours, theirs, x, w, tolerance=2e-2)
    exact = values_and_gradients(theirs)(x.astype(jnp.float32), w.astype(jnp.float32))
    for a, b in zip(values_and_gradients(ours)(x, w), exact, strict=True):
        error = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max()
        assert error < 1e-2 * np.abs(np.asarray(b)).max()


def test_inside_scan():
    x, _ = arrays((5, 5), (3, 3), 2, 2)
    ws = jnp.stack([arrays((1, 1), (3, 3), 2, 2)[1] * scale for scale in (1.0, 0.5, -1.0)])

    def repeated(convolution):
        return lambda x, ws: lax.scan(lambda h, w: (jnp.tanh(convolution(h, w)), None), x, ws)[0]

    ours, theirs = both(2, window_strides=(1, 1), padding="SAME")
    assert_same(repeated(ours), repeated(theirs), x, ws)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_under_vmap(axes):
    x, w = arrays((5, 4), (3, 3), 2, 3)
    x = jnp.stack([x, 2 * x]) if axes[0] == 0 else x
    w = jnp.stack([w, -w]) if axes[1] == 0 else w
    ours, theirs = both(2, window_strides=(2, 1), padding="SAME")
    assert_same(jax.vmap(ours, axes), jax.vmap(theirs, axes), x, w)


def test_per_example_gradients():
    x, w = arrays((5, 4), (3, 3), 2, 3)

    def per_example(convolution):
        loss = lambda w, x: jnp.sum(jnp.sin(convolution(x[None], w)))  # noqa: E731
        return jax.vmap(jax.grad(loss), (None, 0))(w, x)

    ours, theirs = both(2, window_strides=(1, 1), padding="SAME")
    chex.assert_trees_all_close(per_example(ours), per_example(theirs), atol=1e-5)


@pytest.mark.parametrize(("stride", "dilation"), [((1, 1), (1, 1)), ((2, 2), (1, 1))])
def test_gradient_penalty_takes_second_derivatives(stride, dilation):
    x, w = arrays((6, 6), (4, 4), 2, 3)

    def penalty(convolution):
        critic = lambda x, w: jnp.sum(jnp.sin(convolution(jnp.tanh(convolution(x, w)), v)))  # noqa: E731
        return lambda x, w: jnp.mean(jax.grad(critic)(x, w) ** 2, keepdims=True)

    _, v = arrays((1, 1), (4, 4), 3, 1)
    ours, theirs = both(2, window_strides=stride, padding="SAME", rhs_dilation=dilation)
    assert_same(penalty(ours), penalty(theirs), x, w)


def test_second_derivatives_of_a_kernel_gradient():
    x, w = arrays((5, 5), (3, 3), 2, 3)

    def norm(convolution):
        loss = lambda w, x: jnp.sum(jnp.sin(convolution(x, w)))  # noqa: E731
        return lambda x, w: jnp.mean(jax.grad(loss)(w, x) ** 2, keepdims=True) / 100

    ours, theirs = both(2, window_strides=(1, 1), padding="SAME")
    assert_same(norm(ours), norm(theirs), x, w)


def test_what_the_fast_route_does_not_take_goes_to_xla():
    x, w = arrays((5, 5), (3, 3), 4, 4)
    grouped = {"window_strides": (1, 1), "padding": "SAME", "feature_group_count": 2}
    assert_same(*both(2, **grouped), x, w[:, :, :2])
    wide = {"window_strides": (1, 1), "padding": "SAME", "preferred_element_type": jnp.float32}
    for convolution in both(2, **wide):
        assert convolution(x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)).dtype == jnp.float32
    first = x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1)
    chex.assert_trees_all_equal(
        conv_general_dilated(*first, (1, 1), "SAME"),
        lax.conv_general_dilated(*first, (1, 1), "SAME"),
    )
    assert both(2, window_strides=(1, 1), padding="SAME")[0](x[:0], w).shape == (0, 5, 5, 4)


def test_forward_mode_is_refused():
    x, w = arrays((5, 5), (3, 3), 1, 1)
    ours, _ = both(2, window_strides=(1, 1), padding="SAME")
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda x: ours(x, w), (x,), (x,))


def test_mistakes_are_reported():
    x, w = arrays((5, 5), (3, 3), 4, 4)
    with pytest.raises(ValueError, match="feature"):
        both(2, window_strides=(1, 1), padding="SAME")[0](x[..., :3], w)
    with pytest.raises(ValueError, match="strides"):
        both(2, window_strides=(1,), padding="SAME")[0](x, w)
    with pytest.raises((ValueError, RuntimeError), match=r"[Pp]adding"):
        both(2, window_strides=(1, 1), padding="NEAR")[0](x, w)
    with pytest.raises(ValueError, match="padding must be"):
        conv_transpose(x, w, (2, 2), "NEAR")
    with pytest.raises(ValueError, match="rank"):
        conv_transpose(x[0], w, (2, 2), "SAME")


def test_a_gpu_keeps_xlas_own_gradients():
    x, w = arrays((5, 5), (3, 3), 2, 3)
    ours, theirs = both(2, window_strides=(2, 2), padding="SAME")

    def convolutions(convolution, platform):
        step = values_and_gradients(convolution)
        return (
            step.trace(x, w)
            .lower(lowering_platforms=(platform,))
            .as_text()
            .count("stablehlo.convolution")
        )

    assert convolutions(ours, "cuda") == convolutions(theirs, "cuda") == 3
    assert convolutions(ours, "tpu") == convolutions(theirs, "tpu") == 3
    # On a CPU both gradients are matrix products.
    assert convolutions(ours, "cpu") == 1


def test_gradients_outside_jit_compile_once():
    x, w = arrays((4, 4), (3, 3), 1, 2)
    ours, _ = both(2, window_strides=(1, 1), padding="SAME")
    step = jax.grad(lambda x, w: jnp.sum(ours(x, w) ** 2), (0, 1))
    first = step(x, w)
    for again in itertools.repeat(step, 2):
        chex.assert_trees_all_equal(again(x, w), first)
