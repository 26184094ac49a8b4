"""Records beside their experiments: one file, in a stable order."""

import json

import pytest

from gm_jax.errors import UserError
from gm_jax.results.record import keep, read_recorded


def test_a_record_comes_back_as_it_was_to_six_digits(file, record):
    path = keep(record(), file)
    assert path == file.path.with_suffix(".json")
    (again,) = read_recorded(file.path)
    assert again == record(core_minutes=1.23457)
    assert '"bits_per_dim": { "value": 2.0, "kind": "bound"' in path.read_text()


def test_one_a_recipe_and_seed_in_order(file, record):
    for name, seed in (("some/tiny:paper", 0), ("some/tiny", 2), ("some/tiny", 0)):
        keep(record(name, seed), file)
    keep(record("some/tiny", 2, steps=99), file)
    found = [(r.name, r.seed, r.steps) for r in read_recorded(file.path)]
    assert found == [("some/tiny", 0, 2), ("some/tiny", 2, 99), ("some/tiny:paper", 0, 2)]


def test_keeping_twice_changes_nothing(file, record):
    keep(record("some/tiny", 1), file)
    text = keep(record(), file).read_text()
    assert keep(record(), file).read_text() == text
    assert json.loads(text)[0]["name"] == "some/tiny"


def test_records_of_what_is_not_there_any_more_go(file, record):
    keep(record("some/tiny", 1, digest="of the recipe as it was"), file)
    keep(record("some/tiny:gone"), file)
    keep(record("some/tiny:paper", digest="another"), file)
    keep(record(), file)
    found = [(r.name, r.seed) for r in read_recorded(file.path)]
    assert found == [("some/tiny", 0), ("some/tiny:paper", 0)]


def test_no_file_has_no_records(file):
    assert read_recorded(file.path) == []


@pytest.mark.parametrize("text", ["[", "{}", '[{"name": 1}]', '[{"figures": 3}]', "[3]"])
def test_a_damaged_file_is_named(file, text):
    path = file.path.with_suffix(".json")
    path.write_text(text)
    if text == "{}":
        assert read_recorded(file.path) == []
        return
    with pytest.raises(UserError, match=r"tiny.json holds no records .*take it back from git"):
        read_recorded(file.path)
