"""Prepares a public set from its original files, as TFDS would."""

import contextlib
import io
import pathlib
from collections.abc import Callable

from gm_jax.data.store.making import making
from gm_jax.data.store.places import short_path
from gm_jax.data.store.prepared import find_prepared
from gm_jax.data.store.public.downloads import Paths, download, files_in, one_at_a_time
from gm_jax.data.store.public.files import original_files
from gm_jax.data.store.public.sets import PublicSet, is_offline
from gm_jax.data.store.threads import progress_bar
from gm_jax.errors import UserError, one_line


def prepare_public(
    public: PublicSet, name: str, target: pathlib.Path, given: pathlib.Path | None = None
) -> None:
    """Downloads a public set and prepares it in `target`; several processes may do so at once.

    What is downloaded is removed when the set is prepared, and kept until then.

    Args:
      public: the set.
      name: the same, with its configuration if it has any.
      target: a folder that is there and can be written to.
      given: a folder that has the original files: then nothing is downloaded.

    Raises:
      UserError: a file cannot be had, or nothing may be downloaded; the disk is full.
    """
    files = original_files(public)
    if given is not None:
        _make(public, name, target, files_in(given, files, name))
        return
    if is_offline():
        raise UserError(
            f"GM_JAX_OFFLINE is set, so that {name} is not downloaded: unset it, "
            f"or give a folder that has {', '.join(file.name for file in files)}",
            "--from FOLDER",
        )
    with one_at_a_time(public.name, target) as folder:
        if _is_there(name, target):  # another process made it meanwhile
            return
        _make(public, name, target, download(files, folder, public.name))
        for file in files:
            (folder / file.name).unlink(missing_ok=True)


def _is_there(name: str, target: pathlib.Path) -> bool:
    found = find_prepared(name, dirs=(target,))
    return found is not None and found.file_format == "array_record"


def _make(public: PublicSet, name: str, target: pathlib.Path, files: Paths) -> None:
    """Prepares a set from its files.

    Raises:
      UserError: it cannot be written, or a file is not as it should be.
    """
    total = public.num_examples[name.partition("/")[2]]
    try:
        with progress_bar(name, total) as advance, contextlib.redirect_stdout(io.StringIO()):
            _write(name, target, files, advance)
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise UserError(f"{name} cannot be prepared in {short_path(target)}: {reason}") from error


def _write(name: str, target: pathlib.Path, files: Paths, advance: Callable[[int], None]) -> None:
    import tensorflow_datasets as tfds

    from gm_jax.data.store.public.builders import BUILDERS

    tfds.disable_progress_bar()
    base, _, config = name.partition("/")
    builder = BUILDERS[base]
    # The version's folder alone, since another version may be there already.
    place = f"{name}/{builder.VERSION}"
    with making(target, place, lambda: _is_there(name, target)) as aside:
        builder(
            files=files, advance=advance, config=config or None, data_dir=aside
        ).download_and_prepare(file_format="array_record")
