"""A sampler that leaves: in a process without gm_jax it draws what the run draws."""

import dataclasses
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from gm_jax.errors import UserError
from gm_jax.exported_sampler import export_sampler
from gm_jax.models.vae import VAE

HERE_ONLY = ("PYTHONPATH", "XLA_FLAGS")  # variables
SEEDS = (0, 7, 2**31 + 5)

# What stands in docs/exporting.md, for several files, where gm_jax can't be imported.
ALONE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "gm_jax":
            raise ImportError(name)
sys.meta_path.insert(0, Hidden())
import numpy as np
from jax import export
for file in sys.argv[1:]:
    sampler = export.deserialize(bytearray(open(file, "rb").read()))
    np.savez(file + ".npz", **{str(s): sampler.call(np.uint32(s)) for s in (0, 7, 2**31 + 5)})
assert "gm_jax" not in sys.modules
"""


def test_without_gm_jax_it_draws_what_the_run_draws(run_of, tmp_path):
    runs = {name: run_of(name) for name in ("vae", "gan")}
    for run in runs.values():  # on several devices, of which the other process has one
        run.state = jax.device_put(run.state, run._mesh.replicated)
    files = {n: r.export_sampler(tmp_path / f"{n}.stablehlo", num=5) for n, r in runs.items()}
    env = {name: value for name, value in os.environ.items() if name not in HERE_ONLY}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, files.values())],
        capture_output=True,
        text=True,
        env=env,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for name, run in runs.items():
        with np.load(f"{files[name]}.npz") as arrays:
            for seed in SEEDS:
                drawn = arrays[str(seed)]
                assert (drawn.shape, drawn.dtype) == ((5, 8, 8, 1), np.uint8)
                np.testing.assert_array_equal(drawn, run.sample(5, seed), f"{name} {seed}")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddpm", "gmm", "realnvp", "cgan"])
def test_so_do_the_others(name, run_of, tmp_path):
    run = run_of(name)
    file = run.export_sampler(tmp_path / "sampler.stablehlo", num=5)
    sampler = export.deserialize(bytearray(file.read_bytes()))
    for seed in SEEDS:
        np.testing.assert_array_equal(sampler.call(np.uint32(seed)), run.sample(5, seed))


def test_labels_and_ways_of_drawing_are_part_of_it(run_of, tmp_path, told):
    run = run_of("cgan")
    file = run.export_sampler(tmp_path / "a.stablehlo", 4, condition=6, truncation=0.5)
    sampler = export.deserialize(bytearray(file.read_bytes()))
    assert set(sampler.platforms) == {"cpu", "cuda", "tpu"}
    (seed,) = sampler.in_avals
    assert (seed.shape, seed.dtype) == ((), np.uint32)
    wanted = run.sample(4, 3, np.full(4, 6), truncation=0.5)
    np.testing.assert_array_equal(sampler.call(np.uint32(3)), wanted)
    weights = run.export(tmp_path / "model.safetensors")
    command = ("export", weights, "--what", "sampler", "--out", tmp_path / "b.stablehlo")
    out = told(*command, "--num", 4, "--label", 6, "--truncation", 0.5)
    assert "seed to 4 images · step 7 · truncation 0.5" in out
    again = export.deserialize(bytearray((tmp_path / "b.stablehlo").read_bytes()))
    np.testing.assert_array_equal(again.call(np.uint32(3)), wanted)


def test_only_what_is_drawn_with_is_part_of_it(run_of, tmp_path):
    run = run_of("gan")
    small = run.export_sampler(tmp_path / "a.stablehlo", num=5).stat().st_size
    big = jax.random.normal(jax.random.key(0), (50_000,))
    run.state = run.state.replace(params={**run.state.params, "discriminator": {"big": big}})
    assert run.export_sampler(tmp_path / "b.stablehlo", num=5).stat().st_size < small + 1_000


def test_what_cannot_leave(run_of, tmp_path):
    run = run_of("vae")
    with pytest.raises(UserError, match="draws 1 to 16390 at a time, not 16391"):
        run.export_sampler(tmp_path / "a.stablehlo", num=16391)
    with pytest.raises(UserError, match="not 0"):
        run.export_sampler(tmp_path / "a.stablehlo", num=0)
    with pytest.raises(UserError, match=r"must end in .stablehlo"):
        run.export_sampler(tmp_path / "a.bin")
    assert not list(tmp_path.iterdir())


@dataclasses.dataclass(frozen=True)
class OnTheHost(VAE):
    """One that asks Python for its images."""

    def sample(self, state, rngs, num, condition=None):
        shape = jax.ShapeDtypeStruct((num, *state.spec.shape), jnp.uint8)
        return jax.pure_callback(lambda: np.zeros(shape.shape, np.uint8), shape)


def test_a_sampler_on_the_host_stays(run_of):
    with pytest.raises(UserError, match="this OnTheHost can't be exported as it draws"):
        export_sampler(OnTheHost(), run_of("vae").state, 3)
