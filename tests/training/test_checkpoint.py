"""Checkpoints are verified when they are read, whole whenever they are seen, and never in the way.

The states are made by hand, one like that of each kind of family, so that nothing is compiled.
"""

import shutil
import threading

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.model import TrainState
from gm_jax.training import checkpoint, saving
from gm_jax.training.checkpoint import Checkpoints, with_key_data
from gm_jax.training.digests import DIGESTS, DamageError, check_digests
from gm_jax.training.saving import Saver
from gm_jax.training.sharding import DataMesh


def state_of(kind, step=0):
    """A state of four steps or so of one kind of family; every array tells the step."""
    params = {"dense": {"kernel": jnp.full((3, 4), 0.5 + step), "bias": jnp.arange(4.0) + step}}
    adam = optax.adam(1e-3)
    parts = {
        "one optimizer": {
            "params": params,
            "model_state": {},
            "opt_state": adam.init(params),
            "ema_params": params,
        },
        "two players": {
            "params": {"generator": params, "discriminator": params},
            "model_state": {"generator": {"mean": jnp.ones(4)}, "discriminator": {}},
            "opt_state": {"generator": adam.init(params), "discriminator": adam.init(params)},
            "ema_params": {"generator": params},
        },
        "EM statistics": {
            "params": {"mean": jnp.full((2, 3), 1.0 + step), "weight": jnp.ones(2) / 2},
            "model_state": {"count": jnp.full(2, 7.0), "outer": jnp.full((2, 3, 3), 0.1)},
            "opt_state": (),
        },
        "flow": {
            "params": [{"scale": jnp.full(5, 0.1 * step)}, {"shift": jnp.ones((5, 2))}],
            "model_state": {"initialized": jnp.asarray(True)},
            "opt_state": optax.chain(optax.clip(1.0), adam).init(params),
        },
    }
    return TrainState(
        step=jnp.asarray(step, jnp.int32),
        key=jax.random.key(3),
        spec=DataSpec((2, 2, 1)),
        **parts[kind],
    )


KINDS = ["one optimizer", "two players", "EM statistics", "flow"]
ONE = KINDS[0]


def save(folder, kind, *steps, **options):
    with Saver(Checkpoints(folder), **options) as saver:
        for step in steps:
            saver.save(state_of(kind, step), monitored=abs(step - 3.2), pending=[{"loss": 0.1}])
    return Checkpoints(folder)


def template(kind):
    return jax.eval_shape(lambda: state_of(kind))


def restore(checkpoints, wanted, kind=ONE):
    return checkpoints.restore(wanted, template(kind), DataMesh(1))


def resume(checkpoints, kind=ONE):
    return checkpoints.resume(template(kind), DataMesh(1))


def assert_same(restored, kind, step):
    chex.assert_trees_all_equal(with_key_data(restored), with_key_data(state_of(kind, step)))


