"""Tables of one's own: what is read, how rows are split, and what is refused."""

import csv
import dataclasses

import chex
import numpy as np
import pytest
from sklearn import datasets

from gm_jax.data import Columns, PointData, Points
from gm_jax.data.points.table import read_table
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment import Experiment
from gm_jax.experiment_json import from_plain, to_plain
from gm_jax.models import GMM

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(40, 3)).round(6)


def write(path, rows, header=None, delimiter=","):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([header] if header else [])
        writer.writerows(rows)
    return path


def everything(source):
    """All rows of a source by split, [N, D]."""
    return {s: source.open(s).load_all()["image"][:, 0, 0] for s in ("train", "valid", "test")}


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


class TestReading:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("header", [None, ["a", "b, c", "d"]])
    def test_csv(self, tmp_path, delimiter, header):
        path = write(tmp_path / "my.csv", VALUES.tolist(), header, delimiter)
        table = read_table(path, None, ())
        np.testing.assert_array_equal(table.values, VALUES.astype(np.float32))
        chex.assert_type(table.values, np.float32)
        assert table.names == (tuple(header) if header else ("x0", "x1", "x2"))
        assert table.labels is None

    def test_as_numpy_writes_and_reads_it(self, tmp_path):
        path = tmp_path / "my.csv"
        np.savetxt(path, VALUES, delimiter=",", header="a,b,c")
        table = read_table(path, None, ())
        np.testing.assert_array_equal(
            table.values, np.loadtxt(path, delimiter=",").astype(np.float32)
        )
        assert table.names == ("a", "b", "c")

    @pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16, np.uint8, bool])
    def test_npy(self, tmp_path, kind):
        values = (10 * VALUES).astype(kind)
        np.save(tmp_path / "my.npy", values)
        table = read_table(tmp_path / "my.npy", None, ())
        np.testing.assert_array_equal(table.values, values.astype(np.float32))

    def test_a_vector_is_one_column(self, tmp_path):
        np.save(tmp_path / "my.npy", VALUES[:, 0])
        assert read_table(tmp_path / "my.npy", None, ()).values.shape == (40, 1)
        path = write(tmp_path / "my.csv", VALUES[:, :1].tolist())
        np.testing.assert_array_equal(
            read_table(path, None, ()).values[:, 0], VALUES[:, 0].astype(np.float32)
        )

    def test_what_spreadsheets_add_does_not_matter(self, tmp_path):
        path = tmp_path / "my.csv"
        path.write_bytes(b'\xef\xbb\xbf"a" ; b\r\n\r\n1; 2\r\n;\r\n"3";4e1\r\n\r\n')
        table = read_table(path, None, ())
        assert table.names == ("a", "b")
        np.testing.assert_array_equal(table.values, [[1, 2], [3, 40]])

    @pytest.mark.parametrize("label", ["kind", "2", "-1"])
    def test_labels_are_names(self, tmp_path, label):
        marks = ["wren", "owl", "wren", "lark"]
        rows = [[*row, mark] for row, mark in zip(VALUES[:4, :2].tolist(), marks, strict=True)]
        table = read_table(write(tmp_path / "my.csv", rows, ["a", "b", "kind"]), label, ())
        assert table.classes == ("lark", "owl", "wren")
        assert table.labels.tolist() == [2, 1, 2, 0]
        assert (table.names, table.label) == (("a", "b"), "kind")
        headless = read_table(write(tmp_path / "headless.csv", rows), "-1", ())
        assert headless.names == ("x0", "x1")
        np.testing.assert_array_equal(headless.values, table.values)

    @pytest.mark.parametrize("ending", ["csv", "npy"])
    def test_labels_are_whole_numbers(self, tmp_path, ending):
        rows = np.array([[1.0, 10], [2.0, -3], [3.0, 9], [4.0, 10]])
        path = tmp_path / f"my.{ending}"
        np.save(path, rows) if ending == "npy" else write(path, rows.tolist())
        table = read_table(path, "1", ())
        assert table.classes == ("-3", "9", "10")  # in order of the numbers
        assert table.labels.tolist() == [2, 0, 1, 2]

    def test_columns_are_chosen(self, tmp_path):
        rows = [[*row, "text"] for row in VALUES.tolist()]
        path = write(tmp_path / "my.csv", rows, ["a", "b", "c", "note"])
        table = read_table(path, None, ("c", "0"))
        assert table.names == ("c", "a")
        np.testing.assert_array_equal(table.values, VALUES[:, [2, 0]].astype(np.float32))

    def test_a_changed_file_is_read_again(self, tmp_path):
        path = write(tmp_path / "my.csv", [[1], [2]])
        assert len(read_table(path, None, ()).values) == 2
        write(path, [[1], [2], [3]])
        assert len(read_table(path, None, ()).values) == 3

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "is empty: give a table"),
            ("\n\n", "is empty: give a table"),
            ("a,b\n", "has a header and no rows below it"),
            ("a,b\n1,2\n3,x\n", "line 3, column b holds 'x', which is no number"),
            ("1,x\n1,2\n", "line 1, column x1 holds 'x', which is no number"),
            ("a,b\n1,2\n3,\n", "line 3 has nothing in column b"),
            ("a,b\n1,2\n\n3,nan\n", "line 4, column b holds nan, which is not finite"),
            ("a,b\n1,2\n-inf,4\n", "line 3, column a holds -inf, which is not finite"),
            ("a,b\n1,2\n1e300,4\n", "column a holds 1e+300, which is too large for float32"),
            ("a,b\n1,2\n3\n", "line 3 has 1 values and the first one 2"),
            ("a,b\n1,2\n3,4,5\n", "line 3 has 3 values and the first one 2"),
        ],
    )
    def test_bad_csv(self, tmp_path, text, words):
        path = tmp_path / "my.csv"
        path.write_text(text)
        with pytest.raises(UserError, match=r"my\.csv") as error:
            read_table(path, None, ())
        assert words in one_line(error)

    @pytest.mark.parametrize(
        ("label", "columns", "words"),
        [
            ("kind", (), "has no column kind: it has a, b, or give a number from 0 to 1"),
            ("7", (), "has no column 7"),
            ("b", (), "the label b holds '2.5', but labels are whole numbers"),
            (None, ("c",), "has no column c"),
            ("a", ("a", "b"), "column a is the label, and among the values too"),
        ],
    )
    def test_columns_that_are_not_there(self, tmp_path, label, columns, words):
        path = write(tmp_path / "my.csv", [[1, 2.5], [3, 4]], ["a", "b"])
        with pytest.raises(UserError, match=r"my\.csv") as error:
            read_table(path, label, columns)
        assert words in one_line(error)

    def test_a_label_for_each_row(self, tmp_path):
        path = write(tmp_path / "my.csv", [[i, i] for i in range(1001)])
        with pytest.raises(UserError, match="1,001 different values, and at most 1,000"):
            read_table(path, "0", ())

    def test_other_files(self, tmp_path):
        (tmp_path / "text.npy").write_text("text")
        np.save(tmp_path / "pickled.npy", np.array([{}]), allow_pickle=True)
        np.save(tmp_path / "cube.npy", np.zeros((2, 3, 4)))
        np.save(tmp_path / "words.npy", np.array(["a"]))
        (tmp_path / "latin.csv").write_bytes("a,b\n1,2\n3,é".encode("latin1"))
        (tmp_path / "my.xlsx").write_text("")
        for name, words in {
            "text.npy": "holds no array of numbers",
            "pickled.npy": "holds no array of numbers",
            "cube.npy": r"real numbers \[N, D\], one row a point, not float64 \[2, 3, 4\]",
            "words.npy": "real numbers",
            "latin.csv": "no text in UTF-8",
            "my.xlsx": "is no table: give a .csv or .npy",
        }.items():
            with pytest.raises(UserError, match=words) as error:
                read_table(tmp_path / name, None, ())
            assert name in one_line(error)


