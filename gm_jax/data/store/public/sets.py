"""The public sets that are prepared without TensorFlow: their licences, and who else has them."""

import os
import urllib.parse
from typing import NamedTuple

from gm_jax.errors import UserError


class PublicSet(NamedTuple):
    """A set, as `gm-jax data prepare` introduces it.

    Attributes:
      name: as TFDS calls it, without a configuration.
      licence: in a few words, or that its authors state none.
      mirrors: folders on the web that have the same files as the address TFDS has.
      configs: which of them there are, for a set of which several are made.
    """

    name: str
    licence: str
    mirrors: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()


_SETS = (
    PublicSet(
        "mnist",
        "CC BY-SA 3.0 (Yann LeCun and Corinna Cortes)",
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    ),
    PublicSet(
        "fashion_mnist",
        "MIT (Zalando SE)",
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
    ),
    PublicSet(
        "kmnist",
        "CC BY-SA 4.0 (ROIS-DS Center for Open Data in the Humanities)",
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    ),
    PublicSet(
        "emnist",
        "none stated (made from NIST Special Database 19)",
        ("https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",),
        ("balanced", "byclass", "bymerge", "digits", "letters", "mnist"),
    ),
    PublicSet(
        "cifar10",
        "none stated (Alex Krizhevsky asks for a citation)",
        (
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
            "http://www.cs.toronto.edu/~kriz/",
        ),
    ),
    PublicSet(
        "cifar100",
        "none stated (Alex Krizhevsky asks for a citation)",
        ("http://www.cs.toronto.edu/~kriz/",),
    ),
    PublicSet(
        "binarized_mnist",
        "none stated (made from MNIST)",
        ("https://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",),
    ),
    PublicSet(
        "omniglot",
        "MIT (Brenden Lake)",
        ("https://raw.githubusercontent.com/brendenlake/omniglot/master/python/",),
    ),
)
PUBLIC_SETS = {public.name: public for public in _SETS}


def public_set(name: str) -> PublicSet | None:
    """The set of this name, which may have a configuration behind it; None if it is not ours.

    Raises:
      UserError: there is no such configuration, or one has to be chosen.
    """
    base, _, config = name.partition("/")
    public = PUBLIC_SETS.get(base)
    if public is None or (not public.configs and not config):
        return public
    if not public.configs:
        raise UserError(f"{base} has no configurations: say {base} instead of {name}")
    if config not in public.configs:
        what = f"no {name}" if config else f"no {base} as such"
        raise UserError(
            f"there is {what}: say {base}/{public.configs[0]}, "
            f"or another of {', '.join(public.configs)}"
        )
    return public


def own_mirrors(public: PublicSet) -> tuple[str, ...]:
    """Where the user has the files of a set: GM_JAX_MIRROR/NAME/, asked before all others.

    Raises:
      UserError: GM_JAX_MIRROR is no address on the web.
    """
    mirrors = os.environ.get("GM_JAX_MIRROR", "").split()
    for mirror in mirrors:
        parts = urllib.parse.urlsplit(mirror)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"GM_JAX_MIRROR must be http://... or https://..., not {mirror}")
    return tuple(f"{mirror.rstrip('/')}/{public.name}/" for mirror in mirrors)


def is_offline() -> bool:
    """Whether GM_JAX_OFFLINE forbids to download anything."""
    return os.environ.get("GM_JAX_OFFLINE", "") not in ("", "0")
