"""Mode collapse of toy/gan: modes held and share of good samples, over several seeds.

Trains each seed in runs/toy/gan_seeds/ (or takes the run that is there), draws 2,500 samples, and
counts after VEEGAN (Srivastava et al. 2017): a sample is good within three standard deviations of a
mode; a mode is held by at least 1 % of all samples, good ones.

    .venv/bin/python benchmarks/ring.py --seeds 5
"""

import argparse
from pathlib import Path

import numpy as np

import gm_jax
from gm_jax.metrics.modes import mode_coverage


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--num", type=int, default=2500, help="samples of each seed")
    parser.add_argument("--runs", type=Path, default=Path("runs/toy/gan_seeds"))
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        experiment = gm_jax.load("toy/gan").replace(seed=seed)
        ring = experiment.data.source
        run = gm_jax.fit(experiment, arguments.runs / str(seed))
        points = run.sample(arguments.num, seed=seed).reshape(arguments.num, -1)
        rows.append([float(x) for x in mode_coverage(points, ring.centers, ring.scale)])
    print("seed  good share  modes hit  modes held  KL to uniform (nats)")
    for seed, row in enumerate(rows):
        print("{:4d} {:11.3f} {:10.0f} {:11.0f} {:21.4f}".format(seed, *row))
    mean, worst = np.mean(rows, 0), np.min(rows, 0)
    print(f"mean good share {mean[0]:.3f}; fewest modes held {worst[2]:.0f} of {len(ring.centers)}")


if __name__ == "__main__":
    main()
