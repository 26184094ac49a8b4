"""What turns a builder of TFDS into one that needs no TensorFlow."""

import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Keyed = tuple[int | str, dict[str, Any]]
"""An example as TFDS takes it, with its key: a hash of it says where the example comes."""


class FromFiles:
    """To be derived from, before a builder of TFDS, which keeps its name, version and features.

    The files are read here, and images handed over as PNG, because TFDS reads and encodes with
    TensorFlow. The keys are TFDS's own, so that the order of the examples is too.
    """

    def __init_subclass__(cls, **rest: Any) -> None:
        # TFDS's registry has its own builder under this name.
        super().__init_subclass__(skip_registration=True, **rest)  # type: ignore[call-arg]

    def __init__(
        self, *, files: Mapping[str, pathlib.Path], advance: Callable[[int], None], **rest: Any
    ):
        """As any builder.

        Args:
          files: the originals, by name.
          advance: is told how many examples more there are.
          rest: where to write, and the configuration.
        """
        self._files, self._advance = files, advance
        # So that what is written names TFDS's module, and checksums are found.
        self.__module__ = type(self).__bases__[-1].__module__
        super().__init__(**rest)

    def _counted(self, examples: Iterable[Keyed]) -> Iterator[Keyed]:
        for example in examples:
            yield example
            self._advance(1)
