"""The world that every test runs in. Set before jax is imported, and inherited by subprocesses."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"

assert "jax" not in sys.modules, "a pytest plugin imported jax before conftest.py could set it up"

# Four devices out of one CPU, so that sharding is tested everywhere.
_DEVICES = "--xla_force_host_platform_device_count"
if _DEVICES not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_DEVICES}=4".strip()
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# [B] + [B, 1] is a bug far more often than a wish.
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
# Compiled programs are kept, and shared by the workers.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# XLA's costly passes take half of the time to compile, and most programs here run a few times.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# No test downloads anything, unless from a server of its own.
os.environ["GM_JAX_OFFLINE"] = "1"
os.environ.pop("GM_JAX_MIRROR", None)
if DATA.is_dir():
    os.environ.setdefault("GM_JAX_DATA", str(DATA))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real datasets (GM_JAX_DATA); the test is skipped where there is none."""
    folder = os.environ.get("GM_JAX_DATA")
    if not folder:
        pytest.skip("real data: set GM_JAX_DATA to a folder that has them (see docs/data.md)")
    if not Path(folder).is_dir():
        pytest.skip(f"real data: GM_JAX_DATA is {folder}, which is no folder")
    return Path(folder)
