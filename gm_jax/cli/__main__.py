"""python -m gm_jax.cli is gm-jax."""

from gm_jax.cli import main

if __name__ == "__main__":  # a run that names this module must not start a command
    main()
