"""Transforms that are written as text on the command line."""

import contextlib
import io

import pytest

from gm_jax import cli
from gm_jax.cli.train import Train
from gm_jax.data import (
    Binarize,
    CenterCrop,
    ColorJitter,
    Grayscale,
    HorizontalFlip,
    Quantize,
    RandomResizedCrop,
    Resize,
)
from gm_jax.data.transform_text import parse_transform, transform_names, transform_text
from gm_jax.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "transform"),
    [
        ("resize:12", Resize(12)),
        ("Resize:12,16:method=box".lower(), Resize((12, 16), "box")),
        ("center-crop", CenterCrop()),
        ("center_crop:size=none", CenterCrop()),
        ("grayscale", Grayscale()),
        ("quantize:16:256", Quantize(16)),
        ("random_resized_crop:0.9,1:ratio=1,2", RandomResizedCrop((0.9, 1.0), (1.0, 2.0))),
        ("color_jitter:hue=0.1:brightness=0.5", ColorJitter(0.5, hue=0.1)),
        ("horizontal_flip:1", HorizontalFlip(1.0)),
        ("binarize:num-levels-in=17", Binarize(num_levels_in=17)),
    ],
)
def test_there_and_back(text, transform):
    assert parse_transform(text) == transform
    assert parse_transform(transform_text(transform)) == transform


def test_every_transform_has_a_name():
    assert "sequence_transform" not in transform_names()  # of which others are made
    for name, cls in transform_names().items():
        if cls.__module__.startswith("gm_jax."):
            assert parse_transform(name) == cls()
            assert transform_text(cls()) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resise:12", r"no transform resise; there are aspect_crop, .*Did you mean resize\?"),
        ("resize:twelve", "Resize.size must be a whole number or a tuple of 2 whole numbers, not"),
        ("resize:0", "Resize.size must be greater than 0, not 0"),
        ("resize:1:box:3", r"Resize has no place for 3 \(it has size, method\)"),
        ("resize:width=3", r"no place for width=3 \(it has size, method\)"),
        ("resize:1:size=2", "no place for size=2"),
        ("grayscale:1", r"no place for 1 \(it has none\)"),
    ],
)
def test_text_that_is_no_transform(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_transform(text)


def parsed(*options):
    return Train.parsed("train", ["digits/vae", *options]).experiment.data.transforms


def test_from_the_command_line():
    assert parsed() == ()
    assert parsed("--data.transforms", "resize:12", "quantize:8:17", "--data.limit", "3") == (
        Resize(12),
        Quantize(8, 17),
    )
    assert parsed("--data.transforms") == ()


def test_one_line_for_what_cannot_be(capsys):
    for typed, words in [
        ("quantise:8", "there is no transform quantise; there are"),
        ("quantize:x", "Quantize.num_levels must be a whole number, not 'x'"),
    ]:
        with pytest.raises(SystemExit) as stop:
            cli.main(["train", "digits/vae", "--data.transforms", typed])
        said = capsys.readouterr().err
        assert stop.value.code == 2
        assert said.count("\n") == 1
        assert words in said


def test_help_shows_how():
    with contextlib.redirect_stdout(io.StringIO()) as page, pytest.raises(SystemExit):
        cli.main(["train", "mnist12/gan", "--help"])
    assert "resize_quantize:bins=top_alone" in page.getvalue()
