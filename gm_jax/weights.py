"""Weights on their own: arrays by name, and the experiment they are of.

A file has the parameters that are evaluated (the moving average where there is one) as
params/<network>/<layer>/kernel and so on, and what moves without a gradient, such as batch
statistics, as model_state/... . Its header tells the experiment by public names, as a run's
experiment.json does, the step, the versions of gm_jax and of the family's updates, and a digest of
the arrays.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.experiment_code import Code
from gm_jax.experiment_json import experiment_of, to_plain
from gm_jax.model import Family, TrainState
from gm_jax.rng import Rngs
from gm_jax.weights_file import SafetensorsError, from_bytes, to_bytes
from gm_jax.whole_file import write_bytes

SUFFIX = ".safetensors"

FILE_NAME = f"model{SUFFIX}"
"""What a file of weights is called in a folder, as on the Hugging Face Hub."""

Arrays = dict[str, np.ndarray]

_SHOWN = 3  # arrays that a message names


@dataclasses.dataclass(frozen=True)
class Weights:
    """Arrays, and what they are of.

    Attributes:
      arrays: by name, of any type.
      record: as experiment.json has it: "name", "experiment", "spec", "numerics"; empty for arrays
        that are not of gm_jax.
      step: training steps behind them.
    """

    arrays: Arrays
    record: Mapping[str, Any]
    step: int

    @property
    def name(self) -> str:
        """Of the experiment; empty where there is none."""
        return str(self.record.get("name", ""))

    @property
    def digest(self) -> str:
        """SHA-256 of all names, types, shapes and values, wherever they lie."""
        whole = hashlib.sha256()
        for name in sorted(self.arrays):
            array = self.arrays[name]
            whole.update(f"{name} {array.dtype.name} {list(array.shape)}\n".encode())
            whole.update(np.ascontiguousarray(array).tobytes())
        return whole.hexdigest()

    def experiment(self, code: Code | None = None) -> tuple[Experiment, DataSpec]:
        """What they were trained as, and on what.

        Args:
          code: that has classes of somebody's own.

        Raises:
          UserError: nothing of gm_jax, or of a version that this one can't read.
        """
        if not self.record:
            raise UserError(
                "it tells of no experiment, as files do that gm-jax export writes: "
                "gm_jax.load_weights gives its arrays"
            )
        return experiment_of(self.record, code)

    def save(self, path: Path) -> None:
        """Writes a .safetensors file, whole or not at all."""
        from gm_jax import __version__

        text = {
            "format": "flax",
            "gm_jax": __version__,
            "experiment": json.dumps(self.record),
            "numerics": str(self.record["numerics"]),
            "step": str(self.step),
            "digest": self.digest,
        }
        write_bytes(path, to_bytes(self.arrays, text))


def weights_of(experiment: Experiment, state: TrainState, numerics: int) -> Weights:
    """The weights of a state, those that are evaluated and sampled with.

    Args:
      experiment: of the state.
      state: of any family.
      numerics: version of the updates that made it.
    """
    record = {
        "name": experiment.name,
        "experiment": to_plain(experiment),
        "spec": to_plain(state.spec),
        "numerics": numerics,
    }
    leaves = named_leaves({"params": evaluated_params(state), "model_state": state.model_state})
    arrays = {name: np.asarray(leaf) for name, leaf in leaves.items()}
    return Weights(arrays, record, int(state.step))


def read_weights(path: str | Path) -> Weights:
    """Reads a .safetensors file, of gm_jax or of anybody.

    Args:
      path: of the file, or of a folder that has a model.safetensors.

    Raises:
      UserError: it is not there, is no such file, is cut short, or holds other arrays than were
        written.
    """
    file = Path(path)
    if file.is_dir():
        if not (file / FILE_NAME).is_file():
            raise UserError(f"{file} is a folder without {FILE_NAME}: give a file of weights")
        file = file / FILE_NAME
    try:
        arrays, text = from_bytes(file.read_bytes())
        record, step = json.loads(text.get("experiment", "{}")), int(text.get("step", 0))
        if not isinstance(record, dict):
            raise ValueError("its header tells of no experiment")
    except FileNotFoundError:
        raise UserError(f"there is no file {file} (gm-jax export RUN makes one)") from None
    except (SafetensorsError, ValueError) as error:
        raise UserError(f"{file} can't be read as weights ({error}): export it again") from error
    weights = Weights(arrays, record, step)
    if text.get("digest", weights.digest) != weights.digest:
        raise UserError(
            f"{file} is damaged: its arrays are not those that were written; export it again"
        )
    return weights


def is_weights(path: Path) -> bool:
    """Whether weights lie there on their own: in a file, or in a folder that is no run's."""
    if path.is_dir():
        return (path / FILE_NAME).is_file() and not (path / "experiment.json").exists()
    return path.suffix == SUFFIX and path.is_file()


