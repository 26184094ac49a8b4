"""Ctrl-C before a command has begun."""

import signal
import subprocess
import sys

import pytest

from gm_jax.cli.interrupts import leaving_at_once

# Presses Ctrl-C when a module is imported, and does what careless libraries do: it goes on.
SCRIPT = """
import os, signal, sys

# As at a terminal: who runs the tests in the background has Ctrl-C ignored, and hands that down.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Pressing:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                print("swallowed", file=sys.stderr)

sys.meta_path.insert(0, Pressing())
from gm_jax.cli import main
main({argv!r})
"""


@pytest.mark.parametrize(
    ("module", "typed"),
    [
        ("gm_jax.standard_streams", "list"),
        ("tyro", "list"),
        ("jax", "train digits/vae"),
        ("gm_jax.training.loop", "evaluate run"),
    ],
)
def test_ctrl_c_during_imports_leaves_without_a_word(module, typed, tmp_path):
    script = SCRIPT.format(module=module, argv=typed.split())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_who_ignores_ctrl_c_goes_on_ignoring_it(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with leaving_at_once():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_afterwards_it_is_an_exception_again():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with leaving_at_once():
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
