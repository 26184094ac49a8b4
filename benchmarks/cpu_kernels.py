"""What gm_jax does differently on a CPU, piece by piece beside XLA's way or our former one.

    python -m benchmarks.cpu_kernels --rounds 7

Sides take turns in one process, on one thread unless --threads says more. Milliseconds of processor
time are medians over the rounds; a ratio is the median of the rounds' ratios, with its range.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.twins.timing import limit_threads, positive

# Batch, size, channels, features, kernel, stride.
GRADIENTS = [
    (64, 28, 64, 64, 3, 1),
    (64, 12, 32, 32, 3, 1),
    (64, 7, 128, 128, 3, 1),
    (64, 14, 64, 128, 4, 2),
    (200, 28, 16, 16, 5, 1),
    (64, 32, 3, 64, 3, 1),
    (16, 8, 256, 256, 3, 1),
    (4, 64, 64, 64, 3, 1),
]
# Batch, size, channels, features, kernel, how far the input is spread.
SMALL = [
    (64, 2, 256, 256, 3, 1),
    (64, 2, 64, 64, 3, 1),
    (64, 2, 256, 128, 4, 2),
    (16, 5, 32, 32, 7, 1),
]
# Batch, size, channels, features, kernel, how far the input is spread.
SPREAD = [
    (64, 7, 128, 64, 4, 2),
    (64, 14, 64, 1, 4, 2),
    (200, 14, 32, 32, 4, 2),
    (64, 16, 128, 64, 4, 2),
    (64, 32, 64, 32, 4, 2),
    (64, 14, 64, 32, 3, 2),
    (200, 14, 16, 1, 6, 2),
    (64, 16, 64, 3, 5, 2),
    (64, 7, 32, 1, 9, 3),
]
# Batch, size, channels, features: 3x3 weights on a map that is doubled first.
DOUBLED = [
    (64, 14, 32, 32),
    (64, 7, 64, 64),
    (200, 7, 32, 16),
    (128, 4, 64, 64),
    (50, 16, 64, 32),
    (64, 3, 64, 64),
]
IMAGES = [(200, 28, 28, 1), (64, 32, 32, 3), (64, 12, 12, 1)]
# [B, H, W, C], halved.
POOLED = [(128, 28, 28, 64), (128, 14, 14, 64), (128, 12, 12, 32), (8, 64, 64, 16)]
# [B, H, W, C]
MAPS = [(200, 14, 14, 16), (64, 28, 28, 16), (400, 12, 12, 8), (200, 7, 7, 16)]

Case = tuple[str, Callable[[], object], Callable[[], object]]


def gradients() -> Iterator[Case]:
    """Kernel gradients from patches of the whole batch, and in blocks."""
    from gm_jax.functional import patch_products
    from gm_jax.functional.patch_products import Grid

    for batch, size, channels, features, kernel, stride in GRADIENTS:
        out = size // stride
        padding = (kernel - 1) // 2
        grid = Grid((out,) * 2, (kernel,) * 2, (padding,) * 2, (stride,) * 2, (1, 1))
        x, dy = normal((batch, size, size, channels), (batch, out, out, features))

        def whole(x, dy, grid=grid):
            return patch_products._by_taps(patch_products._padded(x, grid), dy, grid, None)

        def blocks(x, dy, grid=grid):
            return patch_products.patch_product(x, dy, grid)

        name = f"{kernel}x{kernel}/{stride} {channels}→{features} on {size}x{size}, batch {batch}"
        yield name, compiled(whole, x, dy), compiled(blocks, x, dy)


def small() -> Iterator[Case]:
    """Convolutions of maps that are smaller than the kernel: XLA's, and ours."""
    return _convolutions(SMALL)


def spread() -> Iterator[Case]:
    """Convolutions of spread maps, which are transposed convolutions: XLA's, and ours."""
    return _convolutions(SPREAD)


