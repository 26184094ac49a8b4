"""Pages made of records."""

import pytest
from PIL import Image

from gm_jax.data import Clusters, ImageFolder, MovingMnist, Sevir, Storms, SyntheticStorms, Tfds
from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.results.pages import PAGES, checkout_of, made_pages, picture_name, remake
from gm_jax.results.picture import MOST_BYTES, may_be_shown, small_png
from gm_jax.results.record import keep
from gm_jax.results.tables import Recorded, comparison, gallery, readme_table, results_tables


def test_pages_are_made_between_their_marks(checkout, file, record):
    keep(record(picture="some-tiny.png"), file)
    assert [str(p.relative_to(checkout)) for p in remake(checkout)] == list(PAGES)
    assert remake(checkout) == []
    text = (checkout / "docs" / "results.md").read_text()
    assert text.startswith("# A page\n")
    assert text.endswith("end\n")
    assert "| `some/tiny` | 2.000 ± 0.010 bits/dim (bound) |" in text
    assert "2026-11-21, abcdef012" in text
    assert "- a CPU, 2 cores; jax 0.12" in text
    assert (
        "![samples of some/tiny](pictures/records/some-tiny.png)"
        in (checkout / "docs" / "gallery.md").read_text()
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda page: page.unlink(), "README.md is missing"),
        (lambda page: page.write_text("nothing"), "README.md has lost its marks"),
    ],
)
def test_a_page_that_cannot_be_made_is_named(checkout, damage, message):
    damage(checkout / "README.md")
    with pytest.raises(UserError, match=message):
        made_pages(checkout)


def test_a_checkout_is_known_by_its_pages(checkout, file, tmp_path):
    assert checkout_of(file.path) == checkout
    assert checkout_of(tmp_path / "experiments" / "some" / "tiny.py") is None


def test_seeds_are_averaged_and_variants_have_rows(file, record):
    records = [
        record(seed=s, figures={"bits_per_dim": Figure(v, "exact", 60, 0.5)})
        for s, v in ((0, 1.0), (1, 2.0), (2, 3.0))
    ]
    paper = record("some/tiny:paper", step=1, stopped_early=True, device_minutes=12.0)
    table = results_tables([Recorded(file, [*records, paper])])
    assert "2.000 ± 1.000 bits/dim over 3 seeds (exact)" in table
    (row,) = [line for line in table.splitlines() if "`some/tiny:paper`" in line]
    assert "| 2, no better any more, at 1 | 12 device | 300 |" in row


def test_forecasts_stand_beside_baselines(file, record):
    told = {"seconds": [60.0, 120.0]}
    for i, method in enumerate(("model", "persistence")):
        told[method] = {"mse": [0.001 + i, None], "ssim": [0.9, 0.8]}
    told["against"] = {"persistence": {"mse_ratio": [0.5, None]}}
    told["recommendation"] = "forecast with this model: MSE 0.5 of persistence's"
    table = results_tables([Recorded(file, [record(lead_times=told)])])
    assert "| model | 0.0010 / – | 0.9000 / 0.8000 |" in table
    assert "| persistence | 1.0010 / – |" in table
    assert "\n\nAdvice: forecast with this model: MSE 0.5 of persistence's.\n" in table
    assert "| against |" not in table


def test_samples_in_different_features_never_share_a_column(file, record):
    def held(value, features):
        names = ("fid", "fid_floor", "kid", "precision", "recall", "density", "coverage")
        return {f"{n}@{features}": Figure(value, "estimate", 5000, 0.01) for n in names}

    bits = {"bits_per_dim": Figure(2.0, "bound", 60, 0.01)}
    one = record(figures={**bits, **held(3.5, "some/classifier-11111111")})
    other = record("some/tiny:paper", figures={**bits, **held(7.25, "some/classifier-22222222")})
    text = results_tables([Recorded(file, [one, other, record("some/tiny:none")])])
    first, second = text.split("In features `some/classifier-11111111`:")[1].split("In features `")
    assert "| `some/tiny` | 3.50 ± 0.01 |" in first
    assert "| 5,000 |" in first
    assert "7.25" not in first
    assert "| `some/tiny:paper` | 7.25 ± 0.01 |" in second
    assert "some/tiny:none" not in first + second.partition("Measured on")[0]
    row = next(line for line in text.splitlines() if line.startswith("| `some/tiny` | 2.000"))
    assert "classifier" not in row  # the long tail has tables of its own


