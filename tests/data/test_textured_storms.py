import dataclasses
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.ndimage import map_coordinates

from gm_jax.data import Data, Digits, Storms, SyntheticStorms, read_storms, write_storms
from gm_jax.data.sequences import cloud_texture
from gm_jax.data.sequences.cloud_flow import angular_velocity, carried_back, stretch
from gm_jax.data.sequences.cloud_storms import LAW, CloudStorms, draw_cloud_storms, render_clouds
from gm_jax.data.sequences.cloud_texture import mixed, texture, visible
from gm_jax.data.sequences.sensor_noise import sensor_noise
from gm_jax.errors import ConfigError, UserError

PLAIN = SyntheticStorms(size=24, num_train=12, num_validation=3, num_test=6, noise=0, missing=0)
SEEN = dataclasses.replace(PLAIN, noise=None, missing=None)

LEVELS = [
    [[84, 75, 109], [86, 69, 126]],
    [[199, 187, 179], [194, 207, 162]],
    [[236, 243, 99], [233, 243, 125]],
]


def storms(num: int, interval: float = 900, **fields) -> CloudStorms:
    drawn = draw_cloud_storms(
        lambda name: np.random.default_rng([7, *name.encode()]), num, interval
    )
    return dataclasses.replace(drawn, **fields)


def frames(loaded):
    return np.concatenate([loaded["context"], loaded["image"]], 1)


def stamps(loaded):
    return np.concatenate([loaded["context_time"], loaded["time"]], 1)


class TestTheWind:
    SPIN, CORE, OUTFLOW = 4e-4, 0.3, 2e-5

    def back(self, x, y, age):
        numbers = (np.float64(n) for n in (x, y, age, self.SPIN, self.CORE, self.OUTFLOW))
        return carried_back(*numbers)

    def test_carries_along_its_velocity(self):
        def velocity(_, place):
            x, y = place
            w = angular_velocity(math.hypot(x, y), self.SPIN, self.CORE)
            return [self.OUTFLOW * x - w * y, self.OUTFLOW * y + w * x]

        for age in (9000.0, -9000.0):
            end = solve_ivp(velocity, (0, -age), [0.25, -0.1], rtol=1e-10, atol=1e-12).y[:, -1]
            np.testing.assert_allclose(self.back(0.25, -0.1, age), end, atol=1e-8)

    def test_twice_is_for_twice_as_long(self):
        there = self.back(*self.back(0.3, 0.2, 4000.0), 5000.0)
        np.testing.assert_allclose(there, self.back(0.3, 0.2, 9000.0), atol=1e-12)

    def test_stretch_is_the_larger_singular_value(self):
        x, y, age, h = 0.25, 0.1, 9000.0, 1e-6

        def turned(x, y):
            return np.array(carried_back(x, y, age, self.SPIN, self.CORE, 1e-12))

        columns = [turned(x + h, y) - turned(x - h, y), turned(x, y + h) - turned(x, y - h)]
        largest = np.linalg.svd(np.stack(columns) / (2 * h))[1][0]
        found = stretch(math.hypot(x, y), age, self.SPIN, self.CORE)
        np.testing.assert_allclose(found, largest, rtol=1e-4)


class TestTexture:
    def test_is_linear_between_the_texels_of_a_table(self, monkeypatch):
        side = cloud_texture._SIDE
        table = np.arange(2 * side**2, dtype=np.float64).reshape(2, side, side) % 1009 / 1009
        both = [np.roll(table, -1, axis) for axis in (2, 1)]
        corner = np.roll(both[0], -1, 1)
        parts = [table, both[0] - table, both[1] - table, corner - both[0] - both[1] + table]
        packed = np.stack(parts, -1).astype(np.float32).view(np.complex128).reshape(-1)
        monkeypatch.setattr(cloud_texture, "_tables", lambda: packed)
        monkeypatch.setattr(cloud_texture, "_TABLES", 2)
        rng = np.random.default_rng(0)
        x, y = rng.uniform(-3, 3, (2, 4, 1, 5, 5)).astype(np.float32)
        places = np.arange(4, dtype=np.uint32)[:, None]
        for octave in (0, 3):
            found = texture(x, y, places, [0.0] * octave + [2.0])
            scale = 1.5 * 2**octave * side / 32 / 2  # texels a half width
            for storm, row, column in ((0, 1, 2), (3, 4, 0)):
                number = int(mixed(places[storm, 0], octave))
                u = x[storm, 0, row, column] * scale + number % side
                v = y[storm, 0, row, column] * scale + number // side % side
                at = [[v], [u]]
                expected = map_coordinates(table[number >> 18 & 1], at, order=1, mode="grid-wrap")
                np.testing.assert_allclose(found[storm, 0, row, column], 2 * expected[0], atol=2e-3)

    def test_octaves_have_the_waves_and_the_variance_they_should(self):
        line = np.linspace(-20, 20, 512, endpoint=False, dtype=np.float32)
        x, y = np.broadcast_arrays(line, line[:, None])
        made = texture(x[None, None], y[None, None], np.uint32([[5]]), [0, 0, 0.5])[0, 0]
        assert abs(made.mean()) < 0.02
        assert made.std() == pytest.approx(0.5, rel=0.05)
        power = np.abs(np.fft.fft2(made)) ** 2
        waves = np.abs(np.fft.fftfreq(512, 1 / 512))  # in 40 half widths, so 20 pictures
        radius = np.hypot(waves[:, None], waves)
        octaves = (power * np.log2(np.maximum(radius, 1))).sum() / power.sum()
        assert octaves == pytest.approx(np.log2(20 * 6), abs=0.15)

    def test_mixed_numbers_are_spread_evenly(self):
        numbers = mixed(np.arange(4096)[:, None], np.arange(8))
        assert len(np.unique(numbers)) > 32_760
        for shift in (0, 9, 18, 29):
            counts = np.bincount((numbers >> shift & 7).ravel(), minlength=8)
            assert abs(counts / 4096 - 1).max() < 0.08

    def test_what_pixels_cannot_show_is_left_out(self):
        np.testing.assert_allclose(visible(np.array([1.0, 8, 14, 20, 30]), 32), [1, 1, 0.5, 0, 0])


