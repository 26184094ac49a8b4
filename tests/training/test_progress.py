import io

import pytest
from rich.console import Console
from rich.text import Text

from gm_jax.training import progress as progress_module
from gm_jax.training.progress import clock, describe, fitted, pace, progress


@pytest.fixture
def now(monkeypatch):
    """A clock that the test moves: now[0] seconds."""
    seconds = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: seconds[0])
    return seconds


def test_plain_lines_without_a_terminal(capsys, now):
    with progress(100, 20, "digits/vae") as bar:
        for step in range(21, 101):
            now[0] += 0.125
            loss = 1.0 if step < 60 else 0.5
            bar.advance(to_step=step, metrics={"loss": loss, "valid neg_elbo": 12.3456})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\r" not in out
    # A line when the figures are new, and one at the end: 80 steps in 10 seconds.
    assert out.splitlines() == [
        "digits/vae step 28/100 · 8.0 steps/s · loss 1 · valid neg_elbo 12.35 · 0:09 left",
        "digits/vae step 60/100 · 8.0 steps/s · loss 0.5 · valid neg_elbo 12.35 · 0:05 left",
        "digits/vae step 100/100 · 8.0 steps/s · loss 0.5 · valid neg_elbo 12.35 · 0:00 left",
    ]


def test_slow_steps_are_told_every_minute(capsys, now):
    with progress(300, 0, "storms/unet_attention") as bar:
        for step in range(1, 23):
            now[0] += 12.5
            bar.advance(to_step=step, metrics={"loss": 1.0} if step > 15 else {})
    assert capsys.readouterr().out.splitlines() == [
        "storms/unet_attention step 5/300 · 12.5 s/step · 1:01:27 left",
        "storms/unet_attention step 10/300 · 12.5 s/step · 1:00:25 left",
        "storms/unet_attention step 15/300 · 12.5 s/step · 59:22 left",
        "storms/unet_attention step 16/300 · 12.5 s/step · loss 1 · 59:10 left",
        "storms/unet_attention step 21/300 · 12.5 s/step · loss 1 · 58:07 left",
    ]


def test_compiling_is_no_part_of_the_rate(capsys, now):
    with progress(100, 10, "digits/vae") as bar:
        for step, loss in ((11, 3.0), (12, 2.0), (13, 1.0)):
            now[0] += 30.0 if step == 11 else 2.0
            bar.advance(to_step=step, metrics={"loss": loss})
    assert capsys.readouterr().out.splitlines() == [
        "digits/vae step 11/100 · 30.0 s/step · loss 3 · 44:30 left",
        "digits/vae step 12/100 · 2.0 s/step · loss 2 · 2:56 left",
        "digits/vae step 13/100 · 2.0 s/step · loss 1 · 2:54 left",
    ]


def test_print_without_a_terminal(capsys):
    with progress(10, 0, "digits/vae") as bar:
        bar.print("saved [step 3]")
    assert capsys.readouterr().out == "saved [step 3]\n"


def test_bar_on_a_terminal(capsys):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with progress(1000, 200, "digits/vae [new]", console=console) as bar:
        bar.advance(to_step=600, metrics={"loss": 1.25})
        bar.print("saved [bold]as it is[/bold]")
        bar.advance(to_step=1000, metrics={"loss": 0.5})
    text = screen.getvalue()
    assert "\x1b[" in text
    assert "saved [bold]as it is[/bold]" in text
    last = text[text.rindex("digits/vae") :]
    assert last.startswith("digits/vae [new]")
    assert "loss 0.5" in last
    assert "steps/s" in last
    assert "1000/1000" in Text.from_ansi(last).plain
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_a_line_of_the_bar_fits_the_terminal(width):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width)
    with progress(10_000, 0, "storms/cae_convlstm", console=console) as bar:
        bar.advance(to_step=6000, metrics={"loss": 1.25, "valid neg_elbo": 88.931})
    shown = [
        Text.from_ansi(line).plain for line in screen.getvalue().replace("\r", "\n").split("\n")
    ]
    assert max(map(len, shown)) <= width
    last = next(line for line in reversed(shown) if line.strip())
    assert "6000/10000" in last
    assert ("storms/cae_convlstm" in last) == (width >= 40)
    assert ("loss 1.25" in last) == (width >= 60)
    assert ("neg_elbo 88.93" in last) == (width >= 80)


def test_figures_give_way_first():
    def line(width):
        figures = {"loss": 1.0, "valid loss": 2.0}
        return " ".join(fitted("a/b", "5/9", "3.0 steps/s", figures, "0:04", width))

    assert line(80) == "a/b 5/9 3.0 steps/s loss 1 · valid loss 2 0:04"
    assert line(40) == "a/b 5/9 3.0 steps/s loss 1 0:04"
    assert line(25) == "a/b 5/9 3.0 steps/s 0:04"
    assert line(20) == "a/b 5/9 0:04"
    assert line(10) == "5/9 0:04"


def test_an_error_inside_passes_through():
    console = Console(file=io.StringIO(), force_terminal=True)
    for where in (None, console):
        with pytest.raises(RuntimeError, match="boom"), progress(5, 0, "x", console=where):
            raise RuntimeError("boom")


def test_describe_pace_and_clock():
    assert [pace(rate, "step") for rate in (150.94, 1.0, 0.08)] == [
        "150.9 steps/s",
        "1.0 steps/s",
        "12.5 s/step",
    ]
    assert describe({}) == ""
    assert describe({"loss": 1234.5678, "kl": float("nan")}) == "loss 1234.6 · kl nan"
    assert describe({"loss": -4825.98, "big": 2e7}) == "loss -4826.0 · big 2e+07"
    assert [clock(s) for s in (0, 59.9, 61, 3600, 36_061)] == [
        "0:00",
        "0:59",
        "1:01",
        "1:00:00",
        "10:01:01",
    ]
