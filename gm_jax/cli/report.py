"""What commands say: lines under a topic, and figures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gm_jax.evaluation.split import Figure

# In the order they are shown in; figures not named here come last.
LABELS = {
    "bits_per_dim": "bits/dim",
    "neg_log_prob_bits_per_dim": "bits/dim of −log p",
    "neg_elbo": "−ELBO (nats)",
    "neg_log_prob": "−log p (nats)",
    "reconstruction": "reconstruction (nats)",
    "kl": "KL (nats)",
    "psnr": "PSNR (dB)",
}


def say(topic: str, text: str) -> None:
    """One line of a command's report."""
    print(f"{topic:<9} {text}", flush=True)


def show_figures(topic: str, figures: Mapping[str, "Figure"]) -> None:
    """One line a figure: value, standard error, kind and number of examples."""
    order = [*LABELS, *figures]
    for name, figure in sorted(figures.items(), key=lambda item: order.index(item[0])):
        label = LABELS.get(name, name)
        say(
            topic,
            f"{label:<22} {figure.value:10.4f} ± {figure.stderr:.4f}  "
            f"({figure.kind}, {figure.n:,} examples)",
        )
        topic = ""
