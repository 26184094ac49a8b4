"""gm-jax: the command line. Parsing needs no jax; a command imports it when it acts."""

from gm_jax.cli.start import dispatch, main

__all__ = ["dispatch", "main"]
