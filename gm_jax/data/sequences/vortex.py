"""Storms by an analytic law: a vortex with spiral bands, at any time and of any size in pixels.

A picture covers [-1, 1]^2, x to the right and y downwards. Times t are in seconds, and at t = 0:

- The centre is at (x, y) and moves with a constant speed whose direction turns at a constant rate:
  c(t) = c(0) + ∫_0^t speed (cos, sin)(heading + turning s) ds.
- The bands turn like a rigid body: their angle is phase + rotation t.
- The storm grows and decays: I(t) = exp(-(t - peak_time)^2 / (2 lifetime^2)), and with it the
  cloud's brightness, its radius and the eye.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from gm_jax.data.sequences.storm_parameters import StormParameters

_AT_ONCE = 2**16  # pixels rendered at a time: what is half done stays in the processor's cache


@dataclasses.dataclass(frozen=True)
class Vortices(StormParameters):
    """The parameters of S storms, each float32 [S].

    Attributes:
      x: of the centre at t = 0, in half widths of the picture, to the right.
      y: of the centre at t = 0, downwards.
      speed: of the centre, half widths a second.
      heading: direction of the motion at t = 0, radians from x to y.
      turning: of the heading, radians a second.
      phase: angle of the bands at t = 0, radians.
      rotation: of the bands, radians a second; its sign is the sense that the bands wind in.
      arms: number of bands.
      pitch: radians by which a band winds while its radius grows by e.
      radius: of the cloud at its peak, half widths.
      eye: radius of the eye at the peak, in radii of the cloud.
      brightness: of the cloud at its peak.
      peak_time: when the storm is strongest, seconds.
      lifetime: standard deviation of its intensity over time, seconds.
      sea: level of the background, in [0, 1].
    """

    x: np.ndarray
    y: np.ndarray
    speed: np.ndarray
    heading: np.ndarray
    turning: np.ndarray
    phase: np.ndarray
    rotation: np.ndarray
    arms: np.ndarray
    pitch: np.ndarray
    radius: np.ndarray
    eye: np.ndarray
    brightness: np.ndarray
    peak_time: np.ndarray
    lifetime: np.ndarray
    sea: np.ndarray

    def centers(self, times: np.ndarray) -> np.ndarray:
        """Where the storms are at times [S, T], seconds: x and y, [S, T, 2]."""
        half_turn = self.turning[:, None] * times / 2
        # ∫_0^t (cos, sin)(h + w s) ds = t sinc(w t / 2) (cos, sin)(h + w t / 2)
        distance = self.speed[:, None] * times * np.sinc(half_turn / np.pi)
        direction = self.heading[:, None] + half_turn
        x = self.x[:, None] + distance * np.cos(direction)
        y = self.y[:, None] + distance * np.sin(direction)
        return np.stack([x, y], -1)

    def angles(self, times: np.ndarray) -> np.ndarray:
        """Angle of the bands at times [S, T], seconds: radians, [S, T]."""
        return self.phase[:, None] + self.rotation[:, None] * times

    def intensities(self, times: np.ndarray) -> np.ndarray:
        """Intensity at times [S, T], seconds: in (0, 1], [S, T]."""
        return np.exp(-0.5 * ((times - self.peak_time[:, None]) / self.lifetime[:, None]) ** 2)


def draw_vortices(
    stream: Callable[[str], np.random.Generator], num: int, interval: float
) -> Vortices:
    """Draws storms that change clearly within one to three intervals.

    Args:
      stream: gives the generator of a parameter by its name, so that each is drawn by itself: the
        first storms of many are those of few.
      num: S.
      interval: seconds, what the rates of change are measured by.

    Returns:
      The storms.
    """

    def uniform(name: str, low: float, high: float) -> np.ndarray:
        return stream(name).uniform(low, high, num).astype(np.float32)

    sense = np.where(uniform("sense", 0, 1) < 0.5, -1, 1).astype(np.float32)
    return Vortices(
        x=uniform("x", -0.25, 0.25),
        y=uniform("y", -0.25, 0.25),
        speed=uniform("speed", 0.06, 0.15) / np.float32(interval),
        heading=uniform("heading", 0, 2 * math.pi),
        turning=uniform("turning", -0.12, 0.12) / np.float32(interval),
        phase=uniform("phase", 0, 2 * math.pi),
        rotation=sense * uniform("rotation", 0.25, 0.75) / np.float32(interval),
        arms=np.floor(uniform("arms", 2, 3.999)),
        pitch=uniform("pitch", 1.5, 3.0),
        radius=uniform("radius", 0.35, 0.55),
        eye=uniform("eye", 0.25, 0.4),
        brightness=uniform("brightness", 1.2, 2.0),
        peak_time=uniform("peak_time", -5, 5) * np.float32(interval),
        lifetime=uniform("lifetime", 4, 7) * np.float32(interval),
        sea=uniform("sea", 0.08, 0.2),
    )


def render(storms: Vortices, times: np.ndarray, size: int) -> np.ndarray:
    """Pictures of storms at any times.

    Args:
      storms: S of them.
      times: [S, T], seconds.
      size: height and width in pixels.

    Returns:
      uint8 levels [S, T, size, size, 1].
    """
    times = np.asarray(times, np.float32)
    out = np.empty((*times.shape, size, size, 1), np.uint8)
    step = max(1, _AT_ONCE // max(1, times.shape[1] * size**2))
    for start in range(0, len(storms), step):
        part = slice(start, start + step)
        out[part] = _render(storms[part], times[part], size)
    return out


def _render(storms: Vortices, times: np.ndarray, size: int) -> np.ndarray:
    def wide(values: np.ndarray) -> np.ndarray:
        """[S] or [S, T] to [S, T or 1, 1, 1]."""
        return values.reshape(len(values), -1, 1, 1).astype(np.float32)

    line = ((2 * np.arange(size) + 1) / size - 1).astype(np.float32)  # centres of the pixels
    centers = storms.centers(times)  # [S, T, 2]
    dx, dy = line - wide(centers[..., 0]), line[:, None] - wide(centers[..., 1])
    intensity = storms.intensities(times)  # [S, T]
    radius = storms.radius[:, None] * (0.6 + 0.4 * intensity)
    r = np.sqrt(dx**2 + dy**2) / wide(radius)  # [S, T, H, W], in radii of the cloud

    # A logarithmic spiral: where the argument is constant, the angle grows with ln r, against the
    # sense of the rotation, so that the bands trail.
    spiral = np.arctan2(dy, dx) - wide(storms.angles(times))
    spiral += wide(np.sign(storms.rotation) * storms.pitch / storms.arms) * np.log(r + 0.15)
    bands = 0.5 + 0.5 * np.cos(wide(storms.arms) * spiral)

    wings = np.exp(-(r**2) / 3)
    core = wings**3  # exp(-r^2)
    outside = wings - core * core * core  # a ring, where the bands are
    eye = 1 - wide(intensity) * np.exp(-((r / wide(storms.eye)) ** 2))
    cloud = wide(storms.brightness[:, None] * intensity) * (0.8 * core * eye + outside * bands)
    light = 1 - np.exp(-np.maximum(cloud, 0))  # thick clouds saturate
    sea = wide(storms.sea)
    return np.rint(255 * (sea + (1 - sea) * light)).astype(np.uint8)[..., None]
