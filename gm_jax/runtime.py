"""What a process sets up once, before jax makes its first array."""

import functools
import os
from pathlib import Path

from gm_jax.allocator import keep_freed_memory


@functools.cache
def set_up() -> None:
    """Keeps freed memory in the process, and compiled programs on disk for the next start.

    Once: further calls do nothing.

    Compiled programs go to $JAX_COMPILATION_CACHE_DIR, by default ~/.cache/gm_jax/jax.
    """
    keep_freed_memory()
    import jax

    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gm_jax" / "jax"
        jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