class TestPictures:
    def test_a_storm_is_the_same_at_any_size(self):
        some, times = storms(6), np.broadcast_to([0.0, 4000.0], (6, 2))
        small, large = (render_clouds(some, times, size).astype(float) for size in (32, 96))
        pooled = large.reshape(6, 2, 32, 3, 32, 3, 1).mean((3, 5))
        assert np.sqrt(((small - pooled) ** 2).mean()) < 0.2 * small.std()

    def test_pictures_do_not_depend_on_what_is_rendered_with_them(self, monkeypatch):
        some, times = storms(3), np.broadcast_to([0.0, 4000.0, -900.0], (3, 3))
        whole = render_clouds(some, times, 16)
        monkeypatch.setattr("gm_jax.data.sequences.cloud_storms._AT_ONCE", 200)
        np.testing.assert_array_equal(render_clouds(some, times, 16), whole)
        np.testing.assert_array_equal(
            render_clouds(some[1:2], times[1:2, ::-1], 16)[0, ::-1], whole[1]
        )

    def test_the_ground_does_not_move(self):
        times = np.broadcast_to([0.0, 5000.0, 9000.0], (4, 3))
        bare = storms(4)
        nothing = np.zeros(4, np.float32)
        bare = dataclasses.replace(
            bare,
            cover=nothing - 9,
            thickness=nothing,
            banding=nothing,
            tower_radius=np.zeros((4, 4)),
        )
        made = render_clouds(bare, times, 16)
        np.testing.assert_array_equal(made[:, 1:], made[:, :1].repeat(2, 1))
        assert made.std((2, 3)).min() > 1

    def test_clouds_go_with_the_wind(self):
        """Air that is followed keeps its brightness better than a place does."""
        num, size = 24, 32
        plane = {"bend": np.zeros((num, 3), np.float32)}
        some = storms(num, **plane)
        later = np.full((num, 1), 1800.0, np.float32)
        first, last = (render_clouds(some, t, size)[:, 0, ..., 0] / 255 for t in (0 * later, later))
        line = (2 * np.arange(size, dtype=np.float32) + 1) / size - 1
        carried = np.empty_like(first)
        for s in range(num):
            center = np.array([some.x[s], some.y[s]])
            x, y = center + 1800 * some.velocity[s]
            x, y = carried_back(
                line - x, line[:, None] - y, 1800.0, some.spin[s], some.core[s], some.outflow[s]
            )
            at = [(v + c + 1) * size / 2 - 0.5 for v, c in ((y, center[1]), (x, center[0]))]
            carried[s] = map_coordinates(first[s], at, order=1, mode="nearest")
        persistence = ((last - first) ** 2).mean()
        assert ((last - carried) ** 2).mean() < 0.5 * persistence
        assert 0.002 < persistence < 0.05

    def test_stay_those_that_models_were_trained_on(self):
        """Where these change, cloud_storms.LAW goes up too."""
        source = SyntheticStorms(size=16, num_train=3, noise=0)
        made = source.truth("train", np.arange(3), [0.0, 3600.0])
        assert LAW == 1
        np.testing.assert_allclose(made[:, :, 5::5, 8, 0], LEVELS, atol=1)

    def test_both_senses_are_as_frequent(self):
        assert abs((storms(2000).spin > 0).mean() - 0.5) < 0.04


