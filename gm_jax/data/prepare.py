"""Downloads and prepares public datasets, and says what is there (`gm-jax data ...`)."""

import dataclasses
import importlib.util
import pathlib
import socket
import urllib.parse
import urllib.request
from typing import Any

from gm_jax.data.sets.digits import DIGITS_NAME, prepare_digits
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.places import data_dirs, short_path, writable_dir
from gm_jax.data.store.prepared import (
    Prepared,
    check_known,
    check_name,
    find_prepared,
    list_prepared,
    require_prepared,
)
from gm_jax.data.store.public.files import original_files
from gm_jax.data.store.public.preparation import prepare_public
from gm_jax.data.store.public.sets import PUBLIC_SETS, PublicSet, is_offline, public_set
from gm_jax.data.store.tfds import prepared_spec
from gm_jax.errors import UserError, one_line

__all__ = ["Description", "describe", "introduce", "list_prepared", "prepare"]


@dataclasses.dataclass(frozen=True)
class Description:
    """What `gm-jax data info` says.

    Attributes:
      prepared: name, version, path and the sizes of the splits.
      spec: of the images as they are stored; shape [0, 0, C] where they differ in size.
      num_bytes: on disk.
    """

    prepared: Prepared
    spec: DataSpec
    num_bytes: int

    def __str__(self) -> str:
        height, width, channels = self.spec.shape
        size = (
            f"{height}x{width}x{channels}" if height else f"of several sizes, {channels} channels"
        )
        classes = self.spec.num_classes
        labels = "no labels" if classes is None else f"{classes} classes"
        return (
            f"{self.prepared}\n"
            f"images {size}, {self.spec.num_levels} levels, {labels}; "
            f"{self.num_bytes / 1e6:,.1f} MB on disk"
        )


def describe(name: str, version: str | None = None) -> Description:
    """What is known of a prepared dataset.

    Raises:
      UserError: it is not prepared, damaged, or no image dataset.
    """
    if name == DIGITS_NAME and find_prepared(name) is None:
        prepare_digits()
    prepared = require_prepared(name, version)
    spec = prepared_spec(prepared, num_levels=17 if name == DIGITS_NAME else 256)
    num_bytes = sum(file.stat().st_size for file in prepared.path.iterdir())
    return Description(prepared, spec, num_bytes)


def introduce(
    name: str, data_dir: pathlib.Path | str | None = None, files: pathlib.Path | str | None = None
) -> str | None:
    """What is said before `prepare` with the same arguments: size, source, licence, place.

    Returns:
      Lines; None where nothing will be prepared, or by TFDS with TensorFlow.

    Raises:
      UserError: as `prepare` does.
    """
    public = _public(name)
    if public is None or _find(name, data_dir) is not None or (is_offline() and files is None):
        return None
    originals = original_files(public)
    size = sum(file.size for file in originals)
    sources = list(dict.fromkeys(urllib.parse.urlsplit(u).netloc for u in originals[0].urls))
    first, *others = sources
    where = f"from {first}" + (f", else {', '.join(others)}" if others else "")
    where = where if files is None else f"in {files}"
    return (
        f"{name}: {len(originals)} {'file' if len(originals) == 1 else 'files'}, "
        f"{size / 1e6:,.1f} MB, {where}\n"
        f"licence: {public.licence}\n"
        f"into {short_path(writable_dir(_dirs(data_dir)))}"
    )


def prepare(
    name: str, data_dir: pathlib.Path | str | None = None, files: pathlib.Path | str | None = None
) -> str:
    """Downloads a public TFDS dataset and prepares it as array_record.

    MNIST, Fashion-MNIST, KMNIST, EMNIST, CIFAR-10, CIFAR-100, the fixed binarized MNIST and
    Omniglot need nothing else; TFDS's others need TensorFlow.

    Args:
      name: as TFDS calls it.
      data_dir: where to put it; the first data directory that can be written to unless given.
      files: a folder that has the original files, so that nothing is downloaded.

    Returns:
      One line that says what is prepared now, and whether it was before.

    Raises:
      UserError: TFDS knows no such dataset, TensorFlow is not installed, the network cannot be
        reached, or the dataset cannot be prepared.
    """
    public = _public(name)
    if public is None and files is not None:
        raise UserError(
            f"{name} cannot be prepared from a folder: only {', '.join(PUBLIC_SETS)} can", "--from"
        )
    prepared = _find(name, data_dir)
    if prepared is not None:
        return f"already prepared: {prepared}"
    folder = writable_dir(_dirs(data_dir))
    if name == DIGITS_NAME:
        return f"prepared {prepare_digits(folder)}"
    if public is not None:
        given = None if files is None else pathlib.Path(files).expanduser()
        prepare_public(public, name, folder, given)
    else:
        check_known(name)
        if importlib.util.find_spec("tensorflow") is None:
            raise UserError(
                f"preparing {name} needs TensorFlow; install it with: pip install 'gm_jax[tfds]'"
            )
        _download_and_prepare(name, folder)
    prepared = _find(name, folder)
    if prepared is None:
        raise UserError(
            f"{folder} holds another preparation of {name}, which is in the way; "
            "move it or give another data_dir",
            "--data-dir",
        )
    return f"prepared {prepared}"


def _dirs(data_dir: pathlib.Path | str | None) -> tuple[pathlib.Path, ...]:
    return data_dirs() if data_dir is None else (pathlib.Path(data_dir).expanduser(),)


def _find(name: str, data_dir: pathlib.Path | str | None) -> Prepared | None:
    """What can be read of a dataset already."""
    prepared = find_prepared(name, dirs=_dirs(data_dir))
    return prepared if prepared is not None and prepared.file_format == "array_record" else None


def _public(name: str) -> PublicSet | None:
    check_name(name)
    return public_set(name)


def _download_and_prepare(name: str, folder: pathlib.Path) -> None:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    try:
        builder = tfds.builder(name, data_dir=folder)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"TFDS cannot make {name}: {one_line(error)}") from error
    _check_network(name, builder)
    try:
        builder.download_and_prepare(file_format="array_record")
    except OSError as error:  # also what requests raises
        raise UserError(
            f"{name} could not be downloaded or written to {folder}: {one_line(error)}"
        ) from error
    except ImportError as error:
        raise UserError(f"preparing {name} needs another package: {one_line(error)}") from error
    except (AssertionError, NonMatchingChecksumError, tfds.download.DownloadError) as error:
        # A checksum that has changed, or files that have to be fetched by hand.
        raise UserError(f"{name} could not be prepared: {one_line(error)}") from error


def _check_network(name: str, builder: Any) -> None:
    """Raises UserError where no server of the dataset is found: TFDS would try for minutes."""
    if urllib.request.getproxies():  # names are looked up by the proxy
        return
    hosts = {urllib.parse.urlsplit(url).hostname for url in builder.url_infos} - {None}
    for host in hosts:
        try:
            socket.getaddrinfo(host, 443)
            return
        except OSError:
            continue
    if hosts:
        raise UserError(
            f"{name} cannot be downloaded: no network, or no server at "
            f"{', '.join(sorted(map(str, hosts)))}"
        )
