"""What one training step of an experiment takes at a size of one's choice: memory and time.

    python benchmarks/training_step.py storms/unet_attention:reference --size 256 --batch 1

Compiles the step for random frames of the size, states the memory that XLA plans for it, takes it,
and states the peak of the process. One experiment a process, since a peak never goes down.
"""

import argparse
import dataclasses
import resource
import time

from gm_jax.runtime import set_up

set_up()

import jax  # noqa: E402
import numpy as np  # noqa: E402

from gm_jax.data.spec import DataSpec  # noqa: E402
from gm_jax.experiment_file import load  # noqa: E402
from gm_jax.rng import rngs_from_seed  # noqa: E402


def sequence_spec(spec: DataSpec, size: int) -> DataSpec:
    """The same with frames of size x size."""
    extras = [
        dataclasses.replace(e, shape=(e.shape[0], size, size, *e.shape[3:]))
        if e.dtype == "uint8"
        else e
        for e in spec.extras
    ]
    return dataclasses.replace(
        spec, shape=(spec.shape[0], size, size, spec.shape[-1]), extras=tuple(extras)
    )


def random_batch(spec: DataSpec, size: int) -> dict[str, np.ndarray]:
    """Random frames, half an hour apart."""
    rng = np.random.default_rng(0)
    batch = {"image": rng.integers(0, spec.num_levels, (size, *spec.shape), np.uint8)}
    for extra in spec.extras:
        shape = (size, *extra.shape)
        if extra.dtype == "uint8":
            batch[extra.name] = rng.integers(0, spec.num_levels, shape, np.uint8)
        else:
            steps = np.arange(1, extra.shape[0] + 1, dtype=np.float32)
            steps -= extra.shape[0] if "context" in extra.name else 0
            batch[extra.name] = np.broadcast_to(1800 * steps, shape)
    return batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    asked = parser.parse_args()

    experiment = load(asked.experiment)
    model = experiment.model
    spec = sequence_spec(experiment.data.source.spec, asked.size)
    rngs = rngs_from_seed(0)
    state = jax.jit(lambda: model.init(rngs, spec))()
    batch = random_batch(spec, asked.batch)

    began = time.perf_counter()
    step = jax.jit(
        lambda state, batch: model.update(state, batch, rngs.at("train", state.step)),
        donate_argnums=0,
    )
    compiled = step.lower(state, batch).compile()
    compile_seconds = time.perf_counter() - began
    planned = compiled.memory_analysis()
    began = time.perf_counter()
    _, metrics = jax.block_until_ready(compiled(state, batch))
    seconds = time.perf_counter() - began

    count = sum(
        p.size for p in jax.tree.leaves(jax.eval_shape(lambda: model.init(rngs, spec)).params)
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{asked.experiment}  {asked.size} px, batch {asked.batch}: {count:,} parameters; "
        f"compiled in {compile_seconds:.0f} s; "
        f"planned {planned.temp_size_in_bytes / 2**30:.2f} GiB beside "
        f"{planned.argument_size_in_bytes / 2**30:.2f} GiB of state and batch; step "
        f"{seconds:.1f} s, loss {float(metrics['loss']):.4f}; peak of the process {peak:.2f} GiB"
    )


if __name__ == "__main__":
    main()
