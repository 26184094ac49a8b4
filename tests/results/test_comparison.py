"""One table of runs and records: what stands in it, in which order, and what does not."""

import csv
import dataclasses
import io
import json
import math

import jax
import numpy as np
import pytest

import gm_jax
from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.measured import Measured, keep_measured
from gm_jax.results.comparison import best_of, compare
from gm_jax.results.entry import Entry
from gm_jax.results.from_runs import entry_of_run, find_runs
from gm_jax.results.markdown import table as markdown_table
from gm_jax.results.parameters import count_parameters
from gm_jax.results.settings import data_of, recipe_of, settings
from gm_jax.results.written import cells, heads, notes, to_csv, to_json_text
from gm_jax.training.records import Records

TIGHT = "neg_log_prob_bits_per_dim"


def entry(name="digits/vae", seed=0, figures=None, **changes):
    fields = {
        "family": "VAE",
        "recipe": name,
        "settings": {"model": "VAE"},
        "data": {"levels": 17},
        "levels": 17,
        "parameters": 1200,
        "steps": 10,
        "examples": 640,
        "core_minutes": 1.25,
        "device_minutes": None,
        "finished": True,
    }
    figures = {"bits_per_dim": Figure(2.0, "bound", 300, 0.02)} if figures is None else figures
    return Entry(name=name, seed=seed, figures=figures, **{**fields, **changes})


def shown(comparison):
    return [dict(zip(heads(comparison), row, strict=True)) for row in cells(comparison)]


def bits(value, kind="bound", error=0.02):
    return {"bits_per_dim": Figure(value, kind, 300, error)}


def test_the_tightest_bound_stands_with_its_kind():
    tight = {"bits_per_dim": Figure(2.36, "bound", 300, 0.14), TIGHT: Figure(2.27, "bound", 300)}
    (row,) = shown(compare([entry(figures=tight)]))
    assert row["bits/dim"] == "2.270 bound"
    assert row["parameters"] == "1,200"
    assert row["core-minutes"] == "1.2"
    (row,) = shown(compare([entry(figures=bits(1.8068, "exact", 0.0151))]))
    assert row["bits/dim"] == "1.807 ± 0.015 exact"


def test_minutes_of_an_accelerator_have_a_column_of_their_own():
    rows = shown(compare([entry("a"), entry("b", device_minutes=30.0)]))
    assert [row["device-minutes"] for row in rows] == ["–", "30"]
    assert "device-minutes" not in shown(compare([entry("a")]))[0]


def test_seeds_of_a_recipe_are_one_row_with_the_error_of_their_mean():
    values = [2.0, 2.1, 2.3]
    entries = [entry(seed=i, figures=bits(v)) for i, v in enumerate(values)]
    comparison = compare([*entries, entry("digits/gmm")])
    first, second = comparison.rows
    cell = first.cells["bits_per_dim"]
    np.testing.assert_allclose(cell.value, np.mean(values))
    np.testing.assert_allclose(cell.error, np.std(values, ddof=1) / math.sqrt(3))
    assert (cell.seeds, cell.n) == (3, 300)
    assert len(second.entries) == 1
    assert shown(comparison)[0]["run"] == "digits/vae (3 seeds)"
    assert shown(comparison)[0]["bits/dim"] == "2.133 ± 0.088 bound"


def test_a_seed_without_a_figure_is_said():
    entries = [entry(seed=0), entry(seed=1), entry(seed=2, figures={}, finished=False)]
    (row,) = shown(compare(entries))
    assert row["run"] == "digits/vae (3 seeds)"
    assert row["bits/dim"].endswith("bound of 2")


def test_the_same_seed_twice_is_no_second_seed():
    rows = compare([entry(), entry(figures=bits(9.0)), entry(seed=1)]).rows
    assert [len(row.entries) for row in rows] == [2, 1]


