"""Which figure stands for all, and how it is written."""

import pytest

from gm_jax.cli.report import show_figures
from gm_jax.evaluation.figure import Figure
from gm_jax.results.headline import headline, spoken

TIGHT = "neg_log_prob_bits_per_dim"
BITS = Figure(2.36, "bound", 300, 0.14)
WHOLE = Figure(2.27, "bound", 300, 0.02)
NATS = Figure(90.0, "bound", 300, 1.0)
SURROGATE = Figure(103.0, "surrogate", 300, 1.0)
SHARE = Figure(0.958, "estimate", 5000, 0.0028)
MSE = Figure(0.0024, "error", 500, 0.0001)


@pytest.mark.parametrize(
    ("figures", "levels", "name"),
    [
        ({"bits_per_dim": BITS, TIGHT: WHOLE}, 17, TIGHT),
        ({"bits_per_dim": BITS, "neg_elbo": NATS, "mse": MSE}, 17, "bits_per_dim"),
        ({"bits_per_dim": BITS, "neg_elbo": NATS, "neg_log_prob": NATS}, 2, "neg_log_prob"),
        ({"neg_log_prob": NATS, "good_share": SHARE}, None, "neg_log_prob"),
        ({"neg_elbo": SURROGATE, "mse": MSE, "label_agreement": SHARE}, 256, "label_agreement"),
        ({"neg_elbo": SURROGATE, "mse": MSE}, 256, "neg_elbo"),
        ({"loss": MSE, "mse": MSE, "ssim": SHARE}, 256, "mse"),
        ({"generator_loss": SURROGATE}, 256, None),
        ({"fid@a-1": MSE, "precision@a-1": SHARE, "loss": SURROGATE}, 256, "loss"),
        ({"fid@a-1": MSE, "bits_per_dim": BITS}, 256, "bits_per_dim"),
    ],
)
def test_the_tightest_figure_stands_for_all(figures, levels, name):
    assert headline(figures, levels) == name


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("bits_per_dim", 1.05112, 0.0027, "1.051 ± 0.003 bits/dim"),
        ("neg_elbo", 103.58, None, "−ELBO 103.58 nats"),
        ("label_agreement", 0.9582, 0.0028, "95.8 ± 0.3 % labels read right"),
        ("mse", 0.0023695, 0.00011, "MSE 0.00237 ± 0.00011"),
        ("psnr", 28.327, 0.15, "PSNR 28.3 ± 0.1 dB"),
        ("cross_entropy", 0.0262, 0.0118, "cross entropy 0.0262 ± 0.0118"),
        ("fid@mnist/classifier-1a2b", 3.21, None, "FID 3.21 in mnist/classifier-1a2b"),
        ("classes_covered", 10.0, 0.0, "10 classes covered"),
    ],
)
def test_how_a_figure_is_written(name, value, error, text):
    assert spoken(name, value, error) == text


def test_a_report_begins_with_the_tightest(capsys):
    show_figures("test", {"mse": MSE, "bits_per_dim": BITS, TIGHT: WHOLE})
    lines = capsys.readouterr().out.splitlines()
    assert ["2.2700" in lines[0], "2.3600" in lines[1], "0.0024" in lines[2]] == [True] * 3
