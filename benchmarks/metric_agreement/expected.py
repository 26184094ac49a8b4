"""What the usual packages say of `inputs.py`: writes expected.json beside this file.

They run in an interpreter of their own, in float64, and nothing of gm_jax is imported:

    python3.11 -m venv /tmp/torch
    /tmp/torch/bin/pip install torch==2.13.0 scipy scikit-image tqdm lightning-utilities requests
    /tmp/torch/bin/pip install --no-deps torch-fidelity torchmetrics pytorch-fid pytorch-msssim
    /tmp/torch/bin/python benchmarks/metric_agreement/expected.py

Each figure is a list: of one value for each image, or of one value. `page.py` compares.
"""

# ruff: noqa: E402 - torchvision is replaced before what imports it

import importlib.metadata
import json
import sys
import types
from pathlib import Path
from unittest import mock

# torchvision is imported by two packages, and no figure here needs it.
_blocks = {f"Inception{letter}": type(letter, (), {}) for letter in "ACE"}
_inception = types.SimpleNamespace(inception=types.SimpleNamespace(**_blocks))
_MODULES = ("", ".datasets", ".transforms", ".transforms.functional", ".models.utils")
for _name in _MODULES:
    sys.modules["torchvision" + _name] = mock.MagicMock(models=_inception)
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

for _name in _MODULES:
    del sys.modules["torchvision" + _name]

import pytorch_msssim
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
import torchmetrics.functional.image as tmi
from skimage import metrics as skimage
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import inputs

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-image",
    "torch",
    "torchmetrics",
    "torch-fidelity",
    "pytorch-fid",
    "pytorch-msssim",
)


def figures():
    """{figure: {package: values}}."""
    return {
        **_of_images("", inputs.images(176, 192, 1)),
        **_of_images(" of colours", inputs.images(176, 192, 3)),
        **_of_odd_images(),
        **_of_distributions(),
        **_of_features("", inputs.features(300, 260, 12)),
        **_of_features(" of few", inputs.features(20, 24, 40)),
    }


def _of_images(of, pair):
    prediction, target = pair
    p, t = (torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in pair)
    each = list(zip(target, prediction, strict=True))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    _, full = tmi.structural_similarity_index_measure(
        p, t, data_range=1.0, reduction="none", return_full_image=True
    )
    return {
        f"MSE{of}": {
            "scikit-image": [skimage.mean_squared_error(a, b) for a, b in each],
            "torchmetrics": [tm.mean_squared_error(x, y) for x, y in zip(p, t, strict=True)],
        },
        f"PSNR{of}": {
            "scikit-image": [skimage.peak_signal_noise_ratio(a, b, data_range=1) for a, b in each],
            "torchmetrics": tmi.peak_signal_noise_ratio(
                p, t, data_range=(0.0, 1.0), reduction="none", dim=(1, 2, 3)
            ),
        },
        f"SSIM{of}": {
            "scikit-image": [
                skimage.structural_similarity(a, b, data_range=1, channel_axis=-1, **window)
                for a, b in each
            ],
            "pytorch-msssim": pytorch_msssim.ssim(p, t, data_range=1.0, size_average=False),
            "torchmetrics": tmi.structural_similarity_index_measure(
                p, t, data_range=1.0, reduction="none"
            ),
            "torchmetrics, border cut off": full[..., 5:-5, 5:-5].mean((1, 2, 3)),
        },
        f"MS-SSIM{of}": _multiscale(p, t),
    }


def _of_odd_images():
    p, t = (torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in inputs.images(177, 191, 1))
    return {"MS-SSIM of odd sides": _multiscale(p, t)}


def _multiscale(p, t):
    """By two packages, as they are."""
    return {
        "pytorch-msssim": pytorch_msssim.ms_ssim(p, t, data_range=1.0, size_average=False),
        "torchmetrics": tmi.multiscale_structural_similarity_index_measure(
            p, t, data_range=1.0, reduction="none"
        ),
    }


def _of_distributions():
    prediction, target = inputs.images(16, 16, 1)
    p, t = (torch.from_numpy(x.reshape(2, -1).copy()) for x in (prediction, target))
    bits = scipy.special.xlogy(target, prediction) + scipy.special.xlog1py(1 - target, -prediction)
    logits, labels = torch.from_numpy(inputs.logits(8, 10)), torch.from_numpy(inputs.labels(8, 10))
    mean_q, log_q, mean_p, log_p = (torch.from_numpy(x) for x in inputs.gaussians(6))
    normal = torch.distributions.Normal
    shares = [x / x.sum(1, keepdim=True) for x in (t, p)]
    return {
        "binary cross-entropy": {
            "scipy": -bits.mean((1, 2, 3)),
            "torch": F.binary_cross_entropy(p, t, reduction="none").mean(1),
        },
        "categorical cross-entropy": {
            "scipy": -scipy.special.log_softmax(logits, -1)[range(8), labels],
            "torch": F.cross_entropy(logits, labels, reduction="none"),
        },
        "KL of distributions": {
            "scipy": [scipy.stats.entropy(a, b) for a, b in zip(t.numpy(), p.numpy(), strict=True)],
            "torchmetrics": tm.kl_divergence(*shares, reduction="none"),
        },
        "KL of Gaussians": {
            "torch": torch.distributions.kl_divergence(
                normal(mean_q, log_q.exp()), normal(mean_p, log_p.exp())
            )
        },
    }


def _of_features(of, pair):
    a, b = (torch.from_numpy(x) for x in pair)
    one, two = (metric_fid.fid_features_to_statistics(x) for x in (a, b))
    moments = (one["mu"], one["sigma"], two["mu"], two["sigma"])
    size = min(len(a), len(b))  # of KID in torch-fidelity: equally many of both
    kid = metric_kid.kid_features_to_metric(
        a[:size], b[:size], kid_subsets=1, kid_subset_size=size, verbose=False
    )
    shares = metric_prc.calculate_precision_recall_full(a, b, neighborhood=3)
    logits = torch.from_numpy(inputs.logits(200, 10))
    score = metric_isc.isc_features_to_metric(logits, splits=4, shuffle=False)
    found = {
        f"FID{of}": {
            "torch-fidelity": metric_fid.fid_statistics_to_metric(one, two, False).values(),
            "pytorch-fid": [calculate_frechet_distance(*moments)],
            "torchmetrics": [_compute_fid(*(torch.from_numpy(x) for x in moments))],
        },
        f"KID{of}": {
            "torch-fidelity": [kid[metric_kid.KEY_METRIC_KID_MEAN]],
            "torchmetrics": [poly_mmd(a[:size], b[:size])],
        },
        f"precision{of}": {"torch-fidelity": [shares[0]]},
        f"recall{of}": {"torch-fidelity": [shares[1]]},
    }
    if not of:
        found["inception score"] = {"torch-fidelity": [score[metric_isc.KEY_METRIC_ISC_MEAN]]}
        found["its deviation"] = {"torch-fidelity": [score[metric_isc.KEY_METRIC_ISC_STD]]}
    return found


if __name__ == "__main__":
    content = {
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "figures": {
            figure: {package: [float(v) for v in values] for package, values in by.items()}
            for figure, by in figures().items()
        },
    }
    (HERE / "expected.json").write_text(json.dumps(content, indent=1) + "\n")
