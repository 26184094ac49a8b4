"""The records in experiments/ are of the recipes beside them, and the pages are made of them."""

from pathlib import Path

import gm_jax
from gm_jax.experiment_file import describe
from gm_jax.results.digest import digest
from gm_jax.results.pages import PICTURES, made_pages
from gm_jax.results.picture import MOST_BYTES
from gm_jax.results.record import read_recorded

ROOT = Path(__file__).resolve().parents[2]
FILES = [describe(path) for path in sorted((ROOT / "experiments").glob("*/*.py"))]


def test_records_are_of_recipes_as_they_stand():
    for file in FILES:
        for record in read_recorded(file.path):
            assert record.name in file.recipes
            variant = record.name.partition(":")[2] or "get_config"
            assert record.digest == digest(gm_jax.load(f"{file.path}:{variant}")), (
                f"{record.name} is no longer what was recorded (seed {record.seed}): "
                f'gm-jax results --train "{record.name}" measures it anew'
            )


def test_every_file_of_records_has_its_experiment():
    found = {path.with_suffix("") for path in (ROOT / "experiments").glob("*/*.json")}
    assert found <= {file.path.with_suffix("") for file in FILES}


def test_pages_are_made_of_the_records():
    for path, text in made_pages(ROOT).items():
        assert path.read_text() == text, f"gm-jax results makes {path.name} anew"


def test_pictures_are_those_of_records_and_small():
    wanted = {r.picture for file in FILES for r in read_recorded(file.path) if r.picture}
    there = {path.name: path.stat().st_size for path in (ROOT / PICTURES).glob("*")}
    assert set(there) == wanted
    assert max(there.values(), default=0) <= MOST_BYTES
