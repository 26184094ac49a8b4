"""Model cards, and folders as the Hugging Face Hub has them: read by their own package."""

import importlib
import json
import sys

import numpy as np
import pytest

import gm_jax
from gm_jax.hub.card import card_text, write_card
from gm_jax.hub.folder import write_folder
from gm_jax.viz.grids import save_png


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that was trained for four steps, evaluated and painted."""
    from gm_jax.cli.closing import record_figures

    experiment = gm_jax.load("digits/bayes").quick()
    run = gm_jax.fit(experiment, tmp_path_factory.mktemp("runs") / "bayes")
    record_figures(run, "test", run.evaluate("test", num_samples=0))
    save_png(run.folder / "samples" / "final.png", np.zeros((3, 3, 1), np.uint8))
    return run


def test_a_card_tells_what_the_run_knows(trained, tmp_path):
    card, picture = write_card(trained, tmp_path / "README.md", "apache-2.0")
    text = card.read_text()
    assert picture.read_bytes() == (trained.folder / "samples" / "final.png").read_bytes()
    assert "![samples](samples.png)" in text
    assert "A Gaussian for each class, and Bayes' rule (quadratic" in text
    assert "| steps | 4 of 4 |" in text
    assert "8x8x1" in text
    assert "17 levels" in text
    (line,) = (line for line in text.splitlines() if line.startswith("| bits/dim |"))
    figure = trained.evaluate("test", num_samples=0)["bits_per_dim"]
    _, _, value, kind, num, _ = (cell.strip() for cell in line.split("|"))
    assert float(value.split()[0]) == pytest.approx(figure.value, rel=1e-5)
    assert (kind, num) == ("bound", str(figure.n))
    assert "core-minutes" in text
    # In the run's folder it links to the picture that is there.
    write_card(trained, trained.folder / "README.md")
    assert "![samples](samples/final.png)" in (trained.folder / "README.md").read_text()


def test_a_card_is_front_matter_that_yaml_reads(trained):
    yaml = pytest.importorskip("yaml")
    _, front, _ = card_text(trained).split("---\n", 2)
    told = yaml.safe_load(front)
    assert told["library_name"] == "gm_jax"
    assert told["license"] == "unknown"
    assert {"gm_jax", "jax", "bayes"} <= set(told["tags"])
    _, front, _ = card_text(trained, "mit").split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "mit"


def test_weights_alone_have_no_figures(run_of, tmp_path):
    text = card_text(run_of("cgan"))
    assert "None were kept of step 7" in text
    assert "Draws by label" in text
    assert "unconditional-image-generation" not in text
    assert 'pipeline_tag: "unconditional-image-generation"' in card_text(run_of("vae"))


def test_a_folder_of_the_hub(trained, tmp_path):
    written = write_folder(trained, tmp_path / "hub", "mit")
    names = ["model.safetensors", "config.json", "README.md", "samples.png"]
    assert [path.name for path in written] == names
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    assert config["experiment"]["model"]["class"] == "gm_jax.models:Bayes"
    assert (config["library_name"], config["step"]) == ("gm_jax", 4)
    # What somebody filled in stays; so does what is not ours.
    (tmp_path / "hub" / "README.md").write_text("mine")
    (tmp_path / "hub" / ".gitattributes").write_text("mine")
    assert write_folder(trained, tmp_path / "hub") == written[:2]
    assert (tmp_path / "hub" / "README.md").read_text() == "mine"
    assert (tmp_path / "hub" / ".gitattributes").read_text() == "mine"


def test_the_hubs_own_calls(trained, tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub", reason="pip install 'gm_jax[hub]'")
    from gm_jax.hub.mixin import HubModel

    drawn = trained.sample(5, 3)
    write_folder(trained, tmp_path / "ours", "mit")
    card = hub.ModelCard.load(tmp_path / "ours" / "README.md")
    assert (card.data.license, card.data.library_name) == ("mit", "gm_jax")
    model = HubModel.from_pretrained(tmp_path / "ours")
    np.testing.assert_array_equal(model.run.sample(5, 3), drawn)
    # What they save is what we write, card and picture with it.
    model.save_pretrained(tmp_path / "theirs")
    files = {p.name: p.read_bytes() for p in (tmp_path / "ours").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "theirs").iterdir()} == files
    HubModel(trained, "mit").save_pretrained(tmp_path / "anew")
    assert {p.name: p.read_bytes() for p in (tmp_path / "anew").iterdir()} == files
    # push_to_hub sends a folder of the same files; nothing is sent here.
    sent = {}
    monkeypatch.setattr(hub.HfApi, "create_repo", lambda self, repo_id, **_: _Repo(repo_id))
    monkeypatch.setattr(
        hub.HfApi,
        "upload_folder",
        lambda self, folder_path, **_: sent.update(
            {p.name: p.read_bytes() for p in folder_path.iterdir()}
        ),
    )
    model.push_to_hub("me/digits-bayes")
    assert sent == files


class _Repo:
    def __init__(self, repo_id):
        self.repo_id = repo_id


def test_without_their_package_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.delitem(sys.modules, "gm_jax.hub.mixin", raising=False)
    with pytest.raises(gm_jax.UserError, match=r"pip install 'gm_jax\[hub\]'"):
        importlib.import_module("gm_jax.hub.mixin")
    sys.modules.pop("gm_jax.hub.mixin", None)


def test_commands(trained, tmp_path, told, refused):
    told("export", trained.folder)
    assert (trained.folder / "model.safetensors").is_file()
    out = told("export", trained.folder, "--what", "hub", "--out", tmp_path / "hub")
    assert "model.safetensors · config.json · README.md · samples.png" in out
    out = told(
        "export", trained.folder, "--what", "card", "--license", "mit", "--out", tmp_path / "C.md"
    )
    assert "step 4 · samples.png" in out
    assert 'license: "mit"' in (tmp_path / "C.md").read_text()
    line = refused("export", trained.folder, "--license", "mit")
    assert "--license is for --what card or hub, not for --what weights" in line
    line = refused("export", trained.folder, "--num", 3, "--what", "card")
    assert "--num is for --what sampler" in line
