"""Our step of a system, measured in a fresh process: prints one JSON line.

    .venv/bin/python -m benchmarks.twins.ours_worker SYSTEM

The step is that of training: donated state, batches gathered from resident data, as many steps a
dispatch as a run takes. Afterwards the machine's ceilings: a matrix product and a y <- a x + y.
"""

import argparse
import json
import os
import time
from collections.abc import Callable

from benchmarks.twins.systems import SYSTEMS, random_examples
from benchmarks.twins.timing import limit_threads, num_resident, peak_rss_mib, time_steps

PRODUCT = 2048
SAXPY = 2**25


def measure(name: str, batch: int, seconds: float) -> dict:
    import jax
    import numpy as np

    from benchmarks.twins.ours import experiment_of, spec_of, state_of
    from gm_jax import __version__
    from gm_jax.training.sharding import DataMesh, on_accelerator
    from gm_jax.training.step import make_train_step

    jax.config.update("jax_enable_compilation_cache", False)  # what compiling takes, each time
    system = SYSTEMS[name]
    experiment = experiment_of(system)
    mesh = DataMesh(batch, 1)
    per_dispatch = experiment.training.steps_per_dispatch or (10 if on_accelerator() else 1)
    example = random_examples(system, 1)
    num = num_resident(batch, sum(a.nbytes for a in example.values()))
    examples = random_examples(system, num) | {"index": np.arange(num, dtype=np.int32)}
    spec_of(system)  # looks whether the arrays are of its shape
    arrays = mesh.put(examples, mesh.replicated)
    rng = np.random.default_rng(0)

    def indices() -> jax.Array:
        return mesh.join(rng.integers(0, num, (per_dispatch, batch), np.int32))

    begun = time.perf_counter()
    state = jax.block_until_ready(state_of(system, mesh))
    made = time.perf_counter()
    step = make_train_step(experiment.model, (), mesh, True, state)
    compiled = step.lower(state, arrays, indices()).compile()
    compile_seconds = time.perf_counter() - made

    metrics = None

    def dispatch() -> None:
        nonlocal state, metrics
        state, metrics = step(state, arrays, indices())  # which takes what was just compiled

    def wait() -> None:
        jax.block_until_ready((state, metrics))

    dispatch()
    wait()
    first = time.perf_counter() - made
    timed = time_steps(dispatch, wait, per_dispatch, seconds)
    if not all(np.isfinite(value).all() for value in metrics.values()):
        raise ValueError(f"{name}: {metrics}")
    costs = compiled.cost_analysis()
    device = jax.devices()[0]
    return {
        **timed,
        "images_per_s": 1e3 * batch / timed["ms"],
        "first_step_s": first,
        "compile_s": compile_seconds,
        "init_s": made - begun,
        "peak_rss_mib": peak_rss_mib(),
        "peak_device_mib": (device.memory_stats() or {}).get("peak_bytes_in_use", 0) / 2**20,
        "device": device.device_kind if device.platform != "cpu" else "cpu",
        "flops": costs.get("flops"),
        "bytes": costs.get("bytes accessed"),
        "versions": {"gm_jax": __version__, "jax": jax.__version__},
    }


def ceilings() -> dict[str, float]:
    """GFLOP/s of a float32 product, and GB/s that y <- a x + y moves: the best of several."""
    import jax
    import jax.numpy as jnp

    a = jnp.ones((PRODUCT, PRODUCT))
    product = _least_seconds(jax.jit(lambda a: a @ a), a)
    x, y = jnp.ones(SAXPY), jnp.ones(SAXPY)
    saxpy = _least_seconds(jax.jit(lambda x, y: 0.5 * x + y), x, y)
    return {
        "product_gflops": 2e-9 * PRODUCT**3 / product,
        "bandwidth_gb_per_s": 3e-9 * 4 * SAXPY / saxpy,
    }


def _least_seconds(function: Callable, *args: object) -> float:
    return min(call_seconds(7, function, *args))


def call_seconds(num: int, function: Callable, *args: object) -> list[float]:
    """Seconds of that many calls, after one that compiles."""
    import jax

    jax.block_until_ready(function(*args))
    times = []
    for _ in range(num):
        begun = time.perf_counter()
        jax.block_until_ready(function(*args))
        times.append(time.perf_counter() - begun)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("--batch", type=int, help="examples a step; the system's own")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    limit_threads(asked.threads)
    batch = asked.batch or SYSTEMS[asked.system].batch
    found = measure(asked.system, batch, asked.seconds)
    print(json.dumps(found | ceilings()))


if __name__ == "__main__":
    main()
