"""python -m gm_jax is gm-jax, where its folder of scripts is not on the PATH."""

from gm_jax.cli import main

if __name__ == "__main__":  # a run that names this module must not start a command
    main()
