"""A long evaluation that is stopped goes on, and ends with the numbers of a straight one."""

import jax
import numpy as np
import pytest

import gm_jax
from gm_jax.evaluation import unfinished
from gm_jax.evaluation.split import Evaluator
from gm_jax.evaluation.unfinished import Unfinished

K = 7  # samples of the importance-weighted bound
SIZE = 4  # of a batch


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    changes = {"evaluation.batch_size": SIZE}
    experiment = gm_jax.load("digits/vae").quick().replace(**changes)
    return gm_jax.fit(experiment, tmp_path_factory.mktemp("runs") / "vae")


@pytest.fixture(scope="module")
def straight(run):
    return run.evaluate("test", K)


@pytest.fixture
def computed(monkeypatch):
    """Counts the batches whose log_prob is computed; stops before the one that `stop_at` names."""

    class Count:
        num = 0
        stop_at = None

    append = Unfinished.append

    def counted(self, figures):
        append(self, figures)
        Count.num += 1
        if Count.num == Count.stop_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(Unfinished, "append", counted)
    return Count


def files(run):
    return sorted(run.folder.glob("unfinished-*"))


def stop(run, computed, at, split="test", num_samples=K):
    computed.num, computed.stop_at = 0, at
    with pytest.raises(KeyboardInterrupt):
        run.evaluate(split, num_samples, show_progress=True)
    computed.num, computed.stop_at = 0, None


def test_it_goes_on_to_the_same_bits(run, straight, computed, monkeypatch, capsys):
    monkeypatch.setattr(unfinished, "_SAVE_EVERY", 0.0)
    num_batches = -(-run._open("test").num_examples // SIZE)
    assert num_batches > 4
    stop(run, computed, 3)
    assert len(files(run)) == 1
    stop(run, computed, 1)  # and once more
    capsys.readouterr()
    assert run.evaluate("test", K, show_progress=True) == straight
    assert computed.num == num_batches - 4
    assert "example 24/24" in capsys.readouterr().out
    assert not files(run)


def test_what_is_short_leaves_no_file(run, straight, computed):
    stop(run, computed, 3)
    assert not files(run)
    assert run.evaluate("test", K, show_progress=True) == straight


def test_another_evaluation_takes_nothing_of_it(run, computed, monkeypatch):
    monkeypatch.setattr(unfinished, "_SAVE_EVERY", 0.0)
    stop(run, computed, 3)
    others = {
        "another split": (run, "valid", K),
        "another effort": (run, "test", K + 1),
        "other weights": (shifted(run), "test", K),
    }
    for name, (other, split, num_samples) in others.items():
        expected = other.evaluate(split, num_samples)
        computed.num = 0
        assert other.evaluate(split, num_samples, show_progress=True) == expected, name
        assert computed.num == -(-other._open(split).num_examples // SIZE), name
    assert len(files(run)) == 1  # the first one still goes on
    for file in files(run):
        file.unlink()


def shifted(run):
    params = jax.tree.map(lambda p: p + 0.01, run.state.params)
    return gm_jax.Run(run.folder, run.experiment, run.state.replace(params=params), run._mesh)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_as_good_as_none(run, straight, computed, monkeypatch, content):
    monkeypatch.setattr(unfinished, "_SAVE_EVERY", 0.0)
    stop(run, computed, 2)
    (file,) = files(run)
    file.write_bytes(content)
    assert run.evaluate("test", K, show_progress=True) == straight
    assert computed.num == -(-run._open("test").num_examples // SIZE)
    assert not files(run)


def test_a_folder_that_takes_no_file_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "_SAVE_EVERY", 0.0)
    lost = Unfinished(tmp_path / "nowhere", {"split": "test"})
    lost.append({"neg_log_prob": np.zeros(3)})
    assert len(lost) == 1
    lost.discard()
    assert not list(tmp_path.iterdir())


def test_values_come_back_to_the_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "_SAVE_EVERY", 0.0)
    batches = [np.random.default_rng(i).normal(size=4).astype(np.float32) for i in range(12)]
    batches[5][:3] = np.nan, np.inf, -0.0
    before = Unfinished(tmp_path, {"split": "test"})
    for values in batches:
        before.append({"neg_log_prob": values, "other": values[::-1]})
    after = Unfinished(tmp_path, {"split": "test"})
    assert len(after) == 12
    for i, values in enumerate(batches):
        assert after[i]["neg_log_prob"].tobytes() == values.tobytes()
        assert after[i]["other"].tobytes() == values[::-1].tobytes()


def test_the_evaluator_computes_what_is_missing_only(run, tmp_path):
    evaluator = Evaluator(run.model, run.experiment.data.transforms, SIZE)
    split = run._open("test")
    known = Unfinished(tmp_path, {})
    known.append({"neg_log_prob": np.full(SIZE, 1e6, np.float32)})
    seen = []
    found = evaluator.log_prob(run.state, split, K, lambda done, figures: seen.append(done), known)[
        "neg_log_prob"
    ]
    assert seen[0] == 2 * SIZE  # the first batch is taken as it is
    assert found.value > 1e6 * SIZE / split.num_examples