def _convolutions(cases: list[tuple[int, ...]]) -> Iterator[Case]:
    from gm_jax.functional.convolution_gradients import Window, convolve, xla_convolution

    for batch, size, channels, features, kernel, by in cases:
        padding = (kernel // 2,) * 2
        window = Window((size,) * 2, (kernel,) * 2, (1, 1), (padding, padding), (by,) * 2, (1, 1))
        x, w = normal((batch, size, size, channels), (kernel, kernel, channels, features))
        name = f"{kernel}x{kernel} {channels}→{features} on {size}x{size}, batch {batch}"
        yield (
            name + (f", spread by {by}" if by > 1 else ""),
            compiled(lambda x, w, window=window: xla_convolution(x, w, window), x, w),
            compiled(lambda x, w, window=window: convolve(x, w, window), x, w),
        )


def doubled() -> Iterator[Case]:
    """3x3 convolutions of doubled maps, with both gradients: of the larger map, and of its own."""
    from gm_jax.functional.convolution import conv_general_dilated
    from gm_jax.functional.upsampled_convolution import conv_of_upsampled, upsampled

    layout = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    for batch, size, channels, features in DOUBLED:
        x, w, dy = normal(
            (batch, size, size, channels),
            (3, 3, channels, features),
            (batch, 2 * size, 2 * size, features),
        )

        def first(x, w):
            return conv_general_dilated(upsampled(x, 2), w, (1, 1), "SAME", **layout)

        def added(x, w):
            return conv_of_upsampled(x, w, (1, 1), "SAME", scale=2, **layout)

        sides = (compiled(with_gradients(side), dy, x, w) for side in (first, added))
        yield (f"{channels}→{features} on {size}x{size}, batch {batch}", *sides)


def sums() -> Iterator[Case]:
    """Likelihoods of images and their gradients: summed over the images' axes, and over rows."""
    import jax

    from gm_jax.functional.likelihoods import bernoulli_log_prob, gaussian_log_prob
    from gm_jax.metrics.flattening import flat

    for shape in IMAGES:
        x, mean = normal(shape, shape)

        def gaussian(x, mean):
            return gaussian_log_prob(x, mean, 0.1 * mean)

        for name, log_prob, data in [
            ("Bernoulli", lambda x, logits: bernoulli_log_prob(logits, x), (x > 0).astype(x.dtype)),
            ("Gaussian", gaussian, x),
        ]:

            def axes(mean, x, log_prob=log_prob):
                return -log_prob(x, mean).sum((1, 2, 3)).mean()

            def rows(mean, x, log_prob=log_prob):
                return -log_prob(flat(x), flat(mean)).sum(1).mean()

            sides = (compiled(jax.value_and_grad(side), mean, data) for side in (axes, rows))
            yield (f"{name}, {shape}", *sides)


def maxima() -> Iterator[Case]:
    """Maxima of 2x2 windows and their gradients: by XLA's windows, and by comparisons."""
    import flax.linen as nn
    import jax

    from gm_jax.functional.pooling import max_pool

    for shape in POOLED:
        batch, height, width, channels = shape
        x, dy = normal(shape, (batch, height // 2, width // 2, channels))

        def windows(x, dy):
            return (dy * nn.max_pool(x, (2, 2), (2, 2))).sum()

        def comparisons(x, dy):
            return (dy * max_pool(x, 2)).sum()

        sides = (compiled(jax.value_and_grad(side), x, dy) for side in (windows, comparisons))
        yield (str(shape), *sides)


def activations() -> Iterator[Case]:
    """A bias and an activation, with gradients: of maps as they are, and by rows."""
    import flax.linen as nn

    from gm_jax.functional.by_rows import by_rows

    for name, function in {"elu": nn.elu, "silu": nn.silu, "tanh": nn.tanh}.items():
        for shape in MAPS:
            x, dy, bias = normal(shape, shape, shape[-1:])

            def biased(x, bias, side):
                return side(x + bias)

            sides = (
                compiled(with_gradients(functools.partial(biased, side=side)), dy, x, bias)
                for side in (function, by_rows(function))
            )
            yield (f"{name}, {shape}", *sides)


def normal(*shapes: tuple[int, ...]) -> list:
    import jax

    keys = jax.random.split(jax.random.key(0), len(shapes))
    return [jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)]


def with_gradients(function: Callable) -> Callable:
    """Of dy and the function's arguments: its value, and the gradients of <value, dy>."""
    import jax

    def both(dy, *args):
        y, back = jax.vjp(function, *args)
        return y, back(dy)

    return both


def compiled(function: Callable, *args: object) -> Callable[[], object]:
    import jax

    program = jax.jit(function).lower(*args).compile()
    return lambda: jax.block_until_ready(program(*args))


def milliseconds(call: Callable[[], object], seconds: float) -> float:
    """Processor time of a call, the mean of as many as fit."""
    begun, used, calls = time.perf_counter(), time.process_time(), 0
    while calls == 0 or time.perf_counter() - begun < seconds:
        call()
        calls += 1
    return 1e3 * (time.process_time() - used) / calls


TABLES = {
    "gradients": (gradients, "at once", "in blocks"),
    "small": (small, "XLA's", "ours"),
    "spread": (spread, "XLA's", "ours"),
    "doubled": (doubled, "enlarged first", "weights added"),
    "sums": (sums, "over axes", "over rows"),
    "maxima": (maxima, "by windows", "by comparisons"),
    "activations": (activations, "as they are", "by rows"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each side in a round")
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--only", nargs="*", choices=list(TABLES), default=list(TABLES))
    asked = parser.parse_args()
    limit_threads(asked.threads)
    from gm_jax.allocator import keep_freed_memory

    keep_freed_memory()
    for cases, before, after in (TABLES[name] for name in asked.only):
        print(f"\n{cases.__doc__}\n\n| case | {before}, ms | {after}, ms | ratio (range) |")
        print("|---|---|---|---|")
        for name, *sides in cases():
            rounds = []
            for call in sides:
                call()
            for number in range(asked.rounds):
                order = (0, 1) if number % 2 else (1, 0)
                took = {side: milliseconds(sides[side], asked.seconds) for side in order}
                rounds.append((took[0], took[1]))
            first, second = (statistics.median(side) for side in zip(*rounds, strict=True))
            ratios = [a / b for a, b in rounds]
            print(
                f"| {name} | {first:.2f} | {second:.2f} | {statistics.median(ratios):.1f} "
                f"({min(ratios):.1f}–{max(ratios):.1f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
