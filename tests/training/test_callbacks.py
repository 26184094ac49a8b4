"""What is told while a run trains, to TensorBoard and to callbacks of somebody's own."""

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

import gm_jax
from gm_jax.training.callbacks import listening
from gm_jax.training.tensorboard import TensorBoard


def events(folder):
    """Tag and step of every scalar and picture in the TensorBoard files; purges as written."""
    found = []
    for path in sorted((folder / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + length])
            found += [(v.tag, event.step) for v in event.summary.value]
            if event.HasField("session_log"):
                found.append(("purge", event.step))
            data = data[12 + length + 4 :]
    return found


def test_tensorboard_has_scalars_and_pictures(tmp_path):
    with listening([TensorBoard()], None, tmp_path, 0) as told:
        told.on_figures(2, "train", {"loss": 0.5, "bad": float("nan")})
        told.on_picture(2, "samples", np.zeros((4, 6, 1), np.uint8))
        told.on_picture(2, "colors", np.zeros((4, 6, 3), np.uint8))
    assert [e for e in events(tmp_path) if e[0] != "purge"] == [
        ("train/loss", 2),
        ("samples", 2),
        ("colors", 2),
    ]


def test_tensorboard_is_told_which_events_a_resumed_run_replaces(tmp_path):
    for _ in range(2):
        with listening([TensorBoard()], None, tmp_path, 4) as told:
            told.on_figures(5, "train", {"loss": 0.5})
    assert ("purge", 5) in events(tmp_path)


def test_figures_of_the_best_step_hide_nothing_that_came_after_it(tmp_path):
    with listening([TensorBoard(purge=False)], None, tmp_path, 4) as told:
        told.on_figures(4, "test", {"loss": 0.5})
    assert [e for e in events(tmp_path) if e[0] == "purge"] == []


def test_where_nothing_is_told_tensorboard_leaves_nothing(tmp_path):
    with listening([TensorBoard()], None, tmp_path, 0):
        pass
    assert not list(tmp_path.iterdir())


class Diary(gm_jax.Callback):
    """Writes down all that it hears."""

    def __init__(self):
        self.heard = []

    def on_start(self, experiment, folder, step):
        self.heard.append(("start", experiment.name, folder.name, step))

    def on_figures(self, step, phase, figures):
        assert np.isfinite(list(figures.values())).all()
        self.heard.append((phase, step))

    def on_picture(self, step, name, picture):
        assert picture.dtype == np.uint8
        self.heard.append((name, step))

    def on_checkpoint(self, step, state):
        assert int(state.step) == step
        self.heard.append(("checkpoint", step))

    def on_end(self):
        self.heard.append("end")


class Failing(gm_jax.Callback):
    def on_figures(self, step, phase, figures):
        raise RuntimeError("no network")


def test_callbacks_of_ones_own(tmp_path):
    experiment = gm_jax.load("digits/vae").quick()
    diary = Diary()
    with pytest.raises(RuntimeError, match="no network"):
        gm_jax.fit(experiment, tmp_path / "run", callbacks=[diary, Failing()])
    assert diary.heard == [("start", "digits/vae", "run", 0), ("train", 2), "end"]
    again = Diary()
    run = gm_jax.fit(experiment, tmp_path / "run", [again])
    about = [
        [("train", n), ("valid", n), ("checkpoint", n), ("samples", n), ("reconstructions", n)]
        for n in (2, 4)
    ]
    assert again.heard == [("start", "digits/vae", "run", 0), *about[0], *about[1], "end"]
    longer, last = experiment.replace(**{"training.num_steps": 6}), Diary()
    with pytest.raises(RuntimeError, match="no network"):
        gm_jax.fit(longer, run.folder, [last, Failing()])
    assert last.heard[0] == ("start", "digits/vae", "run", 4)