def test_the_best_comes_first_and_what_is_not_measured_last():
    entries = [
        entry("a", figures=bits(2.0)),
        entry("b", figures={"psnr": Figure(19.0, "error", 300)}),
        entry("c", figures={**bits(1.5), "psnr": Figure(22.0, "error", 300)}),
        entry("d", figures=bits(0.1, "surrogate")),
    ]
    assert [r.label for r in compare(entries, "bits_per_dim").rows] == ["c", "a", "d", "b"]
    assert [r.label for r in compare(entries, "psnr").rows] == ["c", "b", "a", "d"]
    comparison = compare(entries)
    assert [r.label for r in comparison.rows] == ["a", "b", "c", "d"]
    by_key = {c.key: best_of(comparison, c) for c in comparison.columns}
    assert by_key["bits_per_dim"] == 1.5  # a surrogate bounds nothing
    assert by_key["psnr"] == 22.0
    assert by_key["parameters"] is None


def test_figures_in_other_features_or_of_other_counts_never_share_a_column():
    entries = [
        entry("a", figures={"fid@digits/classifier-1a": Figure(3.0, "estimate", 1000)}),
        entry("b", figures={"fid@random-00": Figure(1.0, "estimate", 1000)}),
        entry("c", figures={"fid@random-00": Figure(0.5, "estimate", 5000)}),
    ]
    comparison = compare(entries)
    keys = [c.key for c in comparison.columns if c.name == "fid"]
    assert keys == ["fid@digits/classifier-1a:1000", "fid@random-00:1000", "fid@random-00:5000"]
    assert [len(r.cells.keys() & {*keys}) for r in comparison.rows] == [1, 1, 1]
    assert heads(comparison)[-3:] == ["FID (a)", "FID (b)", "FID (c)"]
    assert notes(comparison) == [
        "(a) in features digits/classifier-1a, of 1,000 samples",
        "(b) in features random-00, of 1,000 samples",
        "(c) in features random-00, of 5,000 samples",
    ]
    with pytest.raises(UserError, match=r"fid may mean fid@digits.* or fid@random-00:1000"):
        compare(entries, "fid")
    assert compare(entries, "fid@random-00:5000").rows[0].label == "c"
    assert compare(entries[:1], "fid").rows[0].label == "a"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"levels": 256}, "levels is 17 and 256"),
        ({"levels": 17, "data.test": "test[:9]"}, "data.test is none and test"),
    ],
)
def test_other_data_are_refused(data, words):
    with pytest.raises(UserError, match=words):
        compare([entry(), entry("digits/gmm", data=data)])


def test_columns_that_there_are_not():
    with pytest.raises(UserError, match="did you mean bits_per_dim"):
        compare([entry()], "bits_per_dime")
    with pytest.raises(UserError, match="fdi fits no column"):
        compare([entry()], only=["fdi"])
    chosen = compare([entry()], only=["bits*", "psnr"])
    assert [c.key for c in chosen.columns] == ["bits_per_dim", "psnr"]
    assert shown(chosen)[0]["PSNR (dB)"] == "–"


def test_points_are_told_in_nats_and_noise_is_no_reconstruction():
    figures = {
        "bits_per_dim": Figure(-2.0, "bound", 10),
        "neg_elbo": Figure(-2.8, "bound", 10, 0.03),
        "mse": Figure(0.18, "error", 10),
    }
    changes = {"levels": None, "data": {}, "family": "DDPM"}
    comparison = compare([entry("toy/ddpm", figures=figures, **changes)])
    assert [c.key for c in comparison.columns][-1] == "nats"
    assert shown(comparison)[0]["−log p (nats)"] == "-2.800 ± 0.030 bound"


def test_rows_of_one_recipe_are_told_apart_by_their_settings():
    def of(dim):
        return entry(recipe=str(dim), settings={"model": "VAE", "model.latent_dim": dim, "seed": 1})

    rows = compare([of(8), of(2), entry("digits/gmm")]).rows
    labels = [row.label for row in rows]
    assert labels == ["digits/vae · latent_dim 8", "digits/vae · latent_dim 2", "digits/gmm"]


def test_other_forms_say_the_same():
    comparison = compare([entry(figures=bits(2.0)), entry(seed=1, figures=bits(3.0)), entry("x|y")])
    first, second = json.loads(to_json_text(comparison))["rows"]
    assert first["figures"]["bits_per_dim"]["value"] == 2.5
    assert first["figures"]["bits_per_dim"]["error"] == 0.5
    assert (first["seeds"], second["recipe"]) == ([0, 1], "x|y")
    told = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    assert [row["bits_per_dim"] for row in told] == ["2.5", "2.0"]
    assert told[0]["bits_per_dim stderr"] == "0.5"
    assert told[0]["bits_per_dim seeds"] == "2"
    assert told[0]["parameters"] == "1200.0"
    lines = markdown_table(heads(comparison), cells(comparison)).splitlines()
    assert lines[3].startswith("| x\\|y | VAE | 1,200 |")
    assert len(lines) == 4


