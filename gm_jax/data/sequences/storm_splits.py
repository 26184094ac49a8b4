"""Windows of a storm by time: what is earlier is learned from, what is later is tested on."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class TimeSplit:
    """Cuts every storm along time: train, a gap, validation, a gap, test.

    No frame is in two splits: wanted frames lie in the part of their split, known ones there or in
    the gap before it. Of T frames, round(fraction * T) are a part's, and at least as many as one
    window needs; what is left before the first gap is train's.

    Attributes:
      context: known frames of a window, N.
      targets: wanted frames of a window, M.
      gap: frames between two parts, of which no frame is wanted.
      valid_fraction: of a storm's frames, for "validation"; 0: there is none, and no gap before it.
      test_fraction: likewise for "test".
    """

    context: int
    targets: int
    gap: int
    valid_fraction: float
    test_fraction: float

    def parts(self, num_frames: int) -> dict[str, range]:
        """The frames that may be wanted in each split; for train, that may be known, too.

        Args:
          num_frames: of the storm, T.

        Returns:
          By split; "train" is shorter than a window, or empty, where the storm is too short.
        """
        fractions = {"validation": self.valid_fraction, "test": self.test_fraction}
        # Where the gap does not hold all known frames of a window, its part has to.
        least = self.targets + self.context - min(self.gap, self.context)
        end, parts = num_frames, {}
        for name, fraction in reversed(fractions.items()):
            if fraction > 0:
                begin = end - max(least, round(fraction * num_frames))
                parts[name] = range(begin, end)
                end = begin - self.gap
        return {"train": range(max(end, 0)), **dict(reversed(parts.items()))}

    def fits(self, num_frames: int) -> bool:
        """Whether a storm of so many frames has a window in every split."""
        return len(self.parts(num_frames)["train"]) >= self.context + self.targets

    def starts(self, num_frames: int, stride: int) -> dict[str, np.ndarray]:
        """The first frames of the windows of each split, for a storm that fits.

        Args:
          num_frames: of the storm, T.
          stride: frames between the beginnings of two windows.
        """
        first = {
            name: 0 if name == "train" else part.start - min(self.gap, self.context)
            for name, part in self.parts(num_frames).items()
        }
        return {
            name: np.arange(first[name], part.stop - self.context - self.targets + 1, stride)
            for name, part in self.parts(num_frames).items()
        }
