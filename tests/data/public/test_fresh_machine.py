"""Public sets where several processes want one, and on a machine that has the wheel only."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from gm_jax.data.store.public import files

ROOT = Path(__file__).resolve().parents[3]
TINY = (
    "--training.num-steps 3 --training.log-every 1 --training.sample-every 0 --data.batch-size 16 "
    "--evaluation.num-samples 2"
)


def machine(home: Path, web) -> dict[str, str]:
    """A user's environment: nothing prepared, and nothing on the web but the server."""
    env = {key: value for key, value in os.environ.items() if key != "GM_JAX_DATA"}
    nobody = "http://127.0.0.1:9"
    return env | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "GM_JAX_MIRROR": f"{web.url}/own",
        "http_proxy": nobody,
        "https_proxy": nobody,
        "no_proxy": "127.0.0.1",
    }


@pytest.mark.slow
def test_two_processes_at_once(no_data, web, published):
    contents = published("mnist")
    web.give("own/mnist", contents)
    web.cut = {f"/own/mnist/{name}": 50_000 for name in contents}
    rows = files.registered("mnist")
    code = (
        "import json, sys\n"
        "from gm_jax.data.store.public import files\n"
        "files.registered = lambda name: json.loads(sys.argv[1])\n"
        "from gm_jax.cli import main\n"
        "main(['data', 'prepare', 'mnist'])\n"
    )
    command = [sys.executable, "-c", code, json.dumps(rows)]
    both = [
        subprocess.Popen(
            command,
            env=machine(no_data, web),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert all("prepared" in out for out, _ in said)
    # Each byte came once.
    assert len({(path, start) for path, start in web.asked}) == len(web.asked)
    source = tfds.data_source("mnist", split="train", data_dir=no_data / "tensorflow_datasets")
    assert len(source) == 300


@pytest.mark.slow
def test_the_wheel_trains_on_mnist(no_data, web, published):
    """gm-jax train mnist/vae where there is the wheel, no TensorFlow, and nothing prepared."""
    contents = published("mnist", sizes={"train": 60_000, "test": 10_000}, levels=4)
    web.give("own/mnist", contents)
    command = fresh_environment(no_data / "env", files.registered("mnist"))
    env = {k: v for k, v in machine(no_data, web).items() if k != "PYTHONPATH"}

    def run(*words):
        result = subprocess.run(
            [command, *words], cwd=no_data, env=env, capture_output=True, text=True, timeout=600
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    out = run("train", "mnist/vae", *TINY.split())
    assert "MB from 127.0.0.1" in out
    assert "into tensorflow_datasets (once)" in out
    assert "10,000 examples" in out
    assert sorted(path for path, _ in web.asked) == sorted(f"/own/mnist/{n}" for n in contents)
    out = run("evaluate", "runs/mnist/vae", "--split", "valid")
    assert "5,000 examples" in out
    assert len(web.asked) == len(contents)
    out = run("data", "list")
    assert "mnist 3.0.1" in out


def fresh_environment(folder: Path, rows) -> Path:
    """The command of an environment that has the wheel, and its dependencies by reference.

    TFDS it has itself, with other checksums of MNIST.
    """
    venv.create(folder, symlinks=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    wheels = folder / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels, ROOT],
        check=True,
        timeout=300,
    )
    (wheel,) = wheels.glob("*.whl")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", folder / "bin" / "python"),
            *("install", "-q", "--no-deps", "--no-index", wheel),
        ],
        check=True,
        timeout=300,
    )
    own = Path(tfds.__file__).parent
    shutil.copytree(own, site / own.name, ignore=shutil.ignore_patterns("__pycache__"))
    lines = ("\t".join(map(str, (url, size, sha256, name))) for url, name, size, sha256 in rows)
    (site / own.name / "url_checksums" / "mnist.txt").write_text("\n".join(lines))
    # Behind what is installed here, so that nothing of the checkout comes before the wheel.
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return folder / "bin" / "gm-jax"
