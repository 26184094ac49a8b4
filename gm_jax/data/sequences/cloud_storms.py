"""Storms of clouds with texture of every scale, at any time and of any size in pixels.

A picture covers [-1, 1]^2, x to the right and y downwards, and times are in seconds, as those of
`vortex`. From below:

- Sea, perhaps land, and low clouds, which never change.
- The storm's clouds. Their thickness is a law of the distance from the centre and of spiral bands
  that turn, plus texture. The texture is carried by the wind of `cloud_flow`, which turns faster
  inside than outside, and so is wound up. It never gets too thin: two textures are carried, each
  fades in and out, and begins anew while it cannot be seen (as in the flow noise of Perlin & Neyret
  2001).
- Towers of cloud that rise, spread, are carried by the wind, and vanish.
- A camera: brightness, contrast and gamma are those of the storm; a few are shown as negatives.

All distances are taken in a plane that is bent a little, so that nothing is round.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from gm_jax.data.sequences.cloud_flow import angular_velocity, carried_back, stretch
from gm_jax.data.sequences.cloud_texture import LOWEST, NUM_OCTAVES, mixed, texture, visible
from gm_jax.data.sequences.storm_parameters import StormParameters

LAW = 1
"""Goes up when a storm looks otherwise than before: pictures that were kept are made anew."""

_AT_ONCE = 2**15  # pixels rendered at a time: what is half done stays in the processor's cache
_TOWERS = 4
_BENDS = 3


@dataclasses.dataclass(frozen=True)
class CloudStorms(StormParameters):
    """The parameters of S storms, each [S, ...], float32 unless it is said otherwise.

    Attributes:
      number: of the textures, uint32.
      x: of the centre at t = 0, half widths of the picture, to the right.
      y: of the centre at t = 0, downwards.
      velocity: of the centre, half widths a second, [S, 2].
      bend: how far the plane is bent by each wave, half widths, [S, 3].
      bend_wave: radians a half width, x and y, [S, 3, 2].
      bend_phase: radians, [S, 3].
      spin: angular velocity of the wind in the centre, radians a second; of either sign.
      core: radius at which it has fallen to half, half widths.
      outflow: by which the wind spreads, 1 / second.
      lifetime: of a texture, seconds.
      birth: when one began, in lifetimes before t = 0, in [0, 1).
      smoothness: by which octaves get weaker: each by 2^-smoothness.
      roughness: standard deviation of the texture's thickness.
      cover: thickness of the cloud around the storm.
      thickness: of the storm, in the middle.
      radius: of the storm, half widths.
      sharpness: exponent of its edge.
      offset: from the centre of the wind to that of the clouds, half widths, [S, 2].
      arms: number of spiral bands.
      pitch: radians by which a band winds while its radius grows by e.
      banding: thickness of the bands.
      phase: their angle at t = 0, radians.
      eye: its radius, half widths; 0: there is none.
      pulse: relative change of thickness and radius over time.
      pulse_rate: radians a second.
      pulse_phase: radians.
      tower_time: when each tower begins, seconds, [S, 4].
      tower_place: x and y of it then, half widths from the centre, [S, 4, 2].
      tower_radius: at most, half widths, [S, 4].
      tower_life: seconds, [S, 4].
      sea: level of the sea, in [0, 1].
      low_clouds: brightness of those below the storm.
      land: brightness of land; 0: there is none.
      slope: of the light over the picture, to the right and downwards, [S, 2].
      top: level of the thickest cloud; thin ones have 0.7 of it.
      gamma: of the camera.
      contrast: of the camera, in (0, 1].
      black: level of black.
      negative: whether cold is dark, bool.
    """

    number: np.ndarray
    x: np.ndarray
    y: np.ndarray
    velocity: np.ndarray
    bend: np.ndarray
    bend_wave: np.ndarray
    bend_phase: np.ndarray
    spin: np.ndarray
    core: np.ndarray
    outflow: np.ndarray
    lifetime: np.ndarray
    birth: np.ndarray
    smoothness: np.ndarray
    roughness: np.ndarray
    cover: np.ndarray
    thickness: np.ndarray
    radius: np.ndarray
    sharpness: np.ndarray
    offset: np.ndarray
    arms: np.ndarray
    pitch: np.ndarray
    banding: np.ndarray
    phase: np.ndarray
    eye: np.ndarray
    pulse: np.ndarray
    pulse_rate: np.ndarray
    pulse_phase: np.ndarray
    tower_time: np.ndarray
    tower_place: np.ndarray
    tower_radius: np.ndarray
    tower_life: np.ndarray
    sea: np.ndarray
    low_clouds: np.ndarray
    land: np.ndarray
    slope: np.ndarray
    top: np.ndarray
    gamma: np.ndarray
    contrast: np.ndarray
    black: np.ndarray
    negative: np.ndarray


def draw_cloud_storms(
    stream: Callable[[str], np.random.Generator], num: int, interval: float
) -> CloudStorms:
    """Draws storms that change clearly within one to three intervals.

    Args:
      stream: gives the generator of a parameter by its name, so that each is drawn by itself: the
        first storms of many are those of few.
      num: S.
      interval: seconds, what the rates of change are measured by.

    Returns:
      The storms.
    """
    second = np.float32(1 / interval)

    def uniform(name: str, low: float, high: float, *shape: int) -> np.ndarray:
        return stream(name).uniform(low, high, (num, *shape)).astype(np.float32)

    def log_uniform(name: str, low: float, high: float, *shape: int) -> np.ndarray:
        return np.exp(uniform(name, math.log(low), math.log(high), *shape))

    def happens(name: str, probability: float, *shape: int) -> np.ndarray:
        return uniform(name, 0, 1, *shape) < probability

    def vectors(name: str, length: np.ndarray) -> np.ndarray:
        angle = uniform(name, 0, 2 * math.pi, *length.shape[1:])
        return length[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)

    spin = log_uniform("spin", 0.15, 0.7)
    radius = uniform("radius", 0.35, 0.95)
    outflow = uniform("outflow", -0.004, 0.02)
    # Not wound up by more than a shear of 5 in the place where the wind winds most.
    lifetime = np.minimum(uniform("lifetime", 25, 50), 10 / spin)
    return CloudStorms(
        number=stream("number").integers(0, 2**32, num, np.uint32),
        x=uniform("x", -0.2, 0.2),
        y=uniform("y", -0.2, 0.2),
        velocity=vectors("heading", 0.06 * uniform("speed", 0, 1) ** 2) * second,
        bend=uniform("bend", 0.01, 0.07, _BENDS),
        bend_wave=vectors("bend_wave", uniform("bend_number", 1.5, 4, _BENDS)),
        bend_phase=uniform("bend_phase", 0, 2 * math.pi, _BENDS),
        spin=np.where(happens("sense", 0.5), spin, -spin) * second,
        core=log_uniform("core", 0.18, 0.7),
        outflow=np.where(np.abs(outflow) < 1e-3, np.float32(1e-3), outflow) * second,
        lifetime=lifetime / second,
        birth=uniform("birth", 0, 1),
        smoothness=uniform("smoothness", 0.55, 0.95),
        roughness=uniform("roughness", 0.3, 0.75),
        cover=uniform("cover", -0.35, 0.65),
        thickness=uniform("thickness", 0.5, 1.4),
        radius=radius,
        sharpness=uniform("sharpness", 1.5, 4.0),
        offset=vectors("offset_angle", 0.3 * radius * uniform("offset", 0, 1)),
        arms=np.floor(uniform("arms", 1, 3.999)),
        pitch=uniform("pitch", 1.5, 4.0),
        banding=uniform("banding", 0.0, 0.6),
        phase=uniform("phase", 0, 2 * math.pi),
        eye=np.where(happens("has_eye", 0.3), uniform("eye", 0.03, 0.12), np.float32(0)),
        pulse=uniform("pulse", 0.0, 0.2),
        pulse_rate=uniform("pulse_rate", 0.05, 0.2) * second,
        pulse_phase=uniform("pulse_phase", 0, 2 * math.pi),
        tower_time=uniform("tower_time", -16, 14, _TOWERS) / second,
        tower_place=vectors(
            "tower_angle", radius[:, None] * np.sqrt(uniform("tower_place", 0, 1, _TOWERS))
        ),
        tower_radius=uniform("tower_radius", 0.03, 0.18, _TOWERS)
        * happens("has_tower", 0.6, _TOWERS),
        tower_life=uniform("tower_life", 4, 12, _TOWERS) / second,
        sea=uniform("sea", 0.03, 0.22),
        low_clouds=uniform("low_clouds", 0.0, 0.3),
        land=np.where(happens("has_land", 0.25), uniform("land", 0.08, 0.25), np.float32(0)),
        slope=uniform("slope", -0.06, 0.06, 2),
        top=uniform("top", 0.9, 1.1),
        gamma=log_uniform("gamma", 0.75, 1.33),
        contrast=uniform("contrast", 0.8, 1.0),
        black=uniform("black", 0.0, 1.0),
        negative=happens("negative", 0.1),
    )


def render_clouds(storms: CloudStorms, times: np.ndarray, size: int) -> np.ndarray:
    """Pictures of storms at any times; octaves that the pixels cannot show are left out.

    Args:
      storms: S of them.
      times: [S, T], seconds.
      size: height and width in pixels.

    Returns:
      uint8 levels [S, T, size, size, 1].
    """
    times = np.asarray(times, np.float32)
    out = np.empty((*times.shape, size, size, 1), np.uint8)
    line = ((2 * np.arange(size) + 1) / size - 1).astype(np.float32)  # centres of the pixels
    rows = max(1, min(size, _AT_ONCE // (size * max(1, times.shape[1]))))
    step = max(1, _AT_ONCE // max(1, times.shape[1] * size**2))
    for start in range(0, len(storms), step):
        part = slice(start, start + step)
        for top in range(0, size, rows):
            band = slice(top, top + rows)
            levels = _levels(storms[part], times[part], line, line[band], size)
            out[part, :, band, :, 0] = np.rint(255 * levels)
    return out


def _wide(values: np.ndarray) -> np.ndarray:
    """[S] or [S, T] to float32 [S, T or 1, 1, 1]."""
    return values.reshape(len(values), -1, 1, 1).astype(np.float32)


def _levels(
    storms: CloudStorms, times: np.ndarray, across: np.ndarray, down: np.ndarray, size: int
) -> np.ndarray:
    """Levels in [0, 1], [S, T, H, W], at columns and rows of a picture of `size` pixels."""
    ground = _ground(storms, across, down, size)  # [S, 1, H, W]
    thick = _thickness(storms, times, across, down, size)
    cover = 1 / (1 + np.exp(-3.2 * (thick - np.float32(0.45))))
    # Thicker clouds are colder at their top, and brighter.
    top = _wide(storms.top) * (
        np.float32(0.7) + np.float32(0.3) / (1 + np.exp(2 * (np.float32(1.2) - thick)))
    )
    light = ground + (top - ground) * cover
    light += across * _wide(storms.slope[:, 0]) + down[:, None] * _wide(storms.slope[:, 1])
    light = np.clip(light, 0, 1) ** _wide(storms.gamma)
    contrast = _wide(storms.contrast)
    light = _wide(storms.black) * (1 - contrast) + contrast * light
    return np.where(_wide(storms.negative) > 0, 1 - light, light)


def _amplitudes(storms: CloudStorms, finer: np.ndarray | float, size: int) -> list[np.ndarray]:
    """Of the octaves of a texture with variance 1 in all, made finer by a factor."""
    octaves = np.arange(NUM_OCTAVES)
    share = 2.0 ** (-storms.smoothness[:, None] * octaves)  # [S, octaves]
    share /= np.sqrt((share**2).sum(1, keepdims=True))
    return [
        _wide(share[:, k]) * visible(LOWEST * 2.0**k * finer, size)
        for k in octaves
        if LOWEST * 2.0**k < 1.25 * size / 2
    ]


def _ground(storms: CloudStorms, across: np.ndarray, down: np.ndarray, size: int) -> np.ndarray:
    """Sea, land and low clouds, [S, 1, H, W]."""
    shape = (len(storms), 1, len(down), len(across))
    x = np.broadcast_to(across, shape)
    y = np.broadcast_to(down[:, None], shape)
    number = storms.number[:, None]
    octaves = _amplitudes(storms, 1.0, size)
    shore = texture(x, y, mixed(number, 1), octaves[:4])
    relief = texture(x, y, mixed(number, 2), [0.0, *octaves[1:]])
    land = _wide(storms.land) / (1 + np.exp(-12 * shore)) * (1 + relief)
    clouds = _wide(storms.low_clouds) * np.maximum(relief + 0.3 * shore + np.float32(0.2), 0)
    return _wide(storms.sea) + land + clouds


def _bent(storms: CloudStorms, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places relative to the centre, in the plane that is bent."""
    u, v = x, y
    for k in range(_BENDS):
        wave_x, wave_y = storms.bend_wave[:, k].T
        shift = _wide(storms.bend[:, k]) * np.sin(
            _wide(wave_x) * x + _wide(wave_y) * y + _wide(storms.bend_phase[:, k])
        )
        # Across the direction of the wave: areas stay as they are, to first order.
        length = np.hypot(wave_x, wave_y)
        u = u - _wide(wave_y / length) * shift
        v = v + _wide(wave_x / length) * shift
    return u, v


