"""Which figure stands for a record where there is room for one, and how figures are written.

Needs no jax.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.foremost import foremost

LABELS = {
    "neg_log_prob_bits_per_dim": "bits/dim of −log p",
    "bits_per_dim": "bits/dim",
    "neg_log_prob": "−log p (nats)",
    "neg_elbo": "−ELBO (nats)",
    "reconstruction": "reconstruction (nats)",
    "kl": "KL (nats)",
    "psnr": "PSNR (dB)",
    "fid": "FID",
    "fid_infinity": "FID∞",
    "fid_floor": "FID of training images",
    "kid": "KID",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "inception_score": "inception score",
}
"""Figures in the order they are shown in; others come last, under their own names."""


class _Form(NamedTuple):
    """How a figure is written: "before value after"."""

    before: str = ""
    after: str = ""
    decimals: int | None = None
    factor: float = 1.0


_FORMS = {
    "neg_log_prob_bits_per_dim": _Form("", " bits/dim", 3),
    "bits_per_dim": _Form("", " bits/dim", 3),
    "neg_log_prob": _Form("", " nats", 2),
    "neg_elbo": _Form("−ELBO ", " nats", 2),
    "reconstruction": _Form("reconstruction ", " nats", 2),
    "kl": _Form("KL ", " nats", 2),
    "label_agreement": _Form("", " % labels read right", 1, 100),
    "good_share": _Form("", " % good samples", 1, 100),
    "read_surely": _Form("", " % read surely", 1, 100),
    "error": _Form("", " % read wrongly", 1, 100),
    "classes_covered": _Form("", " classes covered", 0),
    "modes_held": _Form("", " modes held", 0),
    "psnr": _Form("PSNR ", " dB", 1),
    "mse": _Form("MSE "),
    "mae": _Form("MAE "),
    "ssim": _Form("SSIM ", decimals=3),
    "fid": _Form("FID "),
    "kid": _Form("KID "),
}


def in_order(figures: Mapping[str, Figure]) -> list[str]:
    """The names of figures in the order they are shown in."""
    order = [*LABELS, *figures]
    return sorted(figures, key=order.index)


def headline(figures: Mapping[str, Figure], levels: int | None) -> str | None:
    """The name of the figure that stands for all, if there is any.

    Args:
      figures: of one run.
      levels: of the data's values, None of points: binary images and points are told in nats.
    """
    return foremost(figures, levels, {name: figure.kind for name, figure in figures.items()})


def spoken(name: str, value: float, error: float | None = None) -> str:
    """A figure with its unit, e.g. "1.051 ± 0.003 bits/dim"."""
    plain, _, features = name.partition("@")
    form = _FORMS.get(plain, _Form(f"{plain.replace('_', ' ')} "))
    decimals = _decimals(abs(value)) if form.decimals is None else form.decimals
    text = f"{form.factor * value:.{decimals}f}"
    behind = f" ± {form.factor * error:.{decimals}f}" if error else ""
    where = f" in {features}" if features else ""
    return f"{form.before}{text}{behind}{form.after}{where}"


def _decimals(size: float) -> int:
    """Four digits or so."""
    return 5 if size < 0.01 else 4 if size < 1 else 2 if size < 100 else 1
