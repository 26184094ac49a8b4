"""The package as a newcomer meets it: version, command, wheel."""

import importlib.metadata
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import gm_jax

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*args: str, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(args, capture_output=True, text=True, timeout=120, **kwargs)


def test_versions_agree():
    version = PYPROJECT["project"]["version"]
    assert gm_jax.__version__ == version
    assert importlib.metadata.version("gm_jax") == version


def test_every_dependency_is_pinned():
    def normal(name: str) -> str:
        return name.lower().replace("_", "-").replace(".", "-")

    lines = (ROOT / "constraints.txt").read_text().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    assert all(line.count("==") == 1 and "/" not in line for line in lines)
    pinned = {normal(line.split("==")[0]) for line in lines}
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["test"], *extras["lint"]]
    assert {normal(line.split(">=")[0]) for line in needed} <= pinned


@pytest.mark.parametrize("command", [["--help"], ["list"], ["list", "--help"]])
def test_light_commands_do_not_import_jax(command):
    code = (
        "import sys\n"
        "from gm_jax.cli import main\n"
        "try:\n"
        "    status = main()\n"
        "except SystemExit as stop:\n"
        "    status = stop.code\n"
        "heavy = {'jax', 'flax', 'optax', 'orbax', 'tensorflow', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(status or (f'imported {heavy}' if heavy else 0))\n"
    )
    result = run(sys.executable, "-c", code, *command, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert result.stdout


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("evaluate nowhere --nonesuch", "no option nonesuch"),
        ("sample nowhere --guidance 2", "there is no run nowhere"),
        ("sample --num 3", "gm-jax sample needs PATH"),
        ("train digits/vea", "Did you mean digits/vae?"),
    ],
)
def test_what_is_typed_wrong_is_answered_without_jax(typed, line):
    code = (
        "import sys\n"
        "from gm_jax.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        "    sys.exit(3 if 'jax' in sys.modules else stop.code)\n"
    )
    result = run(sys.executable, "-c", code, *typed.split(), cwd=ROOT)
    assert result.returncode == 2, result.stderr
    assert line in result.stderr


@pytest.mark.parametrize("module", ["gm_jax", "gm_jax.cli"])
def test_modules_are_the_command(module):
    result = run(sys.executable, "-m", module, "--version", cwd=ROOT)
    assert result.stdout.startswith("gm_jax ")


def test_command_is_installed():
    result = run(str(Path(sys.executable).parent / "gm-jax"), "--help")
    assert result.returncode == 0, result.stderr
    assert "train" in result.stdout


@pytest.mark.slow
def test_wheel_works_outside_the_repository(tmp_path):
    build = run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT))
    assert build.returncode == 0, build.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    experiments = {
        f"gm_jax/bundled_{path.relative_to(ROOT)}" for path in ROOT.glob("experiments/*/*.py")
    }
    assert experiments <= set(names)
    page = {"template.html", "style.css", "script.js"}
    assert {f"gm_jax/report/{name}" for name in page} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    code = "import sys; sys.path.insert(0, 'site'); import gm_jax.cli; sys.exit(gm_jax.cli.main())"
    listing = run(sys.executable, "-c", code, "list", cwd=tmp_path)
    assert listing.returncode == 0, listing.stderr
    assert "digits/vae" in listing.stdout
