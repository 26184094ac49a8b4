"""The public sets that are prepared without TensorFlow: their licences, and who else has them."""

import os
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

from gm_jax.errors import UserError


class PublicSet(NamedTuple):
    """A set, as `gm-jax data prepare` introduces it.

    Attributes:
      name: as TFDS calls it, without a configuration.
      licence: in a few words, or that its authors state none.
      num_examples: in all splits together, by configuration; "" for a set that has none.
      mirrors: folders on the web that have the same files as the address TFDS has.
    """

    name: str
    licence: str
    num_examples: Mapping[str, int]
    mirrors: tuple[str, ...]

    @property
    def configs(self) -> tuple[str, ...]:
        """Of which one has to be chosen; none where there is one set only."""
        return tuple(config for config in self.num_examples if config)


_SETS = (
    PublicSet(
        "mnist",
        "CC BY-SA 3.0 (Yann LeCun and Corinna Cortes)",
        {"": 70_000},
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    ),
    PublicSet(
        "fashion_mnist",
        "MIT (Zalando SE)",
        {"": 70_000},
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
    ),
    PublicSet(
        "kmnist",
        "CC BY-SA 4.0 (ROIS-DS Center for Open Data in the Humanities)",
        {"": 70_000},
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    ),
    PublicSet(
        "emnist",
        "none stated (made from NIST Special Database 19)",
        {
            "balanced": 131_600,
            "byclass": 814_255,
            "bymerge": 814_255,
            "digits": 280_000,
            "letters": 103_600,
            "mnist": 70_000,
        },
        ("https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",),
    ),
    PublicSet(
        "cifar10",
        "none stated (Alex Krizhevsky asks for a citation)",
        {"": 60_000},
        (
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
            "http://www.cs.toronto.edu/~kriz/",
        ),
    ),
    PublicSet(
        "cifar100",
        "none stated (Alex Krizhevsky asks for a citation)",
        {"": 60_000},
        ("http://www.cs.toronto.edu/~kriz/",),
    ),
    PublicSet(
        "binarized_mnist",
        "none stated (made from MNIST)",
        {"": 70_000},
        ("https://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",),
    ),
    PublicSet(
        "omniglot",
        "MIT (Brenden Lake)",
        {"": 38_300},
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