def _thickness(
    storms: CloudStorms, times: np.ndarray, across: np.ndarray, down: np.ndarray, size: int
) -> np.ndarray:
    """Thickness of the storm's clouds, [S, T, H, W]."""
    moved = storms.velocity[:, None] * times[..., None]  # [S, T, 2]
    x = across - _wide(storms.x[:, None] + moved[..., 0])
    y = down[:, None] - _wide(storms.y[:, None] + moved[..., 1])
    x, y = _bent(storms, *np.broadcast_arrays(x, y))
    r = np.sqrt(x * x + y * y)
    pulse = storms.pulse[:, None] * np.sin(
        storms.pulse_rate[:, None] * times + storms.pulse_phase[:, None]
    )
    thick = _wide(storms.cover) + _wide(1 + pulse) * _shape(storms, times, x, y, r, pulse)
    thick += _wide(storms.roughness) * _carried_texture(storms, times, x, y, r, size)
    for k in range(_TOWERS):
        thick += _tower(storms, k, times, x, y)
    eye = _wide(np.maximum(storms.eye, 1e-3))
    hole = np.exp(-((r / eye) ** 4)) * _wide(storms.eye > 0)
    return thick - 1.2 * hole


def _shape(
    storms: CloudStorms,
    times: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    r: np.ndarray,
    pulse: np.ndarray,
) -> np.ndarray:
    """What of the thickness is the storm's own, without texture."""
    radius = _wide(storms.radius[:, None] * (1 + pulse / 2))
    dx, dy = x - _wide(storms.offset[:, 0]), y - _wide(storms.offset[:, 1])
    inside = (dx * dx + dy * dy) / (radius * radius)
    middle = np.exp(-(inside ** _wide(storms.sharpness / 2)))
    # A logarithmic spiral that trails, and turns as the wind does in its midst.
    turn = angular_velocity(0.6 * storms.radius, storms.spin, storms.core)
    angle = np.arctan2(y, x) - _wide(storms.phase[:, None] + turn[:, None] * times)
    winding = _wide(np.sign(storms.spin) * storms.pitch) * np.log(r + np.float32(0.1))
    bands = np.cos(_wide(storms.arms) * angle + winding)
    ring = r * r / (r * r + np.float32(0.06)) * np.exp(-inside / 3)
    return _wide(storms.thickness) * middle + _wide(storms.banding) * ring * bands