class TestPoints:
    def test_splits_are_the_rows_each_once(self, tmp_path):
        values = RNG.normal(size=(1000, 3)).astype(np.float32)
        np.save(tmp_path / "my.npy", values)
        found = everything(Points(tmp_path / "my.npy"))
        together = np.concatenate([*found.values()])
        np.testing.assert_array_equal(np.sort(together, 0), np.sort(values, 0))
        assert len(found["valid"]) == pytest.approx(100, abs=30)
        assert len(found["test"]) == pytest.approx(100, abs=30)
        assert (everything(Points(tmp_path / "my.npy"))["test"] == found["test"]).all()
        other = everything(Points(tmp_path / "my.npy", split_seed=1))
        assert other["test"].shape != found["test"].shape or (other["test"] != found["test"]).any()

    def test_rows_that_are_added_move_no_other(self, tmp_path):
        values = np.arange(300.0)[:, None]
        sets = []
        for num in (200, 300):
            np.save(tmp_path / f"{num}.npy", values[:num])
            found = everything(Points(tmp_path / f"{num}.npy"))
            sets.append({split: {*rows[:, 0].tolist()} for split, rows in found.items()})
        for split, rows in sets[0].items():
            assert rows <= sets[1][split]

    @pytest.mark.parametrize(("standardize", "least"), [(False, 3), (True, 4)])
    def test_of_a_few_every_split_has_one(self, tmp_path, standardize, least):
        for num in range(1, 9):
            np.save(tmp_path / f"{num}.npy", np.arange(float(num)))
            source = Points(tmp_path / f"{num}.npy", standardize=standardize)
            if num < least:
                words = f"at least {least} rows are needed, one each for train, validation, test"
                with pytest.raises(UserError, match=f"{words}.*; found {num}") as error:
                    source.open("train")
                one_line(error)
                continue
            found = everything(source)
            assert all(map(len, found.values()))
            assert sum(map(len, found.values())) == num
            assert source.spec.num_dims == 1

    def test_standardized_by_the_training_split(self, tmp_path):
        values = (RNG.normal(size=(500, 3)) * [0.01, 1, 100] + [5, 0, -3000]).astype(np.float32)
        np.save(tmp_path / "my.npy", values)
        source = Points(tmp_path / "my.npy", standardize=True)
        found = everything(source)  # in its own units
        spec = source.spec
        train = found["train"].astype(np.float64)
        np.testing.assert_allclose(spec.columns.shift, train.mean(0))
        np.testing.assert_allclose(spec.columns.scale, train.std(0))
        points = found["train"][:, None, None]
        seen = spec.standardized(points)
        chex.assert_type(seen, np.float32)
        np.testing.assert_allclose(seen.mean(0), 0, atol=1e-3)
        np.testing.assert_allclose(seen.std(0), 1, rtol=1e-3)
        np.testing.assert_allclose(spec.restored(seen), points, rtol=1e-6)
        assert spec.log_scale == pytest.approx(np.log(train.std(0)).sum())
        plain = Points(tmp_path / "my.npy").spec
        assert plain.standardized(points) is points
        assert plain.restored(points) is points
        assert plain.log_scale == 0

    @pytest.mark.parametrize("value", [3.0, 1e9])
    def test_a_constant_column_cannot_be_standardized(self, tmp_path, value):
        rows = np.stack([VALUES[:, 0], value + 1e-3 * VALUES[:, 1] * (value > 1e6)], 1)
        path = write(tmp_path / "my.csv", rows.tolist(), ["a", "b"])
        with pytest.raises(UserError, match=r"my\.csv: column b is always") as error:
            _ = Points(path, standardize=True).spec
        one_line(error)
        assert Points(path).spec.num_dims == 2

    @pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
    def test_tables_of_scikit_learn(self, name):
        bunch = getattr(datasets, f"load_{name}")()
        source = Points(sklearn=name, valid_fraction=0.0, test_fraction=0.0)
        arrays = source.open("train").load_all()
        np.testing.assert_array_equal(arrays["image"][:, 0, 0], bunch.data.astype(np.float32))
        np.testing.assert_array_equal(arrays["label"], bunch.target)
        spec = source.spec
        assert spec.continuous
        assert spec.shape == (1, 1, bunch.data.shape[1])
        assert spec.num_classes == len(bunch.target_names)
        assert spec.columns.names == tuple(bunch.feature_names)
        assert spec.columns.classes == tuple(bunch.target_names)

    def test_summary(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write(tmp_path / "my.csv", VALUES.tolist(), ["a", "b", "c"])
        sizes = [len(rows) for rows in everything(Points("my.csv")).values()]
        assert Points("my.csv", standardize=True).summary() == (
            "my.csv: 40 points, 3 columns (a, b, c), standardized for the model, no labels; "
            "{} train / {} validation / {} test".format(*sizes)
        )
        assert Points().summary().startswith("scikit-learn's iris: 150 points, 4 columns (sepal")

    def test_no_file(self, no_data):
        with pytest.raises(UserError, match=r"there is no file no\.csv, here or in") as error:
            _ = Points("no.csv").spec
        one_line(error)

    def test_configs(self, tmp_path):
        for config in (Points, PointData):
            with pytest.raises(ConfigError, match="must sum to less than 1"):
                config(valid_fraction=0.5, test_fraction=0.5)
            for fields in ({"label": "a"}, {"columns": ("a", "b")}):
                with pytest.raises(ConfigError, match="names columns of a file: give its path"):
                    config(**fields)
        for columns in ({"shift": (0.0,), "scale": (1.0,)}, {"shift": (0.0, 0.0)}):
            with pytest.raises(ConfigError, match=r"Columns\.shift and scale"):
                Columns(("a", "b"), **columns)
        with pytest.raises(ConfigError, match=r"Columns\.scale must be greater than 0"):
            Columns(("a",), (0.0,), (0.0,))

    def test_as_the_data_of_an_experiment(self, tmp_path):
        path = write(tmp_path / "my.csv", VALUES.tolist(), ["a", "b", "c"])
        data = PointData(path, standardize=True, columns=("a", "c"), batch_size=4)
        assert data.spec == Points(str(path), standardize=True, columns=("a", "c")).spec
        batch = data.open("train").batch_at(0)
        chex.assert_shape(batch["image"], (4, 1, 1, 2))
        experiment = Experiment(data=data, model=GMM())
        assert from_plain(to_plain(experiment)) == experiment
        assert from_plain(to_plain(data.spec)) == data.spec
        # Every field of the source is one of the data's.
        names = {f.name for f in dataclasses.fields(Points)}
        assert names <= {f.name for f in dataclasses.fields(PointData)}
