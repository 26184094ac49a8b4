"""Holds gm_jax's metrics against what `expected.py` kept: writes docs/metrics_agreement.md.

    .venv/bin/python benchmarks/metric_agreement/page.py

The test of it is tests/metrics/test_agreement.py.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gm_jax.functional.divergences import kl_diag_gaussians
from gm_jax.functional.likelihoods import categorical_log_prob
from gm_jax.metrics.frechet import fid
from gm_jax.metrics.image import bce, kld, mse, psnr
from gm_jax.metrics.inception_score import inception_score
from gm_jax.metrics.kernel_distance import kid
from gm_jax.metrics.manifold import precision_recall
from gm_jax.metrics.ms_ssim import ms_ssim
from gm_jax.metrics.ssim import ssim

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "metrics_agreement.md"
sys.path.insert(0, str(HERE))
import inputs  # noqa: E402

AGREES = 1e-5
"""The largest relative difference that counts as equal: gm_jax measures images in float32."""

_BORDER = (
    "torchmetrics also averages windows that reach over the border, of pixels mirrored there; "
    "Wang et al. 2004 and the others leave them out"
)
_CHANNELS = "; and it averages the channels at each scale rather than at the end"
REASONS = {
    ("SSIM", "torchmetrics"): _BORDER,
    ("SSIM of colours", "torchmetrics"): _BORDER,
    ("MS-SSIM", "torchmetrics"): _BORDER + " (here at the coarsest scale)",
    ("MS-SSIM of colours", "torchmetrics"): _BORDER + " (here at the coarsest scale)" + _CHANNELS,
    ("MS-SSIM of odd sides", "torchmetrics"): "its 2x2 means leave out the last row of an odd "
    "side, gm_jax repeats it, as TensorFlow does; and as above",
    ("MS-SSIM of odd sides", "pytorch-msssim"): "its 2x2 means add zeros before an odd side",
}
"""Why figures differ, where they do."""


class Row(NamedTuple):
    """A figure by gm_jax and by a package.

    Attributes:
      figure: what is measured.
      function: of gm_jax.
      package: the other one.
      ours: of gm_jax, [K].
      theirs: of the package, [K].
      reason: why they differ; empty: they are equal.
    """

    figure: str
    function: str
    package: str
    ours: np.ndarray
    theirs: np.ndarray
    reason: str

    @property
    def difference(self) -> float:
        """The largest relative one."""
        return float((np.abs(self.ours - self.theirs) / np.abs(self.theirs)).max())


def rows() -> list[Row]:
    """All that is compared."""
    figures = json.loads((HERE / "expected.json").read_text())["figures"]
    ours = _figures()
    return [
        Row(
            figure,
            function,
            package,
            np.asarray(values, np.float64).ravel(),
            np.asarray(kept),
            REASONS.get((figure, package), ""),
        )
        for figure, (function, values) in ours.items()
        for package, kept in figures[figure].items()
    ]


def _figures() -> dict[str, tuple[str, object]]:
    """{figure: (function, values)}."""
    return {
        **_of_images("", inputs.images(176, 192, 1)),
        **_of_images(" of colours", inputs.images(176, 192, 3)),
        "MS-SSIM of odd sides": (
            "metrics.ms_ssim.ms_ssim",
            ms_ssim(*(jnp.asarray(x) for x in inputs.images(177, 191, 1))),
        ),
        **_of_distributions(),
        **_of_features("", inputs.features(300, 260, 12)),
        **_of_features(" of few", inputs.features(20, 24, 40)),
    }


def _of_images(of: str, pair: inputs.Pair) -> dict[str, tuple[str, object]]:
    p, t = (jnp.asarray(x) for x in pair)
    return {
        f"MSE{of}": ("metrics.image.mse", mse(p, t)),
        f"PSNR{of}": ("metrics.image.psnr", psnr(p, t)),
        f"SSIM{of}": ("metrics.ssim.ssim", ssim(p, t)),
        f"MS-SSIM{of}": ("metrics.ms_ssim.ms_ssim", ms_ssim(p, t)),
    }


def _of_distributions() -> dict[str, tuple[str, object]]:
    p, t = (jnp.asarray(x) for x in inputs.images(16, 16, 1))
    logits, labels = jnp.asarray(inputs.logits(8, 10)), jnp.asarray(inputs.labels(8, 10))
    gaussians = [jnp.asarray(x) for x in inputs.gaussians(6)]
    return {
        "binary cross-entropy": ("metrics.image.bce", bce(p, t)),
        "categorical cross-entropy": (
            "functional.likelihoods.categorical_log_prob, negated",
            -categorical_log_prob(logits, labels),
        ),
        "KL of distributions": ("metrics.image.kld", kld(p, t)),
        "KL of Gaussians": (
            "functional.divergences.kl_diag_gaussians",
            kl_diag_gaussians(*gaussians),
        ),
    }


def _of_features(of: str, pair: inputs.Pair) -> dict[str, tuple[str, object]]:
    a, b = pair
    size = min(len(a), len(b))
    precision, recall = precision_recall(a, b)
    found = {
        f"FID{of}": ("metrics.frechet.fid", fid(a, b)),
        f"KID{of}": ("metrics.kernel_distance.kid", kid(a[:size], b[:size]).value),
        f"precision{of}": ("metrics.manifold.precision_recall", precision.value),
        f"recall{of}": ("metrics.manifold.precision_recall", recall.value),
    }
    if not of:
        shares = np.exp(inputs.logits(200, 10))
        score = inception_score(shares / shares.sum(1, keepdims=True), splits=4)
        found["inception score"] = ("metrics.inception_score.inception_score", score.value)
        found["its deviation"] = (
            "metrics.inception_score.inception_score, stderr x √(splits − 1)",
            score.stderr * np.sqrt(4 - 1),
        )
    return found


def page() -> str:
    """The text of docs/metrics_agreement.md."""
    versions = json.loads((HERE / "expected.json").read_text())["versions"]
    compared = rows()
    head = "| figure | gm_jax | package | relative difference |\n| --- | --- | --- | --- |"
    equal = [
        f"| {r.figure} | `{r.function}` | {r.package} | {_spoken(r.difference)} |"
        for r in compared
        if not r.reason
    ]
    differ = [
        f"| {r.figure} | {r.package} | {r.ours[0]:.6f} | {r.theirs[0]:.6f} | {r.reason} |"
        for r in compared
        if r.reason
    ]
    return TEXT.format(
        agrees=f"{AGREES:.0e}",
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
        equal="\n".join([head, *equal]),
        differ="\n".join(
            [
                "| figure | package | gm_jax | theirs | why |",
                "| --- | --- | --- | --- | --- |",
                *differ,
            ]
        ),
    )


def _spoken(difference: float) -> str:
    return f"{difference:.0e}" if difference else "0"


TEXT = """\
# gm_jax's metrics beside the usual packages