class TestExamples:
    def test_are_the_truth_seen_by_a_camera(self):
        loaded, clear = (
            s.open("train").load_all() for s in (SEEN, dataclasses.replace(SEEN, noise=0))
        )
        truth = SEEN.truth("train", np.arange(12), stamps(loaded))
        np.testing.assert_array_equal(frames(clear), truth)
        noise = frames(loaded).astype(float) - truth
        inside = (truth > 10) & (truth < 245)
        assert noise[inside].std() == pytest.approx(np.hypot(2, 12**-0.5), rel=0.02)  # rounded
        again = SEEN.open("train").load(3, 5)
        np.testing.assert_array_equal(frames(again), frames(loaded)[3:5])
        firsts = noise.reshape(-1, noise[0, 0].size)
        assert np.abs(np.corrcoef(firsts[:40]) - np.eye(40)).max() < 0.3  # each its own

    def test_are_kept_once_rendered(self, no_data, monkeypatch):
        monkeypatch.setattr("gm_jax.data.sequences.synthetic_storms._Kept.worth_keeping", 3)
        data = Data(source=SEEN, train="train", valid=None, test="test")
        first = data.open("train").arrays
        calls = []
        monkeypatch.setattr(
            "gm_jax.data.sequences.synthetic_storms.render_clouds", lambda *args: calls.append(args)
        )
        np.testing.assert_array_equal(data.open("train").arrays["image"], first["image"])
        assert not calls
        prints = [
            dataclasses.replace(SEEN, **other).open(split).fingerprint
            for other, split in (
                ({}, "train"),
                ({"noise": 3.0}, "train"),
                ({}, "test"),
                ({}, "train[1:]"),
            )
        ]
        assert len(set(prints)) == 4
        assert dataclasses.replace(SEEN, kind="smooth").open("train").fingerprint is None

    def test_written_as_a_folder_they_are_read_back(self, tmp_path):
        source = dataclasses.replace(SEEN, num_test=3)
        folder = tmp_path / "storms"
        write_storms(source, "test", 3, folder)
        assert len(list(folder.iterdir())) == 2 * 3 * 7
        loaded = source.open("test").load_all()
        for k, storm in enumerate(read_storms(folder)):
            assert storm.id == f"storm0000{k}"
            np.testing.assert_array_equal(storm.times, stamps(loaded)[k] - stamps(loaded)[k, 0])
            difference = storm.frames.astype(int) - frames(loaded)[k]
            assert np.abs(difference).max() < 20
            assert np.sqrt((difference**2).mean()) < 3
        windows = Storms(folder, context=4, targets=3).open("all").load_all()
        np.testing.assert_array_equal(windows["time"], loaded["time"])
        np.testing.assert_array_equal(windows["context_time"], loaded["context_time"])

    def test_what_cannot_be_written(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="has files in it already"):
            write_storms(SEEN, "test", 1, tmp_path)
        with pytest.raises(UserError, match="test has 6 examples, and 7 are asked for"):
            write_storms(SEEN, "test", 7, tmp_path / "storms")
        with pytest.raises(UserError, match="Digits gives no sequences of frames"):
            write_storms(Digits(), "test", 1, tmp_path / "storms")

    def test_noise_has_lines(self):
        grey = np.full((3, 64, 64, 1), 128, np.uint8)
        draws = [np.random.default_rng(k) for k in range(3)]
        noise = sensor_noise(grey, 10.0, draws).astype(float) - 128
        assert noise.std() == pytest.approx(10, rel=0.05)
        assert noise.mean(2).std() ** 2 == pytest.approx(20 + 80 / 64, rel=0.3)
        assert sensor_noise(grey, 0.0, []) is grey

    def test_missing_frames_make_intervals_multiples(self):
        many = SyntheticStorms(
            size=2, num_train=400, irregularity=0, missing=0.2, interval_scale=2, kind="smooth"
        )
        steps = np.diff(stamps(many.open("train").load_all())) / 3600
        np.testing.assert_array_equal(steps, np.rint(steps))
        shares = np.bincount(steps.astype(int).ravel(), minlength=5) / steps.size
        np.testing.assert_allclose(shares, [0, 0.8, 0.16, 0.032, 0.008], atol=0.03)

    def test_every_split_begins_as_a_smaller_one_and_leads_share_the_context(self):
        few = dataclasses.replace(SEEN, num_train=5).open("train").load_all()
        for name, values in SEEN.open("train").load(0, 5).items():
            np.testing.assert_array_equal(few[name], values)
        test, double = (SEEN.open(s).load_all() for s in ("test", "test_double"))
        np.testing.assert_array_equal(test["context"], double["context"])
        np.testing.assert_array_equal(2 * test["time"], double["time"])
        windows = dataclasses.replace(SEEN, windows=2).open("validation").load_all()
        np.testing.assert_array_equal(frames(windows)[0, 1:], frames(windows)[1, :-1])

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"kind": "real"}, r"SyntheticStorms\.kind must be one of"),
            ({"noise": -1.0}, r"SyntheticStorms\.noise must be 0 or greater"),
            ({"missing": 1.0}, r"SyntheticStorms\.missing must be in \[0, 1\)"),
        ],
    )
    def test_bad_fields(self, fields, message):
        with pytest.raises(ConfigError, match=message):
            SyntheticStorms(**fields)
