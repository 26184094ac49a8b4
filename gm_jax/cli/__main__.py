"""python -m gm_jax.cli is gm-jax."""

from gm_jax.cli import main

main()
