import json

import matplotlib.figure
import pytest
from PIL import Image

from gm_jax.viz.curves import plot_curves


def write(folder, lines):
    folder.mkdir(parents=True)
    path = folder / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def run_lines(offset=0.0):
    lines = []
    for step in range(10, 60, 10):
        lines.append({"step": step, "phase": "train", "loss": offset + 1 / step, "time": {"s": 1}})
    lines.append({"step": 25, "phase": "valid", "loss": offset + 0.05, "bits_per_dim": 2.0})
    lines.append({"step": 50, "phase": "valid", "loss": offset + 0.04, "bits_per_dim": "nan"})
    lines.append({"step": 50, "phase": "test", "psnr": 20.0})
    return lines


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures = []
    save = matplotlib.figure.Figure.savefig

    def spy(self, *args, **kwargs):
        figures.append(self)
        return save(self, *args, **kwargs)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", spy)
    return figures


def panels(figure):
    return {
        axis.get_title(): {line.get_label(): line for line in axis.get_lines()}
        for axis in figure.axes
        if axis.get_visible()
    }


def test_one_run(tmp_path, drawn):
    plot_curves([write(tmp_path / "vae", run_lines())], tmp_path / "curves.png")
    assert list(panels(drawn[0])) == ["loss", "bits_per_dim", "psnr"]
    assert panels(drawn[0])["bits_per_dim"]["valid"].get_marker() == "o"  # a single point is seen
    lines = panels(drawn[0])["loss"]
    assert set(lines) == {"train", "valid"}
    assert lines["train"].get_xdata().tolist() == [10, 20, 30, 40, 50]
    assert lines["valid"].get_ydata().tolist() == [0.05, 0.04]
    assert lines["train"].get_color() != lines["valid"].get_color()
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG"
        assert image.width > 300


def test_groups_of_panels_and_colors_of_phases(tmp_path, drawn):
    lines = []
    for step in (1, 2):
        values = {"loss": 3.0, "kl": 1.0, "bits_per_dim": 2.0}
        norms = {"generator_grad_norm": 1.0, "discriminator_grad_norm": 2.0}
        lines.append({"step": step, "phase": "train", **values, **norms})
        lines.append({"step": step, "phase": "valid", **values, "mse": 0.1})
    lines.append({"step": 2, "phase": "test", **values, "mse": 0.1})
    plot_curves([write(tmp_path / "run", lines)], tmp_path / "curves.png")
    groups = {
        part.get_suptitle(): [axis.get_title() for axis in part.axes if axis.get_visible()]
        for part in drawn[0].subfigs
    }
    assert groups == {
        "losses": ["loss", "kl"],
        "figures": ["bits_per_dim", "mse"],
        "gradient norms": ["norms"],
    }
    shown = panels(drawn[0])
    assert {*shown["norms"]} == {"train generator_grad_norm", "train discriminator_grad_norm"}
    assert len({line.get_color() for line in shown["norms"].values()}) == 2
    assert len({line.get_color() for line in shown["loss"].values()}) == 3
    assert shown["loss"]["test"].get_marker() == "*"


def test_runs_of_one_name_are_told_apart_and_keep_their_color(tmp_path, drawn):
    records = [write(tmp_path / name / "vae", run_lines(i)) for i, name in enumerate("ab")]
    plot_curves(records, tmp_path / "curves.png")
    lines = panels(drawn[0])["loss"]
    assert set(lines) == {"a/vae train", "a/vae valid", "b/vae train", "b/vae valid"}
    assert lines["a/vae train"].get_color() == lines["a/vae valid"].get_color()
    assert lines["a/vae train"].get_color() != lines["b/vae train"].get_color()


def test_single_points_where_nothing_else_is_known(tmp_path, drawn):
    path = write(tmp_path / "run", [{"step": 5, "phase": "test", "mse": 0.1, "psnr": 10.0}])
    plot_curves([path], tmp_path / "curves.png")
    assert set(panels(drawn[0])) == {"mse", "psnr"}


def test_a_line_cut_short_and_an_empty_record(tmp_path, drawn):
    path = write(tmp_path / "run", run_lines()[:3])
    with path.open("a") as file:
        file.write('{"step": 40, "pha')
    plot_curves([path], tmp_path / "curves.png")
    assert len(panels(drawn[0])["loss"]["train"].get_xdata()) == 3
    plot_curves([write(tmp_path / "empty", [])], tmp_path / "empty.png")
    assert (tmp_path / "empty.png").exists()


def test_a_missing_record_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        plot_curves([tmp_path / "metrics.jsonl"], tmp_path / "curves.png")
