"""One twin's step, measured in a fresh process: prints one JSON line.

PYTHON_WITH_TORCH -m benchmarks.twins.torch_side.worker SYSTEM --mode compile
"""

import argparse
import json
import os
import time

from benchmarks.twins.systems import SYSTEMS, random_examples
from benchmarks.twins.timing import limit_threads, num_resident, peak_rss_mib, time_steps

MODES = ("eager", "compile")


def measure(name: str, mode: str, batch: int, seconds: float, threads: int, device: str) -> dict:
    import numpy as np
    import torch

    from benchmarks.twins.torch_side.check import make_twin

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    cuda = device == "cuda"
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU, as XLA takes; a CPU has none
    system = SYSTEMS[name]
    example = random_examples(system, 1)
    num = num_resident(batch, sum(a.nbytes for a in example.values()))
    arrays = {
        key: torch.from_numpy(value).to(device)
        for key, value in random_examples(system, num).items()
    }
    rng = np.random.default_rng(0)
    generator = torch.Generator(device).manual_seed(0)

    begun = time.perf_counter()
    twin = make_twin(name).to(device)
    if mode == "compile":
        twin.use_compile()

    def step() -> None:
        indices = torch.from_numpy(rng.integers(0, num, batch)).to(device)
        chosen = {key: value[indices] for key, value in arrays.items()}
        step.losses = twin.train_step(chosen, twin.draw(chosen, generator))

    def wait() -> None:
        if cuda:
            torch.cuda.synchronize()

    made = time.perf_counter()
    step()
    wait()
    first = time.perf_counter() - made
    timed = time_steps(step, wait, 1, seconds)
    losses = {key: float(loss) for key, loss in step.losses.items()}
    if not all(np.isfinite(loss) for loss in losses.values()):
        raise ValueError(f"{name}: {losses}")
    return {
        **timed,
        "images_per_s": 1e3 * batch / timed["ms"],
        "first_step_s": first,
        "compile_s": first - timed["ms"] / 1e3 if mode == "compile" else 0.0,
        "init_s": made - begun,
        "peak_rss_mib": peak_rss_mib(),
        "peak_device_mib": torch.cuda.max_memory_allocated() / 2**20 if cuda else None,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "versions": {"torch": torch.__version__},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("--mode", choices=MODES, default="eager")
    parser.add_argument("--batch", type=int, help="examples a step; the system's own")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    asked = parser.parse_args()
    limit_threads(asked.threads)
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # what compiling takes, each time
    batch = asked.batch or SYSTEMS[asked.system].batch
    found = measure(asked.system, asked.mode, batch, asked.seconds, asked.threads, asked.device)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
