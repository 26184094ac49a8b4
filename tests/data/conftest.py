import pytest

from gm_jax.data import Data, Digits


@pytest.fixture(scope="session")
def tfds_sets(real_data):
    """The folder of prepared TFDS sets; skipped where there is none."""
    if not (real_data / "tfds" / "mnist").is_dir():
        pytest.skip(f"real data: {real_data}/tfds has no mnist")
    return real_data / "tfds"


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """A machine on which nothing is prepared; its home."""
    for name in ("GM_JAX_DATA", "TFDS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="session")
def digits():
    return Data(Digits(), batch_size=64)
