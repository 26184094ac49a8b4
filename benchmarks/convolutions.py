"""Our convolutions against XLA's and PyTorch's on a CPU: one table, sides taking turns.

    python benchmarks/convolutions.py --torch-python PYTHON_WITH_TORCH

PyTorch may live in another interpreter; without --torch-python, or without torch in it, its
column is left out. Every figure is the median over the rounds of one run, in milliseconds a step.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SCAN_STEPS = 4
RATE = 1e-3
CASES = {
    "conv": "conv 3x3 64→64 on 32x32, forward",
    "conv_grad": "the same, forward and gradients",
    "residual": "9-conv residual net on 32x32, training step",
    "transposed": "3 transposed convs 256-128-64-3 from 4x4, training step",
    "four": "four convs 3x3 32→32 on 28x28, training step",
    "four_scan": f"the same inside a {SCAN_STEPS}-step scan, a step",
}
# Kernels as (k, C, O), and the input's (size, channels).
KERNELS = {
    "conv": [(3, 64, 64)],
    "conv_grad": [(3, 64, 64)],
    "residual": [(3, 3, 64)] + [(3, 64, 64)] * 8,
    "transposed": [(4, 256, 128), (4, 128, 64), (4, 64, 3)],
    "four": [(3, 32, 32)] * 4,
    "four_scan": [(3, 32, 32)] * 4,
}
INPUTS = {
    "conv": (32, 64),
    "conv_grad": (32, 64),
    "residual": (32, 3),
    "transposed": (4, 256),
    "four": (28, 32),
    "four_scan": (28, 32),
}


def network(case, x, ws, conv, conv_transpose, relu):
    """The case's forward pass, in either framework."""
    if case == "transposed":
        for w in ws[:-1]:
            x = relu(conv_transpose(x, w))
        return conv_transpose(x, ws[-1])
    if case == "residual":
        x = relu(conv(x, ws[0]))
        for first, second in zip(ws[1::2], ws[2::2], strict=True):
            x = relu(x + conv(relu(conv(x, first)), second))
        return x
    for w in ws:
        x = relu(conv(x, w))
    return x


def jax_step(case: str, batch: int, ours: bool) -> Callable[[], None]:
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax

    from gm_jax.functional import convolution

    numbers = ("NHWC", "HWIO", "NHWC")
    library = convolution if ours else lax

    def conv(x, w):
        return library.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers)

    def conv_transpose(x, w):
        return library.conv_transpose(x, w, (2, 2), "SAME")

    rng = np.random.default_rng(0)
    size, channels = INPUTS[case]
    x = jnp.asarray(rng.normal(size=(batch, size, size, channels)), jnp.float32)
    ws = [
        jnp.asarray(rng.normal(size=(k, k, c, o)) / (k * k * c) ** 0.5, jnp.float32)
        for k, c, o in KERNELS[case]
    ]

    def forward(ws, x):
        return network(case, x, ws, conv, conv_transpose, jax.nn.relu)

    def loss(ws, x):
        return jnp.mean(forward(ws, x) ** 2)

    def train(ws, x):
        return jax.tree.map(lambda w, g: w - RATE * g, ws, jax.grad(loss)(ws, x))

    if case == "conv":
        step = forward
    elif case == "conv_grad":
        step = jax.grad(loss, (0, 1))
    elif case == "four_scan":
        x = jnp.stack([x] * SCAN_STEPS)

        def step(ws, xs):
            return lax.scan(lambda ws, x: (train(ws, x), None), ws, xs)[0]
    else:
        step = train
    compiled = jax.jit(step).lower(ws, x).compile()
    return lambda: jax.block_until_ready(compiled(ws, x))