def load_weights(path: str | Path) -> dict[str, Any]:
    """The arrays of a .safetensors file as a tree: {"params": {...}, "model_state": {...}}.

    Names are parted at each "/". Arrays are NumPy's, also bfloat16.

    Args:
      path: of a file of gm_jax or of anybody, or of a folder that has a model.safetensors.

    Raises:
      UserError: as `read_weights`; or one name is the beginning of another.
    """
    tree: dict[str, Any] = {}
    for name, array in sorted(read_weights(path).arrays.items()):
        *above, last = name.split("/")
        branch = tree
        for part in above:
            branch = branch.setdefault(part, {})
            if not isinstance(branch, dict):
                raise UserError(f"{path} holds no tree: {name} lies below another array")
        branch[last] = array
    return tree


def state_from(weights: Weights, model: Family, spec: DataSpec, seed: int) -> TrainState:
    """A state to evaluate and to sample with, not to train: it has no optimizer's.

    Args:
      weights: of this model.
      model: the family.
      spec: of its data.
      seed: of the experiment.

    Raises:
      UserError: arrays that are not those of the model.
    """
    empty = jax.eval_shape(lambda key: model.init(Rngs(key), spec), jax.random.key(0))
    found = compare(weights.arrays, empty)
    if found.misfits:
        raise UserError(f"it does not fit its own experiment: {found.spoken()}")
    params, model_state = placed(found.fitting, empty)
    return TrainState(
        step=jnp.asarray(weights.step, jnp.int32),
        key=jax.random.key(seed),
        params=params,
        model_state=model_state,
        opt_state={},
        spec=spec,
    )


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Arrays beside those that a state has.

    Attributes:
      fitting: those of the same name and shape, in the state's type.
      misfits: what is wrong with each other one, by its name.
    """

    fitting: Arrays
    misfits: dict[str, str]

    def spoken(self) -> str:
        """How many do not fit, and the first few."""
        total = len(self.fitting) + len(self.misfits)
        first = [f"{name} {why}" for name, why in list(self.misfits.items())[:_SHOWN]]
        more = len(self.misfits) - len(first)
        return f"{len(self.misfits)} of {total} arrays: {', '.join(first)}" + (
            f", and {more} more" if more else ""
        )


def compare(arrays: Mapping[str, np.ndarray], state: TrainState) -> Comparison:
    """Which arrays fit a state (or its shapes and types), and which do not.

    Args:
      arrays: by name.
      state: whose params and model_state are compared.
    """
    wanted = named_leaves({"params": state.params, "model_state": state.model_state})
    fitting, misfits = {}, {}
    for name, leaf in wanted.items():
        array = arrays.get(name)
        if array is None:
            misfits[name] = "is missing"
        elif array.shape != leaf.shape:
            misfits[name] = f"is {_spoken(array.shape)} there and {_spoken(leaf.shape)} here"
        elif not _converts(array.dtype, leaf.dtype):
            misfits[name] = f"is {array.dtype} there and {leaf.dtype} here"
        else:
            fitting[name] = array.astype(leaf.dtype)
    misfits |= {name: "has no place here" for name in arrays if name not in wanted}
    return Comparison(fitting, misfits)


def placed(arrays: Mapping[str, np.ndarray], state: TrainState) -> tuple[Any, Any]:
    """Params and model_state of a state, with arrays in the place of those of their names."""

    def leaf(path: Sequence[Any], old: Any) -> Any:
        found = arrays.get(_name(path))
        return old if found is None else jnp.asarray(found)

    tree = {"params": state.params, "model_state": state.model_state}
    new = jax.tree_util.tree_map_with_path(leaf, tree)
    return new["params"], new["model_state"]


def is_whole(state: TrainState) -> bool:
    """Whether the moving average is of all parameters, not of one player's of two."""
    averaged, params = (jax.tree.structure(t) for t in (state.ema_params, state.params))
    return bool(averaged == params)  # type: ignore[operator]


def named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by their names, such as params/network/Dense_0/kernel."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    named = {_name(path): leaf for path, leaf in leaves}
    assert len(named) == len(leaves), "two leaves of one name"
    return named


def _name(path: Sequence[Any]) -> str:
    return jax.tree_util.keystr(tuple(path), simple=True, separator="/")


def evaluated_params(state: TrainState) -> Any:
    """The moving average where there is one; of two players, of whom one may have one, both."""
    if state.ema_params is None:
        return state.params
    return state.ema_params if is_whole(state) else {**state.params, **state.ema_params}


def _converts(given: np.dtype, wanted: np.dtype) -> bool:
    """Whether values keep their kind: floats of any width stay floats."""
    both_float = jnp.issubdtype(given, jnp.floating) and jnp.issubdtype(wanted, jnp.floating)
    return bool(both_float) or given == wanted


def _spoken(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