def test_likelihoods_stand_beside_the_quality_of_samples(file, record):
    def named(name, family, figures, **changes):
        return Recorded(
            file._replace(name=name), [record(name, family=family, figures=figures, **changes)]
        )

    def figures(fid=None, bits=None):
        found = {"mse": Figure(0.1, "error", 60)}
        if fid is not None:
            found["fid@digits/classifier-1a"] = Figure(fid, "estimate", 5000)
        if bits is not None:
            found["bits_per_dim"] = Figure(bits, "bound", 60, 0.01)
        return found

    recorded = [
        named("digits/ae", "Autoencoder", figures()),
        named("digits/gan", "GAN", figures(fid=3.0)),
        named("digits/realnvp", "RealNVP", figures(fid=9.0, bits=2.1)),
        named("digits/vae", "VAE", figures(bits=1.9), picture="digits-vae.png"),
        named("digits/vae_x", "VAE", figures(bits=1.0), levels=16),
        Recorded(file._replace(name="digits/later"), []),
        named("mnist/vae", "VAE", figures(bits=1.9)),
    ]
    first, note, second, last = comparison(recorded).removeprefix("## digits\n\n").split("\n\n")
    head, _, *rows = first.splitlines()
    told = ["run", "family", "parameters", "core-minutes", "bits/dim"]
    told += ["FID (a)", "picture"]
    assert note == "(a) in features digits/classifier-1a, of 5,000 samples"
    assert head == f"| {' | '.join(told)} |"
    picture = '<img src="pictures/records/digits-vae.png" alt="samples of digits/vae" width="160">'
    assert rows == [
        f"| `digits/vae` | VAE | 12 | 1.2 | 1.900 ± 0.010 bound | – | {picture} |",
        "| `digits/realnvp` | RealNVP | 12 | 1.2 | 2.100 ± 0.010 bound | 9.000 | – |",
        "| `digits/gan` | GAN | 12 | 1.2 | – | 3.000 | – |",
    ]
    assert "`digits/vae_x`" in second
    assert last == "No record yet: `digits/later`."


def test_no_records_make_no_tables(file):
    empty = [Recorded(file, [])]
    assert results_tables(empty) == "No records yet."
    assert gallery(empty) == ""
    assert comparison(empty) == ""
    assert readme_table(empty).count("\n") == 1


def test_pictures_of_unlicensed_data_are_not_shown():
    assert all(map(may_be_shown, (Tfds("mnist"), Clusters(), MovingMnist())))
    assert may_be_shown(SyntheticStorms())
    hidden = (
        Tfds("celeb_a"),
        Tfds("cars196"),
        Tfds("cifar10"),
        ImageFolder("hands"),
        Storms("storm_tst"),
        Sevir("sevir"),
    )
    assert not any(map(may_be_shown, hidden))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_are_small(tmp_path, mode):
    noise = Image.effect_noise((900, 700), 100)
    Image.merge(mode, [noise] * len(mode)).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5 * MOST_BYTES
    small = small_png(tmp_path / "a.png")
    assert len(small) <= MOST_BYTES
    (tmp_path / "b.png").write_bytes(small)
    with Image.open(tmp_path / "b.png") as image:
        assert image.size[0] / image.size[1] == pytest.approx(9 / 7, rel=0.05)


def test_a_picture_is_called_after_its_recipe():
    assert picture_name("mnist/pixelcnn:paper") == "mnist-pixelcnn-paper.png"