def torch_step(case: str, batch: int) -> Callable[[], object]:
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    size, channels = INPUTS[case]
    x = torch.randn(batch, channels, size, size).to(memory_format=torch.channels_last)
    x.requires_grad_(case == "conv_grad")
    transposed = case == "transposed"
    ws = [
        (torch.randn(*((c, o) if transposed else (o, c)), k, k) / (k * k * c) ** 0.5)
        .to(memory_format=torch.channels_last)
        .requires_grad_()
        for k, c, o in KERNELS[case]
    ]

    def conv(x, w):
        return functional.conv2d(x, w, padding="same")

    def conv_transpose(x, w):
        return functional.conv_transpose2d(x, w, stride=2, padding=1)

    def forward():
        return network(case, x, ws, conv, conv_transpose, functional.relu)

    def train():
        gradients = torch.autograd.grad(forward().square().mean(), ws)
        with torch.no_grad():
            for w, g in zip(ws, gradients, strict=True):
                w -= RATE * g

    if case == "conv":
        return torch.no_grad()(forward)
    if case == "conv_grad":
        return lambda: torch.autograd.grad(forward().square().mean(), [x, *ws])
    if case == "four_scan":
        return lambda: [train() for _ in range(SCAN_STEPS)]
    return train


def milliseconds(case: str, step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return (time.perf_counter() - start) * 1e3 / (SCAN_STEPS if case == "four_scan" else 1)


def torch_worker(batch: int) -> None:
    """Answers each case named on stdin with the time of one step."""
    import torch

    print(torch.__version__, flush=True)
    steps = {}
    for line in sys.stdin:
        case = line.strip()
        if case not in steps:
            steps[case] = torch_step(case, batch)
            steps[case]()
        print(milliseconds(case, steps[case]), flush=True)


class TorchLeg:
    """PyTorch in a process of its own, which waits while the others run."""

    def __init__(self, python: str, batch: int):
        self.process = subprocess.Popen(
            [python, __file__, "--torch-worker", "--batch", str(batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = self.process.stdout.readline().strip()
        if not self.version:
            raise RuntimeError(f"{python} has no torch")

    def __call__(self, case: str) -> float:
        self.process.stdin.write(f"{case}\n")
        self.process.stdin.flush()
        answer = float(self.process.stdout.readline())
        time.sleep(0.25)  # its threads spin for a while after their last task
        return answer

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slow-rounds", type=int, default=2, help="of XLA's step in a scan")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--skip-xla", action="store_true")
    parser.add_argument("--no-allocator", action="store_true", help="leave malloc as it is")
    parser.add_argument("--torch-python", help="an interpreter that has torch")
    parser.add_argument("--torch-worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_worker:
        torch_worker(options.batch)
        return

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from gm_jax.allocator import keep_freed_memory

    kept = False if options.no_allocator else keep_freed_memory()
    import jax

    print(f"jax {jax.__version__}, batch {options.batch}, freed memory kept: {kept}")
    torch = None
    if options.torch_python:
        try:
            torch = TorchLeg(options.torch_python, options.batch)
            print(f"torch {torch.version}, channels last, eager")
        except (OSError, RuntimeError) as error:
            print(f"PyTorch is left out: {error}")
    else:
        print("PyTorch is left out: no --torch-python given")

    print("| case | ours | XLA | PyTorch | XLA / ours | PyTorch / ours |")
    print("|---|---|---|---|---|---|")
    for case in options.only:
        legs = {"ours": jax_step(case, options.batch, ours=True)}
        if not options.skip_xla:
            legs["xla"] = jax_step(case, options.batch, ours=False)
        times = {name: [] for name in [*legs, "torch"]}
        for name, step in legs.items():
            if (case, name) != ("four_scan", "xla"):  # most of a minute on some machines
                step()
        for turn in range(options.rounds):
            for name, step in legs.items():
                if (case, name) == ("four_scan", "xla") and turn >= options.slow_rounds:
                    continue
                times[name].append(milliseconds(case, step))
            if torch:
                times["torch"].append(torch(case))
        median = {name: statistics.median(t) if t else None for name, t in times.items()}
        cells = [CASES[case]]
        cells += [
            "–" if (m := median.get(n)) is None else f"{m:,.1f}" for n in ("ours", "xla", "torch")
        ]
        for name in ("xla", "torch"):
            other = median.get(name)
            cells.append("–" if other is None else f"{other / median['ours']:.2f}")
        print(f"| {' | '.join(cells)} |", flush=True)
    if torch:
        torch.close()


if __name__ == "__main__":
    main()
