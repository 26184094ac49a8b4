"""The wind of a storm, as a map of places to places: what turns, spreads and carries its clouds."""

import numpy as np


def angular_velocity(r: np.ndarray, spin: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Radians a second at a distance from the centre: spin / (1 + (r / core)^2)."""
    return spin / (1 + (r / core) ** 2)


def carried_back(
    x: np.ndarray,
    y: np.ndarray,
    age: np.ndarray,
    spin: np.ndarray,
    core: np.ndarray,
    outflow: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the air lay that is at (x, y) now, relative to the centre of the storm.

    The flow is dr/dt = outflow r, dφ/dt = spin / (1 + (r / core)^2), and is integrated exactly: to
    be carried for s and then for t seconds is to be carried for s + t.

    Args:
      x: half widths from the centre, to the right; float32, and so are all others.
      y: downwards.
      age: seconds; negative: where the air will be.
      spin: angular velocity in the centre, radians a second, from x to y.
      core: where it has fallen to half, half widths.
      outflow: by which the air spreads, 1 / second; not 0.

    Returns:
      x and y then.
    """
    q = (x * x + y * y) / (core * core)
    # ∫_0^age ds / (1 + q e^{-2 outflow s})
    time = np.log1p(np.expm1(2 * outflow * age) / (1 + q)) / (2 * outflow)
    angle = -spin * time
    shrink = np.exp(-outflow * age)
    cos, sin = np.cos(angle) * shrink, np.sin(angle) * shrink
    return cos * x - sin * y, sin * x + cos * y


def stretch(r: np.ndarray, age: np.ndarray, spin: np.ndarray, core: np.ndarray) -> np.ndarray:
    """How much finer the rotation has made a texture after so many seconds, at least 1.

    The larger singular value of the shear by s = |r dω/dr age|, which is (s + sqrt(s^2 + 4)) / 2.
    """
    q = (r / core) ** 2
    shear = np.abs(2 * q / (1 + q) ** 2 * spin * age)
    return (shear + np.sqrt(shear * shear + 4)) / 2
