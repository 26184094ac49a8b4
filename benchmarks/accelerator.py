"""Every check that wants a GPU or a TPU, in parts of at most 9 minutes that leave records.

    python benchmarks/accelerator.py                 all parts that have no record yet
    python benchmarks/accelerator.py product twins   these, again
    python benchmarks/accelerator.py --list

A part is a process of its own. What it prints as JSON goes to benchmarks/records/accelerator.jsonl
at once, with the device, so that an interrupted script goes on where it stopped. On a CPU the same
parts run with `--small`, which leaves no records: it shows that they are correct, and no more.
"""

import argparse
import concurrent.futures
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RECORDS = ROOT / "benchmarks" / "records" / "accelerator.jsonl"
PART_SECONDS = 540
AT_A_TIME = 4  # processes that share the device

FAMILIES = (
    *("digits/vae", "digits/ae", "digits/gan", "digits/cgan", "digits/realnvp", "digits/gmm"),
    *("digits/arm_pixelcnn", "digits/ddpm_unet", "digits/diffusion_naive", "digits/classifier"),
    *("digits/bayes", "storms/cnn_convlstm", "storms/simvp", "storms/unet_attention"),
)


def families(small: bool) -> Iterator[dict[str, Any]]:
    """One experiment of each family trains for 20 steps, several at once."""
    names = FAMILIES[:2] if small else FAMILIES

    def train(name: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "gm_jax", "train", name, "--run", f"{folder}/run"]
            command += ["--training.num-steps", "20", "--data.test", "test[:64]"]
            begun = time.perf_counter()
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        line = (done.stderr or done.stdout).strip().splitlines()[-1:]
        took = time.perf_counter() - begun
        return {"name": name, "code": done.returncode, "seconds": took, "last_line": line}

    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        yield from pool.map(train, names)


def transfers(small: bool) -> Iterator[dict[str, Any]]:
    """The test that no step of the loop waits for the host, or the host for it."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/training/test_loop.py"]
    platform = {} if small else {"JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cuda,tpu,cpu")}
    done = subprocess.run(
        [*command, "-k", "hidden"],
        cwd=ROOT,
        env={**os.environ, **platform},
        capture_output=True,
        text=True,
        check=False,
    )
    yield {"code": done.returncode, "last_line": done.stdout.strip().splitlines()[-1:]}


def attention(small: bool) -> Iterator[dict[str, Any]]:
    """XLA's attention beside cuDNN's fused one, at maps of a U-Net: forward and back, ms."""
    import jax
    import jax.numpy as jnp

    for side, heads, dim in [(8, 1, 32)] if small else [(16, 1, 256), (32, 4, 64), (64, 4, 64)]:
        keys = jax.random.split(jax.random.key(0), 3)
        shape = (2 if small else 64, side**2, heads, dim)
        q, k, v = (jax.random.normal(key, shape, jnp.bfloat16) for key in keys)
        row: dict[str, Any] = {"side": side, "heads": heads, "dim": dim}
        for name in ("xla", "cudnn"):

            def total(q: Any, k: Any, v: Any, name: Any = name) -> Any:
                out = jax.nn.dot_product_attention(q, k, v, implementation=name)
                return out.astype(jnp.float32).sum()

            try:
                row[f"{name}_ms"] = 1e3 * median_seconds(
                    jax.jit(jax.grad(total, argnums=(0, 1, 2))), q, k, v
                )
            except Exception as error:  # no such kernel for this device or shape
                row[f"{name}_ms"], row["why"] = None, str(error).splitlines()[0][:120]
        yield row


def product(small: bool) -> Iterator[dict[str, Any]]:
    """The U-Net of DDPM at CIFAR-10's size in bfloat16: its share of the measured product."""
    import jax
    import jax.numpy as jnp

    size = 512 if small else 8192
    a = jnp.ones((size, size), jnp.bfloat16)
    ceiling = 2 * size**3 / median_seconds(jax.jit(lambda a: a @ a), a)
    for batch in (2,) if small else (128, 256):
        overrides: dict[str, Any] = {"model.dtype": "bfloat16", "data.batch_size": batch}
        if small:
            overrides |= {"model.network.channels": 32}
        seconds, flops, parameters = ddpm_step(overrides, batch, 3 if small else 50)
        yield {
            "batch": batch,
            "parameters": parameters,
            "step_ms": 1e3 * seconds,
            "images_per_s": batch / seconds,
            "tflops": 1e-12 * flops / seconds,
            "product_tflops": 1e-12 * ceiling,
            "share": flops / seconds / ceiling,
        }


