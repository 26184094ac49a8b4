"""Sequences as strips: known frames, then rows of what came and of what was forecast."""

from collections.abc import Sequence

import numpy as np

from gm_jax.viz.grids import to_pixels
from gm_jax.viz.style import LINE, theme, write_texts

_CELL = 96  # pixels: smaller frames are enlarged to about this
_GAP = 3


def forecast_strip(
    context: np.ndarray,
    context_time: np.ndarray,
    times: np.ndarray,
    rows: Sequence[tuple[str, np.ndarray]],
    num_levels: int,
) -> np.ndarray:
    """Known frames and their times, and beside them rows of frames at the wanted times.

    Args:
      context: uint8 levels [N, H, W, C], C being 1 or 3.
      context_time: seconds, [N].
      times: seconds, [M].
      rows: names and frames, uint8 levels [M, H, W, C]: what came, the forecast, a baseline.
      num_levels: the levels are 0 .. num_levels - 1.

    Returns:
      uint8 [H', W', C].

    Raises:
      ValueError: a row has another number of frames than there are times.
    """
    for name, frames in rows:
        if len(frames) != len(times):
            raise ValueError(f"{name} has {len(frames)} frames for {len(times)} times")
    num, height, width, channels = context.shape
    scale = max(1, round(_CELL / max(height, width)))
    high, wide = height * scale + _GAP, width * scale + _GAP
    total_height = LINE + max(1, len(rows)) * (high + LINE) + _GAP
    total_width = (num + len(times)) * wide + LINE + _GAP
    sheet = np.full((total_height, total_width, channels), theme().paper, np.uint8)

    def place(frame: np.ndarray, top: int, left: int) -> None:
        pixels = to_pixels(frame, num_levels).repeat(scale, 0).repeat(scale, 1)
        sheet[top : top + high - _GAP, left : left + wide - _GAP] = pixels

    texts: list[tuple[int, int, str]] = []
    for i, (frame, second) in enumerate(zip(context, context_time, strict=True)):
        place(frame, 2 * LINE, _GAP + i * wide)
        texts.append((_GAP + i * wide, 0, spoken_time(second)))
    start = _GAP + num * wide + LINE
    for i, second in enumerate(times):
        texts.append((start + i * wide, 0, spoken_time(second)))
    for row, (name, frames) in enumerate(rows):
        top = LINE + row * (high + LINE)
        texts.append((start, top, name))
        for i, frame in enumerate(frames):
            place(frame, top + LINE, start + i * wide)
    return write_texts(sheet, texts)


def spoken_time(seconds: float) -> str:
    """Seconds as people say them: "-30 min", "0", "+1 h 30 min", "+4 s"."""
    if seconds == 0:
        return "0"
    sign, total = "+" if seconds > 0 else "-", abs(float(seconds))
    if total < 60:
        return f"{sign}{total:g} s"
    hours, minutes = divmod(round(total / 60), 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    return sign + " ".join(parts)
