"""Do forecasts of synthetic storms answer the time that is asked for? Figures of trained runs.

    gm-jax train storms/cae_convlstm --sweep seed=0,1,2
    .venv/bin/python benchmarks/storm_times.py runs/storms/cae_convlstm-seed-*

For each run, on held-out storms:

  lead times   MSE and SSIM beside persistence and extrapolation, on "test" and at half and twice
               the distance ("test_half", "test_double"), which training never asked for
  direction    cosine between how the forecast changes from a wanted time to twice that time, and
               how the truth does; 0 for a model that does not look at the time
  shuffled     MSE where every example is told another one's times, known and wanted ones, over
               MSE with its own

With --storm FOLDER also the lead times of real storms, none of which was learned from:

    .venv/bin/python benchmarks/storm_times.py RUNS --storm images/storm_tst
"""

import argparse
import dataclasses
import statistics
from pathlib import Path

from gm_jax.runtime import set_up

set_up()

import numpy as np  # noqa: E402

import gm_jax  # noqa: E402
from gm_jax.data import Data, Storms  # noqa: E402
from gm_jax.data.sequences.checks import extra_shape  # noqa: E402
from gm_jax.run import Run  # noqa: E402
from gm_jax.training.sharding import DataMesh  # noqa: E402

SPLITS = ("test", "test_half", "test_double")
_AT_ONCE = 100


def forecast(run, batch, times):
    """As `run.forecast`, in parts: float64 on [0, 1]."""
    parts = []
    for i in range(0, len(times), _AT_ONCE):
        known = {name: batch[name][i : i + _AT_ONCE] for name in ("context", "context_time")}
        parts.append(run.forecast(known, times[i : i + _AT_ONCE]))
    return np.concatenate(parts).astype(np.float64) / 255


def direction(run, batch):
    """Mean over examples of the cosine between the changes of forecast and truth."""
    once = batch["time"][:, -1:]
    truth = run.experiment.data.source.truth
    came = [truth("test", batch["index"], t).astype(np.float64) / 255 for t in (once, 2 * once)]
    said = [forecast(run, batch, t) for t in (once, 2 * once)]
    a, b = ((x[1] - x[0]).reshape(len(once), -1) for x in (came, said))
    norm = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(1) / np.maximum(norm, 1e-9)).mean())


def shuffled(run, batch):
    """MSE with the times of other examples over MSE with their own."""
    order = np.roll(np.arange(len(batch["time"])), 1)
    mixed = {**batch, "context_time": batch["context_time"][order]}
    target = batch["image"].astype(np.float64) / 255
    own = ((forecast(run, batch, batch["time"]) - target) ** 2).mean()
    others = ((forecast(run, mixed, batch["time"][order]) - target) ** 2).mean()
    return float(others / own)


def measure(folder):
    run = gm_jax.open(folder)
    print(f"\n{folder} (seed {run.experiment.seed}, step {run.step:,})")
    beaten = True
    for split in SPLITS:
        result = run.evaluate_lead_times(split)
        for name, sign in (("mse", 1), ("ssim", -1)):
            values = {m: [f.value for f in figures[name]] for m, figures in result.figures.items()}
            for method, row in values.items():
                print(f"  {split:<12}{name:<6}{method:<14}" + "".join(f"{v:9.4f}" for v in row))
            best = np.min([sign * np.array(v) for m, v in values.items() if m != "model"], axis=0)
            beaten &= bool((sign * np.array(values["model"]) < best).all())
    batch = run.batch(500, "test")
    cosine, ratio = direction(run, batch), shuffled(run, batch)
    print(f"  both baselines beaten everywhere: {'yes' if beaten else 'NO'}")
    print(f"  direction of change: cosine {cosine:.3f};  shuffled times: MSE x {ratio:.2f}")
    return cosine, ratio


def measure_real(folder, storm):
    run = gm_jax.open(folder)
    context, size = extra_shape(run.spec, "context")[:2]
    source = Storms(storm, context=context, targets=run.spec.shape[0], size=size)
    data = Data(source=source, train="all", valid=None, test="all", batch_size=1)
    experiment = dataclasses.replace(run.experiment, data=data)
    real = Run(folder, experiment, run.state, DataMesh(1))
    print(f"  {data.source.summary()}")
    for line in real.evaluate_lead_times("all").table():
        print(f"    {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs of storms/...")
    parser.add_argument("--storm", help="a folder of real storms")
    typed = parser.parse_args()
    figures = []
    for folder in typed.runs:
        figures.append(measure(folder))
        if typed.storm:
            measure_real(folder, typed.storm)
    cosines, ratios = zip(*figures, strict=True)
    for name, values in {"cosine": cosines, "shuffled / own": ratios}.items():
        middle, low, high = statistics.median(values), min(values), max(values)
        print(f"{name}: median {middle:.3f}, {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()