def _carried_texture(
    storms: CloudStorms,
    times: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    r: np.ndarray,
    size: int,
) -> np.ndarray:
    """Texture with variance 1 that the wind has carried, [S, T, H, W]."""
    spin, core = _wide(storms.spin), _wide(storms.core)
    total = np.zeros(r.shape, np.float32)
    for copy in range(2):
        lives = times / storms.lifetime[:, None] + storms.birth[:, None] + np.float32(copy / 2)
        begun = np.floor(lives)
        age = _wide((lives - begun) * storms.lifetime[:, None])
        weight = _wide(np.sin(np.pi * (lives - begun)))  # squares of the two add up to 1
        number = mixed(storms.number[:, None], 3 + copy, begun.astype(np.int64))
        u, v = carried_back(x, y, age, spin, core, _wide(storms.outflow))
        octaves = _amplitudes(storms, stretch(r, age, spin, core), size)
        total += weight * texture(u, v, number, octaves)
    return total


def _tower(
    storms: CloudStorms, k: int, times: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray | float:
    """Thickness of a tower of each storm, [S, T, H, W]."""
    age = np.maximum(times - storms.tower_time[:, [k]], 0)  # [S, T]
    life = storms.tower_life[:, [k]]
    strength = (1 - np.exp(-6 * age / life)) * np.exp(-((age / life) ** 2))
    strength *= storms.tower_radius[:, [k]] > 0
    if not strength.any():
        return 0.0
    radius = storms.tower_radius[:, [k]] * (0.25 + np.sqrt(age / life)) + 1e-3
    place = storms.tower_place[:, k]  # [S, 2]
    column, row = carried_back(
        place[:, [0]],
        place[:, [1]],
        -age,
        storms.spin[:, None],
        storms.core[:, None],
        storms.outflow[:, None],
    )
    d = ((x - _wide(column)) ** 2 + (y - _wide(row)) ** 2) / _wide(radius**2)
    return _wide(strength) / (1 + d * d * d)
