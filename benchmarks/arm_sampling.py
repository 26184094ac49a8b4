"""Cached and predictive sampling against plain sampling: seconds for 16 images of 12x12, by family.

    .venv/bin/python benchmarks/arm_sampling.py
    .venv/bin/python benchmarks/arm_sampling.py --run mnist12/arm_pixelcnn=runs/mnist12/arm_pixelcnn

The samplers take turns in one process, after compilation; every figure is the median over the
rounds. Weights are random where no trained run is given, which makes no difference to plain and
cached sampling. The rounds that predictive sampling needs depend on them: random weights hardly
look at the image, so that theirs are too few.
"""

import argparse
import dataclasses
import statistics
import time
from pathlib import Path

from gm_jax.runtime import set_up

set_up()

import jax  # noqa: E402
import numpy as np  # noqa: E402

import gm_jax  # noqa: E402
from gm_jax.data.spec import DataSpec  # noqa: E402
from gm_jax.rng import rngs_from_seed  # noqa: E402
from gm_jax.sampling import AutoregressiveSampling  # noqa: E402

# Name, and the share of the plain sampler's time that the cached one may take.
TARGETS = {"mnist12/arm_cnn1d": 1 / 50, "mnist12/arm_pixelcnn": 1 / 10}
SPEC = DataSpec((12, 12, 1), num_levels=16, num_classes=10)
SAMPLERS = ("plain", "cached", "predictive")


def measure(name: str, run: Path | None, num: int, rounds: int, samplers: list[str]) -> None:
    if run is None:
        model = gm_jax.load(name).model
        state = model.init(rngs_from_seed(0), SPEC)
    else:
        opened = gm_jax.open(run)
        model, state = opened.model, opened.state
    draw, images = {}, {}
    for sampler in samplers:
        sample = dataclasses.replace(model, sampling=AutoregressiveSampling(sampler)).sample
        draw[sampler] = jax.jit(sample, static_argnums=2)
        images[sampler] = np.asarray(draw[sampler](state, rngs_from_seed(0), num))
    times = {sampler: [] for sampler in samplers}
    for round_ in range(rounds):
        for sampler in samplers:
            start = time.perf_counter()
            jax.block_until_ready(draw[sampler](state, rngs_from_seed(round_), num))
            times[sampler].append(time.perf_counter() - start)
    seconds = {sampler: statistics.median(t) for sampler, t in times.items()}
    print(f"{name} ({'random weights' if run is None else run}), {num} images")
    for sampler in samplers:
        line = f"  {sampler:<11} {seconds[sampler]:9.4f} s"
        if "plain" in seconds and sampler != "plain":
            line += f"   plain / {sampler} = {seconds['plain'] / seconds[sampler]:.1f}"
            same = (images[sampler] == images["plain"]).all((1, 2, 3)).sum()
            line += f"   {same} of {num} images equal"
        if "plain" in seconds and sampler == "cached":
            line += f"   (target: at least {1 / TARGETS[name]:.0f})"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--num", type=int, default=16, help="images")
    parser.add_argument("--only", nargs="*", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument("--names", nargs="*", choices=[*TARGETS], default=list(TARGETS))
    parser.add_argument("--run", nargs="*", default=[], help="NAME=FOLDER of a trained run")
    arguments = parser.parse_args()
    runs = dict(pair.split("=", 1) for pair in arguments.run)
    print(f"jax {jax.__version__}, {jax.devices()[0].platform}; median of {arguments.rounds}")
    for name in arguments.names:
        run = Path(runs[name]) if name in runs else None
        measure(name, run, arguments.num, arguments.rounds, arguments.only)


if __name__ == "__main__":
    main()