@pytest.fixture(scope="module", params=KINDS)
def saved(request, tmp_path_factory):
    """Two checkpoints of a kind of state, of steps 2 and 4."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    save(folder, request.param, 2, 4)
    return folder, request.param


@pytest.fixture
def copied(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_PAUSE", 0.0)
    folder, kind = saved
    return shutil.copytree(folder, tmp_path / "run" / "checkpoints"), kind


def flipped(path):
    data = bytearray(path.read_bytes())
    for i in np.linspace(0, len(data) - 1, 20).astype(int):
        data[i] ^= 0x5A
    path.write_bytes(data)


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


def removed(path):
    path.unlink()


DAMAGES = [flipped, halved, emptied, removed]


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_what_is_saved_is_restored(saved):
    folder, kind = saved
    for wanted, step in [(2, 2), (4, 4), ("latest", 4), ("best", 4)]:
        assert_same(restore(Checkpoints(folder), wanted, kind), kind, step)
    assert resume(Checkpoints(folder), kind).pending == [{"loss": 0.1}]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_file_is_named(copied, damage):
    folder, _ = copied
    names = files(folder / "4")
    assert {DIGESTS, "metrics/metrics", "pending.json", "default/manifest.ocdbt"} <= set(names)
    for name in names:
        path = folder / "4" / name
        good = path.read_bytes()
        damage(path)
        if path.exists() and path.read_bytes() == good:  # it was empty before
            continue
        with pytest.raises(DamageError, match="damaged: ") as caught:
            check_digests(folder / "4")
        assert name in str(caught.value) or name == DIGESTS
        path.write_bytes(good)
        check_digests(folder / "4")


def test_a_file_too_many_is_named_but_not_those_of_file_browsers(copied):
    folder, _ = copied
    (folder / "4" / ".DS_Store").write_text("")
    check_digests(folder / "4")
    (folder / "4" / "default" / "more").write_text("")
    with pytest.raises(DamageError, match="default/more was not there"):
        check_digests(folder / "4")


@pytest.mark.parametrize("damage", [flipped, removed])
def test_readers_refuse_a_damaged_one_and_training_goes_on_from_the_one_before(copied, damage):
    folder, kind = copied
    largest = max((folder / "4/default").rglob("*"), key=lambda p: p.is_file() and p.stat().st_size)
    damage(largest)
    checkpoints = Checkpoints(folder)
    for wanted in (4, "latest", "best"):
        with pytest.raises(UserError) as caught:
            restore(checkpoints, wanted, kind)
        said = str(caught.value)
        assert f"checkpoint {folder / '4'} can't be read; give step 2, which can be read" in said
        assert largest.name in said
        assert "\n" not in said
        assert "remove" not in said
    assert_same(restore(checkpoints, 2, kind), kind, 2)
    going_on = resume(checkpoints, kind)
    assert (going_on.step, list(going_on.damaged)) == (2, [4])
    assert_same(going_on.state, kind, 2)
    damage(folder / "2" / DIGESTS)  # no step is named that can't be read either
    with pytest.raises(UserError, match="4 can't be read; put a copy back"):
        restore(checkpoints, "latest", kind)
    with pytest.raises(UserError, match="4 can't be read; put a copy back"):
        resume(checkpoints, kind)
    assert checkpoints.steps() == [2, 4]  # nothing was moved


def test_a_damaged_figure_leaves_the_best_unknown_and_the_others_readable(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_PAUSE", 0.0)
    checkpoints = save(tmp_path, ONE, 2, 4)
    (tmp_path / "2/metrics/metrics").write_text('{"monitor": -1e9}')
    with pytest.raises(UserError, match=r"2 can't be read; give step 4, .*metrics/metrics"):
        restore(checkpoints, "best")
    assert_same(restore(checkpoints, "latest"), ONE, 4)
    assert list(resume(checkpoints).damaged) == [2]


def test_the_latest_the_one_before_and_the_best_are_kept(tmp_path):
    checkpoints = save(tmp_path, ONE, 1, 2, 3, 4, 5, 6)
    assert checkpoints.steps() == [3, 5, 6]
    assert checkpoints.best() == 3
    assert Checkpoints(tmp_path, mode="max").best() == 6
    assert files(tmp_path) == [f"{s}/{n}" for s in (3, 5, 6) for n in files(tmp_path / str(s))]
    save(tmp_path, ONE, 6, 7, keep_latest=3)  # 6 is there already
    assert checkpoints.steps() == [3, 5, 6, 7]


def test_a_kill_before_the_commit_leaves_nothing_that_is_seen(tmp_path, monkeypatch):
    checkpoints = save(tmp_path, ONE, 2)

    def die(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(saving, "write_digests", die)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path, ONE, 4)
    assert (tmp_path / ".4.saving/default").is_dir()
    assert checkpoints.steps() == [2]
    assert_same(restore(checkpoints, "latest"), ONE, 2)
    (tmp_path / "6.orbax-checkpoint-tmp").mkdir()  # of a run of before
    (tmp_path / ".1.removing").mkdir()
    save(tmp_path, ONE, 4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2", "4"]


def test_checkpoints_of_before_there_were_digests_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_PAUSE", 0.0)
    options = ocp.CheckpointManagerOptions(best_fn=lambda metrics: metrics["monitor"])
    with ocp.CheckpointManager(tmp_path, options=options) as manager:
        for step in (2, 4):
            plain = with_key_data(state_of(ONE, step))
            manager.save(step, args=ocp.args.StandardSave(plain), metrics={"monitor": float(step)})
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.best() == 2
    assert_same(restore(checkpoints, "latest"), ONE, 4)
    assert resume(checkpoints).pending == []
    for path in (tmp_path / "4/default/d").iterdir():
        halved(path)
    with pytest.raises(UserError, match="4 can't be read; give step 2, which can be read"):
        restore(checkpoints, "latest")
    assert resume(checkpoints).step == 2


def test_digests_that_were_lost_are_missed(tmp_path, monkeypatch):
    """Unlike those of a checkpoint that never had any."""
    monkeypatch.setattr(checkpoint, "_PAUSE", 0.0)
    checkpoints = save(tmp_path, ONE, 2, 4)
    (tmp_path / "4" / DIGESTS).unlink()
    with pytest.raises(UserError, match=f"give step 2, which can be read .*{DIGESTS} is missing"):
        restore(checkpoints, "latest")


def test_a_damaged_one_is_put_aside_and_saved_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_PAUSE", 0.0)
    checkpoints = save(tmp_path, ONE, 2, 4)
    for _ in range(2):
        flipped(tmp_path / "4/default/manifest.ocdbt")
        with Saver(checkpoints) as saver:
            assert saver.put_aside(4) == tmp_path / "4.damaged"
            assert checkpoints.steps() == [2]
            saver.save(state_of(ONE, 4))
        assert_same(restore(checkpoints, "latest"), ONE, 4)
    assert (tmp_path / "4.damaged" / DIGESTS).exists()


def test_a_reader_takes_the_next_when_one_is_removed_under_it(tmp_path, monkeypatch):
    checkpoints = save(tmp_path, ONE, 2)
    check = checkpoint.check_digests
    left = [4, 6]

    def check_and_replace(path, only=None):
        """As a run does that saves and removes meanwhile."""
        if only is None and left:
            step = left.pop(0)
            save(tmp_path, ONE, step)
            shutil.rmtree(path)
        check(path, only)

    monkeypatch.setattr(checkpoint, "check_digests", check_and_replace)
    assert_same(restore(checkpoints, "latest"), ONE, 6)
    assert not left
    left.append(8)
    with pytest.raises(UserError, match="no checkpoint of step 6; it has: 8"):
        restore(checkpoints, 6)


def test_one_that_is_going_file_by_file_is_not_called_damaged(tmp_path):
    """Nothing of ours removes like this; a hand may, and so did runs of before."""
    checkpoints = save(tmp_path, ONE, 2, 4)
    (tmp_path / "4/default/manifest.ocdbt").unlink()
    later = threading.Timer(checkpoint._PAUSE / 4, shutil.rmtree, [tmp_path / "4"])
    later.start()
    assert_same(restore(checkpoints, "latest"), ONE, 2)
    later.join()


def test_reading_while_a_run_saves_and_removes(tmp_path):
    save(tmp_path, ONE, 1)
    done = threading.Event()

    def train():
        with Saver(Checkpoints(tmp_path)) as saver:
            for step in range(2, 16):
                saver.save(state_of(ONE, step), monitored=-float(step))
        done.set()

    writer = threading.Thread(target=train)
    writer.start()
    seen = []
    while not done.is_set():
        for wanted in ("latest", "best"):
            state = restore(Checkpoints(tmp_path), wanted)
            assert_same(state, ONE, int(state.step))
            seen.append(int(state.step))
    writer.join()
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
