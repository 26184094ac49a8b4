"""python -m gm_jax is gm-jax, where its folder of scripts is not on the PATH."""

from gm_jax.cli import main

main()
