"""The original files of public sets: addresses, sizes and digests, as TFDS has registered them."""

from typing import NamedTuple

from gm_jax.data.store.public.sets import PublicSet, own_mirrors


class OriginalFile(NamedTuple):
    """A file that a set is made from.

    Attributes:
      name: of the file, the last part of its address.
      size: bytes.
      sha256: of its content, hexadecimal.
      urls: where it is, in the order in which they are asked.
    """

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]


def original_files(public: PublicSet) -> tuple[OriginalFile, ...]:
    """All files that a set is made from.

    Raises:
      UserError: GM_JAX_MIRROR is no address on the web.
    """
    own = own_mirrors(public)
    return tuple(
        OriginalFile(
            name,
            size,
            sha256,
            (*(f + name for f in own), url, *(f + name for f in public.mirrors)),
        )
        for url, name, size, sha256 in registered(public.name)
    )


def registered(name: str) -> tuple[tuple[str, str, int, str], ...]:
    """What the installed TFDS checks downloads of a set by: address, file name, bytes, SHA-256."""
    import tensorflow_datasets as tfds

    return tuple(
        (url, url.rsplit("/", 1)[-1], int(info.size), info.checksum)
        for url, info in tfds.builder_cls(name).url_infos.items()
    )
