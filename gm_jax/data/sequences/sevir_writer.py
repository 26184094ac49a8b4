"""Small synthetic files in SEVIR's layout, for demonstrations and tests without a download."""

import functools
import pathlib

import numpy as np

from gm_jax.data.sequences.vortex import draw_vortices, render
from gm_jax.rng import numpy_generator

_STORED = {"vis": np.int16, "ir069": np.int16, "ir107": np.int16, "vil": np.uint8}


def write_synthetic_sevir(
    folder: pathlib.Path | str,
    num_events: int = 8,
    size: int = 384,
    num_frames: int = 49,
    seed: int = 0,
) -> None:
    """Writes one file a type, `TYPE/2019/SEVIR_TYPE_STORMEVENTS_2019_0101_0630.h5`.

    The events are synthetic storms: where the cloud is thick, it is bright (vis), its top is cold
    (ir069, ir107), and in its thickest parts there is rain (vil). Low clouds are bright too, but
    warm and without rain. So the satellite's channels together say where the radar sees something,
    as they do in nature. Each file has the events in another order.

    Args:
      folder: is made if it is not there.
      num_events: K.
      size: height and width of vis and vil, even; those of ir069 and ir107 are half of it.
      num_frames: T, 5 minutes apart.
      seed: of the events.
    """
    import h5py

    stream = functools.partial(numpy_generator, seed)
    storms = draw_vortices(stream, num_events, 1800.0)
    low_clouds = draw_vortices(lambda name: stream(f"low {name}"), num_events, 1800.0)
    times = 300.0 * (np.arange(num_frames) - num_frames / 2)
    ids = np.array([f"S{700_000 + 1000 * seed + k}".encode() for k in range(num_events)])
    for name, stored in _STORED.items():
        pixels = size // 2 if name.startswith("ir") else size
        order = stream(f"order of {name}").permutation(num_events)
        path = pathlib.Path(folder) / name / "2019"
        path.mkdir(parents=True, exist_ok=True)
        file = path / f"SEVIR_{name.upper()}_STORMEVENTS_2019_0101_0630.h5"
        with h5py.File(file, "w") as content:
            content["id"] = ids[order]
            values = content.create_dataset(
                name, (num_events, pixels, pixels, num_frames), stored, compression="gzip"
            )
            for row, k in enumerate(order):
                cloud, low = (
                    render(clouds[k : k + 1], times[None], pixels)[0, ..., 0] / 255  # [T, H, W]
                    for clouds in (storms, low_clouds)
                )
                values[row] = np.moveaxis(_measured(name, cloud, low), 0, -1).astype(stored)


def _measured(name: str, cloud: np.ndarray, low: np.ndarray) -> np.ndarray:
    """What a sensor sees of high and low clouds of a thickness in [0, 1], as it is stored."""
    if name == "vis":  # 1e-4 of reflectance
        return np.rint(9000 * np.maximum(cloud, low))
    if name == "ir069":  # 1e-2 °C; water vapour hides what is low
        return np.rint(-2000 - 5000 * cloud)
    if name == "ir107":  # 1e-2 °C
        return np.rint(2500 - 8500 * cloud - 1500 * np.maximum(low - cloud, 0))
    rain = np.rint(255 * np.clip((cloud - 0.35) / 0.6, 0, 1) ** 1.5)
    return np.minimum(rain, 254)  # 255 would mean that it was not measured