def plain_experiment(**changes):
    data = {"class": "gm_jax.data:Data", "batch_size": 8, "train": "train", "test": "test"}
    data |= {"source": {"class": "gm_jax.data:Digits"}, "transforms": []}
    model = {"class": "gm_jax.models:Bayes", "shrinkage": 0.5, "shrink_to": "class"}
    return {"class": "gm_jax:Experiment", "data": data | changes, "model": model, "seed": 0}


def test_settings_are_the_same_whatever_version_wrote_them():
    today = plain_experiment()
    flat = settings(today)
    assert (flat["model"], flat["model.shrinkage"], flat["data.source"]) == ("Bayes", 0.5, "Digits")
    earlier = plain_experiment()
    earlier["model"] = {"class": "gm_jax.models.bayes:Bayes", "shrinkage": 0.5}
    assert settings(earlier) == {**flat, "model.shrink_to": "data"}
    earlier["model"]["shrinkage"] = today["model"]["shrinkage"] = 0.0  # then it has no part
    assert settings(earlier) == settings(today)
    assert recipe_of(settings({**today, "seed": 3})) == recipe_of(settings(today))
    assert recipe_of({**flat, "model.shrinkage": 1}) != recipe_of(flat)


def test_what_data_are_the_same():
    flip = {"class": "gm_jax.data:HorizontalFlip", "probability": 0.5}
    binary = {"class": "gm_jax.data:DynamicBinarize"}
    same = [
        plain_experiment(),
        plain_experiment(batch_size=9, train="train[:10%]", valid="other"),
        plain_experiment(transforms=[flip]),
    ]
    assert all(data_of(one, "test") == data_of(same[0], "test") for one in same)
    for other in ({"test": "test[:9]"}, {"transforms": [binary]}, {"limit": 5}):
        assert data_of(plain_experiment(**other), "test") != data_of(same[0], "test")


def test_a_run_is_read_without_being_opened(checkout):
    folder = checkout / "runs" / "some" / "tiny"
    (found,) = find_runs([checkout / "runs", folder])
    assert not entry_of_run(found).finished
    run = gm_jax.open(folder)
    with Records(folder) as records:
        records.write_split(run.step, "test", run.evaluate("test"))
    one = entry_of_run(found)
    assert (one.name, one.family, one.steps, one.levels) == ("some/tiny", "Bayes", 2, 17)
    assert one.examples == 2 * 60
    assert one.parameters == sum(leaf.size for leaf in jax.tree.leaves(run.state.params))
    assert one.figures["bits_per_dim"].kind == "bound"
    assert one.figures["bits_per_dim"].n == 60
    # A record of before lines had kinds.
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert any("kinds" in line for line in lines)
    text = "".join(
        json.dumps({k: v for k, v in line.items() if k != "kinds"}) + "\n" for line in lines
    )
    (folder / "metrics.jsonl").write_text(text)
    assert entry_of_run(found) == one
    assert entry_of_run(found, "valid").figures["bits_per_dim"] != one.figures["bits_per_dim"]


def test_figures_of_samples_are_of_the_same_checkpoint(checkout):
    folder = checkout / "runs" / "some" / "tiny"
    base = Measured(
        step=2,
        split="test",
        num=100,
        seed=0,
        features="f-1",
        figures={"fid": Figure(2.0, "estimate", 100)},
    )
    other = {"fid": Figure(9.0, "estimate", 100)}
    for changes in ({"step": 1}, {"split": "valid"}, {"seed": 1}, {"num": 50}):
        keep_measured(folder, dataclasses.replace(base, **{"figures": other, **changes}))
    keep_measured(folder, base)
    assert entry_of_run(folder).figures["fid@f-1"] == base.figures["fid"]
    assert entry_of_run(folder, "valid").figures["fid@f-1"].value == 9.0


def test_parameters_of_what_is_no_checkpoint(tmp_path):
    assert count_parameters(tmp_path) is None
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "manifest.ocdbt").write_text("nothing")
    assert count_parameters(tmp_path) is None