def dispatches(small: bool) -> Iterator[dict[str, Any]]:
    """Steps a second of small models, by the number of steps in a dispatch."""
    import gm_jax
    from gm_jax.training.records import read_records

    for name in ("digits/vae", "digits/gan"):
        for num in (1, 10, 50):
            with tempfile.TemporaryDirectory() as folder:
                steps = 100 if small else 2000
                experiment = gm_jax.load(name).replace(
                    **{
                        "training.num_steps": steps,
                        "training.steps_per_dispatch": num,
                        "training.log_every": steps // 2,
                        "training.eval_every": 0,
                        "training.sample_every": 0,
                        "training.checkpoint_every": 0,
                    }
                )
                gm_jax.fit(experiment, Path(folder) / "run")
                rows = read_records(Path(folder) / "run" / "metrics.jsonl")
                half, whole = (r["time"]["seconds"] for r in rows if r["phase"] == "train")
                rate = (steps - steps // 2) / (whole - half)
                yield {"name": name, "steps_per_dispatch": num, "steps_per_s": rate}


def twins(small: bool) -> Iterator[dict[str, Any]]:
    """The PyTorch twins, on the same device; they keep records of their own."""
    command = [sys.executable, "-m", "benchmarks.twins.run"]
    command += ["--systems", "vae_mlp", "--rounds", "1"] if small else []
    done = subprocess.run(command, cwd=ROOT, check=False)
    yield {"code": done.returncode}


PARTS: dict[str, Callable[[bool], Iterator[dict[str, Any]]]] = {
    part.__name__: part for part in (families, transfers, attention, product, dispatches, twins)
}


def ddpm_step(overrides: dict[str, Any], batch: int, steps: int) -> tuple[float, float, int]:
    """Seconds, FLOPs and parameters of a training step of `cifar10/ddpm` on random images."""
    import jax
    import numpy as np

    from gm_jax.data.spec import DataSpec
    from gm_jax.experiment_file import load
    from gm_jax.training.sharding import DataMesh
    from gm_jax.training.step import init_state, make_train_step

    model = load("cifar10/ddpm").replace(**overrides).model
    mesh, spec = DataMesh(batch, 1), DataSpec((32, 32, 3), num_levels=256, num_classes=10)
    state = init_state(model, jax.random.key(0), spec, mesh)
    rng, num = np.random.default_rng(0), 4 * batch
    arrays = {
        "image": rng.integers(0, 256, (num, 32, 32, 3), np.uint8),
        "label": rng.integers(0, 10, num).astype(np.int32),
        "index": np.arange(num, dtype=np.int32),
    }
    data = mesh.put(arrays, mesh.replicated)
    indices = mesh.join(rng.integers(0, num, (1, batch), np.int32))
    parameters = sum(p.size for p in jax.tree.leaves(state.params))
    step = make_train_step(model, (), mesh, True, state).lower(state, data, indices).compile()
    state, metrics = step(state, data, indices)
    jax.block_until_ready(metrics)
    begun = time.perf_counter()
    for _ in range(steps):
        state, metrics = step(state, data, indices)
    jax.block_until_ready(metrics)
    seconds = (time.perf_counter() - begun) / steps
    return seconds, float(step.cost_analysis()["flops"]), parameters


def median_seconds(function: Callable[..., Any], *args: Any) -> float:
    from benchmarks.twins.ours_worker import call_seconds

    return statistics.median(call_seconds(11, function, *args))


def run_part(part: str, small: bool) -> None:
    """In this process: a JSON line for each finding."""
    import jax

    for row in PARTS[part](small):
        print(json.dumps({"device": jax.devices()[0].device_kind, "jax": jax.__version__, **row}))
        sys.stdout.flush()


def record(part: str, small: bool) -> bool:
    """Runs a part in a process of its own, and keeps what it says; whether it came to its end."""
    command = [sys.executable, __file__, "--inner", part, *(["--small"] if small else [])]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, env=env, timeout=PART_SECONDS, check=False
        )
        output, ended = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as expired:
        raw = expired.stdout or ""
        output, ended = raw.decode() if isinstance(raw, bytes) else raw, False
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    for row in rows:
        print(json.dumps(row), flush=True)
    if not small:
        RECORDS.parent.mkdir(exist_ok=True)
        with RECORDS.open("a") as file:
            for row in [*rows, {"done": True}] if ended else rows:
                file.write(json.dumps({"part": part, "date": date, **row}) + "\n")
    return ended


def done_before() -> set[str]:
    if not RECORDS.exists():
        return set()
    rows = [json.loads(line) for line in RECORDS.read_text().splitlines()]
    return {row["part"] for row in rows if row.get("done")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--list", action="store_true", help="what the parts are")
    parser.add_argument("--small", action="store_true", help="sizes for a CPU")
    parser.add_argument("--inner", choices=PARTS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if asked.list:
        for name, part in PARTS.items():
            print(f"{name:<11} {(part.__doc__ or '').splitlines()[0]}")
        return 0
    if asked.inner:
        run_part(asked.inner, asked.small)
        return 0
    before = set() if asked.small else done_before()
    failed = []
    for part in asked.parts or [name for name in PARTS if name not in before]:
        print(f"{part} ...", flush=True)
        if not record(part, asked.small):
            failed.append(part)
    if failed:
        print(f"not to their end: {', '.join(failed)}; run them again", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
