"""Finds and opens datasets that TFDS has prepared as array_record; needs no TensorFlow."""

import difflib
import json
import pathlib
import re
from typing import Any, NamedTuple

from gm_jax.data.store.places import data_dirs
from gm_jax.errors import UserError, one_line

IMAGE_FOLDER = "image_folder"
"""Preparations of images of one's own are called this, "/" and more."""

_NAME = re.compile(r"[a-z]\w*(/[\w.-]+)?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


class Prepared(NamedTuple):
    """A dataset lying prepared in a folder.

    Attributes:
      name: as TFDS calls it, with its configuration if it has any ("celeb_a_hq/256").
      version: "3.0.1".
      path: the folder of this version.
      splits: the number of examples of each split.
      file_format: "array_record" can be read; "tfrecord" cannot.
    """

    name: str
    version: str
    path: pathlib.Path
    splits: dict[str, int]
    file_format: str

    def __str__(self) -> str:
        sizes = " · ".join(f"{split} {size:,}" for split, size in self.splits.items())
        return f"{self.name} {self.version} in {self.path} ({sizes})"


def check_name(name: str) -> None:
    """Raises UserError unless `name` can be the name of a dataset."""
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is not the name of a dataset (for example mnist or cifar10)")


def check_known(name: str) -> None:
    """Raises UserError, with the nearest names, unless TFDS can prepare a dataset of this name."""
    import tensorflow_datasets as tfds

    known = tfds.list_builders(with_community_datasets=False)
    if (base := name.split("/")[0]) not in known:
        near = difflib.get_close_matches(base, known, n=3)
        raise UserError(
            f"TFDS has no dataset {base}, and none is prepared in {_looked()}"
            + (f"; did you mean {' or '.join(near)}?" if near else "")
        )


def _looked() -> str:
    return ", ".join(map(str, data_dirs()))


def read_prepared(path: pathlib.Path, name: str) -> Prepared:
    """What the folder of one version holds, from its dataset_info.json.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        info = json.loads((path / "dataset_info.json").read_text())
        splits = {s["name"]: sum(int(n) for n in s["shardLengths"]) for s in info["splits"]}
        return Prepared(name, path.name, path, splits, info.get("fileFormat", "tfrecord"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(name, path, error) from error


def _versions(folder: pathlib.Path) -> list[pathlib.Path]:
    """The folders of versions in `folder`, newest first."""
    try:
        found = [p for p in folder.iterdir() if _VERSION.fullmatch(p.name)]
    except OSError:
        return []
    found = [p for p in found if (p / "dataset_info.json").exists()]
    return sorted(found, key=lambda p: tuple(map(int, p.name.split("."))), reverse=True)


def find_prepared(
    name: str, version: str | None = None, dirs: tuple[pathlib.Path, ...] | None = None
) -> Prepared | None:
    """The newest version of `name` in the first of `dirs` that has it; None if none has.

    Args:
      name: of the dataset, with a configuration if need be ("celeb_a_hq/256").
      version: only this one.
      dirs: `data_dirs()` unless given.

    Raises:
      UserError: `name` cannot be a name, or what was found is damaged.
    """
    check_name(name)
    for folder in data_dirs() if dirs is None else dirs:
        for path in _versions(folder / name):
            if version in (None, path.name):
                return read_prepared(path, name)
    return None


def list_prepared() -> list[Prepared]:
    """Every prepared dataset in the data directories; damaged ones are passed over."""
    found: dict[pathlib.Path, Prepared] = {}
    for folder in data_dirs():
        if not folder.is_dir():
            continue
        infos = [*folder.glob("*/*/dataset_info.json"), *folder.glob("*/*/*/dataset_info.json")]
        for path in sorted(info.parent for info in infos):
            name = path.parent.relative_to(folder).as_posix()
            if not (_VERSION.fullmatch(path.name) and _NAME.fullmatch(name)):
                continue
            try:
                found.setdefault(path.resolve(), read_prepared(path, name))
            except UserError:
                continue
    return list(found.values())


def require_prepared(name: str, version: str | None = None) -> Prepared:
    """As `find_prepared`, but it has to be there and to be readable.

    Raises:
      UserError: names the folders looked in and the command that prepares the dataset.
    """
    prepared = find_prepared(name, version)
    if prepared is None:
        check_known(name)
        wanted = name if version is None else f"{name} {version}"
        raise UserError(f"{wanted} is not prepared in {_looked()}; run: gm-jax data prepare {name}")
    if prepared.file_format != "array_record":
        raise UserError(
            f"{name} in {prepared.path} is prepared as {prepared.file_format}, which needs "
            f"TensorFlow to read; move it away and run: gm-jax data prepare {name}"
        )
    return prepared


def open_builder(prepared: Prepared) -> Any:
    """The read-only TFDS builder of a preparation.

    Raises:
      UserError: the folder is damaged.
    """
    import tensorflow_datasets as tfds

    try:
        return tfds.builder_from_directory(prepared.path)
    except Exception as error:  # from KeyError to protobuf's own
        raise damaged(prepared, error) from error


def damaged(prepared: Prepared, error: BaseException) -> UserError:
    """The one line for a preparation that cannot be read."""
    return _damaged(prepared.name, prepared.path, error)


def _damaged(name: str, path: pathlib.Path, error: BaseException) -> UserError:
    prepare = f"run: gm-jax data prepare {name}"
    again = "give the same command again" if name.startswith(f"{IMAGE_FOLDER}/") else prepare
    return UserError(
        f"the preparation of {name} in {path} is damaged ({one_line(error)}); "
        f"delete that folder and {again}"
    )
