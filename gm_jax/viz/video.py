"""Frames as an .mp4 file, by the program ffmpeg."""

import contextlib
import math
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gm_jax.errors import UserError
from gm_jax.whole_file import replacing

_FEWEST = 10  # frames a second: slower videos stutter or fail in some players


def check_video(out: Path) -> str:
    """Where ffmpeg is.

    Raises:
      UserError: where it is missing.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise UserError(f"{out} needs the program ffmpeg, which is not there: give a .gif instead")
    return program


def save_video(out: Path, frames: Sequence[np.ndarray], seconds: Sequence[float]) -> None:
    """Writes frames as H.264 (or what this ffmpeg makes of .mp4); whole or not at all.

    Args:
      out: the .mp4 to write.
      frames: uint8 [H, W, 1 or 3] each, of one shape; an odd side gains a line of its last pixels.
      seconds: how long each is shown, in multiples of the shortest, to which it is rounded.

    Raises:
      UserError: where ffmpeg is missing, or fails.
      OSError: where the folder is missing or cannot be written.
    """
    program = check_video(out)
    unit = min(seconds)
    copies = max(1, math.ceil(_FEWEST * unit))  # of each frame in its shortest time
    height, width = (side + side % 2 for side in frames[0].shape[:2])
    # fmt: off
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
             "-framerate", f"{copies / unit:.6f}", "-i", "-"]
    wanted = ["-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"]
    # fmt: on
    with replacing(out) as aside, tempfile.TemporaryFile() as complaint:
        command = [program, "-y", "-loglevel", "error", *given, *wanted, str(aside.absolute())]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaint
        ) as process:
            assert process.stdin is not None
            # A broken pipe: it stopped before the end, and has said why.
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
                for frame, shown in zip(frames, seconds, strict=True):
                    pixels = _even_rgb(frame).tobytes()
                    for _ in range(copies * round(shown / unit)):
                        pipe.write(pixels)
        if process.returncode or not aside.exists():
            complaint.seek(0)
            words = complaint.read().decode(errors="replace").strip().splitlines()
            reason = words[-1] if words else f"exit code {process.returncode}"
            raise UserError(f"ffmpeg did not write {out} ({reason}): give a .gif instead")


def _even_rgb(frame: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 1 or 3] as [H', W', 3] with even sides, which yuv420p needs."""
    height, width, channels = frame.shape
    even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return even.repeat(3 // channels, axis=2)
