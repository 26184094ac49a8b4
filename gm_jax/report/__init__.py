"""One self-contained page of runs: curves, pictures, figures, settings. Needs no jax."""