What a figure is called does not say how it was computed. Here gm_jax's are held against the
packages that papers use, on the same arrays (`benchmarks/metric_agreement/inputs.py`). This page is
written by `benchmarks/metric_agreement/page.py` from what the packages said once, in an interpreter
of their own (`expected.py`, `expected.json` there). `tests/metrics/test_agreement.py` compares anew
at every run of the tests.

Versions: {versions}.

## Equal

To a relative difference of {agrees}, of float32 against float64 where images are compared.

{equal}

"of few": fewer features than dimensions, so that covariances are singular. torch-fidelity and
torchmetrics average KID over random subsets; here both have one subset, of all images, which is
what gm_jax computes. torch-fidelity says how far the splits of an inception score deviate, gm_jax
the standard error of their mean: the one is the other times √(splits − 1).

## Different, and why

Values of the first image.

{differ}

## Inception-v3

FID, KID and the inception score are usually taken in features of one network, that of TensorFlow's
graph of 2015-12-05 (`gm_jax.nets.inception`). With the same random weights its four blocks of
features and its logits are those of torch-fidelity's port to PyTorch, to 1e-5
(`tests/inception/test_network.py`; `make slow` also from images of another size on). Images become
299x299 in three ways, each as in a package, to 1e-5 of the range
(`tests/functional/test_resizing.py`; Parmar et al. 2022, arXiv:2104.11222, say what it changes):

| name | as in | how |
| --- | --- | --- |
| `tf1` | TensorFlow 1, torch-fidelity | bilinear, pixels as points, no antialiasing |
| `pytorch` | pytorch-fid | bilinear, pixels as areas, no antialiasing |
| `clean` | clean-fid | Pillow's bicubic of each channel in float, antialiased |

clean-fid runs another export of the same graph. Figures of two resizings do not compare, nor do
those of two files of weights: the features' name, `inception-<digest>-<resizing>`, has both.

The weights are not part of gm_jax, and nothing downloads them by itself. They are a release of
pytorch-fid (torch-fidelity releases the same file):

```sh
curl -LO https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth
export GM_JAX_INCEPTION=$PWD/pt_inception-2015-12-05-6726825d.pth
```

```console
$ gm-jax evaluate runs/digits/vae --features inception          # the resizing of TensorFlow 1
$ gm-jax evaluate runs/digits/vae --features inception-clean
```

An image takes about five thousand million multiplications: for sets of thousands, take a GPU.

The file is read without PyTorch and without running the pickle in it: what is not a tensor is
refused. Its name holds the first digits of its SHA-256, which are checked; a `.safetensors` file
with the same names and shapes will do too. No figure here was measured with these weights: where
this page was written, they were not to be had.
"""


if __name__ == "__main__":
    PAGE.write_text(page())
