"""Folders of runs, written by hand: nothing is trained."""

import json
import math

import pytest
from PIL import Image


def experiment(rate, seed, name):
    optimizer = {"class": "gm_jax:Optimizer", "learning_rate": rate, "ema_decay": None}
    return {
        "class": "gm_jax:Experiment",
        "name": name,
        "seed": seed,
        "data": {
            "class": "gm_jax.data:Data",
            "batch_size": 64,
            "source": {"class": "gm_jax.data:Digits"},
            "train": "train[:90%]",
            "valid": "train[90%:]",
            "test": "test",
            "transforms": [],
        },
        "model": {
            "class": "gm_jax.models:VAE",
            "coder": {"class": "gm_jax.nets:DenseCoder", "hidden": [256, 128]},
            "optimizer": optimizer,
        },
        "training": {"class": "gm_jax:Training", "num_steps": 1000, "patience": None},
    }


@pytest.fixture
def make_run(tmp_path):
    """Writes the folder of a run and returns it."""

    def make(
        path="digits/vae",
        *,
        rate=0.002,
        seed=0,
        name="digits/vae",
        steps=(100, 1000, 100),
        valid=True,
        test=True,
        pictures=(500, 1000),
        accelerators=None,
        **spec,
    ):
        folder = tmp_path / "runs" / path
        (folder / "checkpoints" / str(steps[1])).mkdir(parents=True)
        (folder / "samples").mkdir()
        part = {
            "step": 0,
            "commit": "0123456789abcdef",
            "dirty": False,
            "versions": {"gm_jax": "0.1.0", "jax": "0.12.0"},
            "machine": {"cpu": "a CPU", "cores": 2, "accelerators": accelerators},
        }
        plain = {
            "name": name,
            "experiment": experiment(rate, seed, name),
            "spec": {"shape": [8, 8, 1], "num_levels": 17, "continuous": False} | spec,
            "numerics": 1,
            "parts": [part],
        }
        (folder / "experiment.json").write_text(json.dumps(plain))
        lines = []
        for step in range(steps[0], steps[1] + 1, steps[2]):
            time = {"seconds": step / 10, "cpu_seconds": step / 5, "part": 0, "peak_mib": 300}
            loss = 100 * math.exp(-step * rate) + 80 + seed
            told = {"loss": loss, "grad_norm": 1 / step}
            lines.append({"step": step, "phase": "train", **told, "time": time})
            if valid and step % (5 * steps[2]) == 0:
                lines.append(
                    {"step": step, "phase": "valid", "bits_per_dim": loss / 44, "time": time}
                )
        if test:
            bits = {"bits_per_dim": 2.0 + seed + rate}
            about = {
                "stderr": {"bits_per_dim": 0.02},
                "kinds": {"bits_per_dim": "bound"},
                "n": 300,
                "time": time,
            }
            lines.append({"step": steps[1], "phase": "test", **bits, **about})
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        for i, step in enumerate(pictures):
            shade = 40 * (i + 1) % 256
            Image.new("L", (48, 48), shade).save(folder / "samples" / f"step_{step:08d}.png")
        if pictures:
            Image.new("L", (64, 16), 9).save(folder / "samples" / "final_reconstructions.png")
            Image.new("L", (64, 32), 7).save(folder / "samples" / "interpolation.png")
            Image.new("L", (64, 32), 5).save(folder / "samples" / "nearest_random-1.png")
            Image.new("L", (32, 32), 3).save(folder / "progress.gif")
        return folder

    return make
