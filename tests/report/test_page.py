"""The page of runs: whole, escaped, without any network."""

import json
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from gm_jax import cli
from gm_jax.report.page import make_page
from gm_jax.report.pictures import pictures_of
from gm_jax.results.from_runs import entry_of_run

ROOT = Path(__file__).parent.parent.parent
VOID = ("meta", "link", "input", "img", "br")
NASTY = "</script><b>&\"'"


class Page(HTMLParser):
    """What stands in a page: elements with their attributes, texts, and whether all are closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], {}, []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            key = self.open[-1]
            self.texts.setdefault(key, []).append(data)

    def all(self, tag, **attributes):
        return [a for t, a in self.elements if t == tag and attributes.items() <= a.items()]

    @property
    def data(self):
        (text,) = [t for t in self.texts["script"] if t.startswith("{")]
        return json.loads(text)


def page_of(*folders):
    text = make_page([entry_of_run(folder) for folder in folders])
    return text, Page(text)


def test_several_runs_over_each_other(make_run):
    slow, fast = make_run("a", rate=5e-4), make_run("b", rate=1e-2, pictures=())
    text, page = page_of(slow, fast)
    assert [run["name"] for run in page.data["runs"]] == ["a", "b"]
    curve = page.data["runs"][1]["curves"]["loss"]["train"]
    assert curve[0] == list(range(100, 1001, 100))
    assert curve[1][0] == pytest.approx(100 * 2.718281828**-1 + 80, rel=1e-5)
    assert page.data["shown"] == ["loss", "bits_per_dim", "grad_norm"]
    assert len(page.all("input", type="checkbox", **{"data-run": "1"})) == 1
    assert "digits/vae · learning_rate 0.0005" in text
    assert re.search(r'<td class="best">2\.00\d ± 0\.020 bound</td>', text)
    differing = re.findall(r'<tr class="differs"><th>(.*?)</th>(.*?)</tr>', text)
    assert differing == [("model.optimizer.learning_rate", "<td>0.0005</td><td>0.01</td>")]
    assert "no pictures in its folder" in text
    for told in ("a CPU, 2 cores", "0123456789ab", "gm_jax 0.1.0, jax 0.12.0", "3.3", "300 MiB"):
        assert told in text


def test_seeds_are_one_row_of_the_table(make_run):
    text, _ = page_of(make_run("a", seed=0), make_run("b", seed=2))
    assert "digits/vae (2 seeds)" in text
    assert "3.0 ± 1.0 bound" in text


def test_a_run_without_validation_test_or_pictures(make_run):
    text, page = page_of(make_run(valid=False, test=False, pictures=()))
    assert {*page.data["runs"][0]["curves"]} == {"loss", "grad_norm"}
    assert page.all("input", type="range") == []
    assert page.all("input", id="only-differences") == []
    assert "<h1>digits/vae</h1>" in text


def test_a_run_that_has_not_begun(make_run):
    folder = make_run(pictures=())
    (folder / "metrics.jsonl").unlink()
    _, page = page_of(folder)
    assert page.data["figures"] == []


def test_pictures_over_the_steps(make_run):
    _, page = page_of(make_run(pictures=(500, 1000, 1500)))
    (slider,) = page.all("input", type="range")
    assert (slider["max"], slider["value"], slider["data-slides"]) == ("2", "2", "samples")
    slides = page.data["runs"][0]["slides"]
    assert [label for label, _ in slides["samples"]] == ["step 500", "step 1,000", "step 1,500"]
    sources = [source for _, source in slides["samples"]]
    assert sources[0].startswith("data:image/png;base64,")
    assert sources[2] is None  # it stands in the page
    shown = [image["alt"] for image in page.all("img")]
    kinds = ["samples", "reconstructions", "interpolation", "nearest random-1", "progress"]
    assert shown == [f"{kind} of digits/vae" for kind in kinds]


def test_no_more_pictures_than_one_can_look_at(make_run):
    folder = make_run(pictures=range(1, 101))
    (folder / "samples" / "huge.png").write_bytes(b"0" * 3_000_001)
    found = pictures_of(folder)
    labels = [slide.label for slide in found.slides["samples"]]
    assert (len(labels), labels[0], labels[-1]) == (24, "step 1", "step 100")
    assert "huge" not in found.others


def test_nothing_is_fetched(make_run):
    text, page = page_of(make_run("a"), make_run("b", rate=0.1))
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "data", "srcset"):
            assert re.match(r"data:|#", attributes.get(name, "#")), (tag, attributes)
    (policy,) = [a for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy["content"].startswith("default-src 'none'; img-src data:;")
    code = re.sub(r"http://www\.w3\.org/2000/svg", "", text)  # a name, which nothing fetches
    assert not re.search(r"https?://|@import|fetch\(|XMLHttpRequest|import\(|url\((?!#)", code)
    assert [a for a in page.all("script") if a.get("src")] == []
    assert {a.get("lang") for a in page.all("html")} == {"en"}
    assert any(a.get("name") == "viewport" for a in page.all("meta"))


def test_everything_is_escaped(make_run):
    folder = make_run("plain", name=NASTY)
    other = make_run(NASTY.replace("/", "|"), rate=0.5, name=NASTY)
    with (folder / "metrics.jsonl").open("a") as file:
        told = {"step": 1, "phase": NASTY, f"odd {NASTY}": 1.0, "time": {}}
        file.write(json.dumps(told) + "\n")
    Image.new("L", (4, 4)).save(folder / "samples" / "a<b>&.png")
    text, page = page_of(folder, other)
    assert "<b>" not in text
    assert page.all("b") == []
    assert len(page.all("script")) == 2
    assert f"odd {NASTY}" in page.data["figures"]
    (box,) = [a for a in page.all("input") if a.get("data-figure", "").startswith("odd")]
    assert box["data-figure"] == f"odd {NASTY}"


def test_runs_of_other_data_have_a_table_of_their_own(make_run):
    text, _ = page_of(make_run("a"), make_run("b", num_levels=16))
    assert "<h3>Digits, 8x8x1, 17 levels</h3>" in text
    assert "<h3>Digits, 8x8x1, 16 levels</h3>" in text


def test_the_command(make_run, tmp_path, capsys):
    make_run("a")
    with pytest.raises(SystemExit) as stop:
        cli.main(["report", str(tmp_path / "runs"), "--out", str(tmp_path / "new" / "r.html")])
    assert stop.value.code == 0
    assert "1 run · 0.0 MB" in capsys.readouterr().out
    text = (tmp_path / "new" / "r.html").read_text()
    assert text == page_of(tmp_path / "runs" / "a")[0]
    bare = text.replace(re.search(r'<script type="application/json".*?</script>', text)[0], "")
    assert len(bare) < 60_000


def test_the_parts_of_the_page_are_in_the_wheel():
    """All files below gm_jax are (only-include), if git knows them."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert "gm_jax" in wheel["targets"]["wheel"]["only-include"]
    for name in ("template.html", "style.css", "script.js"):
        assert (ROOT / "gm_jax" / "report" / name).is_file()
