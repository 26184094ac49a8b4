"""What runs of earlier versions wrote otherwise, so that they stay readable for ever.

Until public names were stored, a class was called after the module in which it then lay; and how a
model samples was said by fields of its own, not of its `sampling`.
"""

from typing import Any

CLASS = "class"
"""The key of a class's name in what stands for a dataclass in JSON."""

EARLIER_NAMES = {
    "gm_jax.data.augmentations:ColorJitter": "gm_jax.data:ColorJitter",
    "gm_jax.data.augmentations:RandomResizedCrop": "gm_jax.data:RandomResizedCrop",
    "gm_jax.data.augmentations:RandomRotation": "gm_jax.data:RandomRotation",
    "gm_jax.data.binarized_mnist:BinarizedMnist": "gm_jax.data:BinarizedMnist",
    "gm_jax.data.config:Data": "gm_jax.data:Data",
    "gm_jax.data.digits:Digits": "gm_jax.data:Digits",
    "gm_jax.data.image_data:ImageData": "gm_jax.data:ImageData",
    "gm_jax.data.image_folder:ImageFolder": "gm_jax.data:ImageFolder",
    "gm_jax.data.moving_mnist:MovingMnist": "gm_jax.data:MovingMnist",
    "gm_jax.data.sevir:Sevir": "gm_jax.data:Sevir",
    "gm_jax.data.spec:DataSpec": "gm_jax.data:DataSpec",
    "gm_jax.data.spec:Extra": "gm_jax.data:Extra",
    "gm_jax.data.storms:Storms": "gm_jax.data:Storms",
    "gm_jax.data.synthetic_storms:SyntheticStorms": "gm_jax.data:SyntheticStorms",
    "gm_jax.data.tfds_source:Tfds": "gm_jax.data:Tfds",
    "gm_jax.data.toy:Clusters": "gm_jax.data:Clusters",
    "gm_jax.data.toy:Grid": "gm_jax.data:Grid",
    "gm_jax.data.toy:Ring": "gm_jax.data:Ring",
    "gm_jax.data.transforms:Binarize": "gm_jax.data:Binarize",
    "gm_jax.data.transforms:CenterCrop": "gm_jax.data:CenterCrop",
    "gm_jax.data.transforms:DynamicBinarize": "gm_jax.data:DynamicBinarize",
    "gm_jax.data.transforms:Grayscale": "gm_jax.data:Grayscale",
    "gm_jax.data.transforms:HorizontalFlip": "gm_jax.data:HorizontalFlip",
    "gm_jax.data.transforms:Quantize": "gm_jax.data:Quantize",
    "gm_jax.data.transforms:Resize": "gm_jax.data:Resize",
    "gm_jax.experiment:Evaluation": "gm_jax:Evaluation",
    "gm_jax.experiment:Experiment": "gm_jax:Experiment",
    "gm_jax.experiment:Sharding": "gm_jax:Sharding",
    "gm_jax.experiment:Training": "gm_jax:Training",
    "gm_jax.functional.forecast_losses:ForecastLoss": "gm_jax.functional:ForecastLoss",
    "gm_jax.models.arm:ARM": "gm_jax.models:ARM",
    "gm_jax.models.autoencoder:Autoencoder": "gm_jax.models:Autoencoder",
    "gm_jax.models.bayes:Bayes": "gm_jax.models:Bayes",
    "gm_jax.models.cgan:CGAN": "gm_jax.models:CGAN",
    "gm_jax.models.classifier:Classifier": "gm_jax.models:Classifier",
    "gm_jax.models.convlstm:ConvLSTM": "gm_jax.models:ConvLSTM",
    "gm_jax.models.dcgan:DCGAN": "gm_jax.models:DCGAN",
    "gm_jax.models.ddpm:DDPM": "gm_jax.models:DDPM",
    "gm_jax.models.diffusion_naive:NaiveDiffusion": "gm_jax.models:NaiveDiffusion",
    "gm_jax.models.gan:GAN": "gm_jax.models:GAN",
    "gm_jax.models.gmm:GMM": "gm_jax.models:GMM",
    "gm_jax.models.pixelcnn:PixelCNN": "gm_jax.models:PixelCNN",
    "gm_jax.models.realnvp:RealNVP": "gm_jax.models:RealNVP",
    "gm_jax.models.unet_attention:UNetAttention": "gm_jax.models:UNetAttention",
    "gm_jax.models.vae:VAE": "gm_jax.models:VAE",
    "gm_jax.nets.coders:ConvCoder": "gm_jax.nets:ConvCoder",
    "gm_jax.nets.coders:DenseCoder": "gm_jax.nets:DenseCoder",
    "gm_jax.nets.denoisers:DenseDenoiser": "gm_jax.nets:DenseDenoiser",
    "gm_jax.nets.discriminators:ConvDiscriminator": "gm_jax.nets:ConvDiscriminator",
    "gm_jax.nets.discriminators:DenseDiscriminator": "gm_jax.nets:DenseDiscriminator",
    "gm_jax.nets.flows:ImageFlow": "gm_jax.nets:ImageFlow",
    "gm_jax.nets.flows:VectorFlow": "gm_jax.nets:VectorFlow",
    "gm_jax.nets.generators:ConvGenerator": "gm_jax.nets:ConvGenerator",
    "gm_jax.nets.generators:DenseGenerator": "gm_jax.nets:DenseGenerator",
    "gm_jax.nets.unet:UNet": "gm_jax.nets:UNet",
    "gm_jax.optimizer:Optimizer": "gm_jax:Optimizer",
}

_SAMPLING_FIELDS = {
    "gm_jax.models:ARM": ("gm_jax.models:AutoregressiveSampling", ("sampler",)),
    "gm_jax.models:PixelCNN": ("gm_jax.models:AutoregressiveSampling", ("sampler",)),
    "gm_jax.models:DDPM": (
        "gm_jax.models:DiffusionSampling",
        ("sampler", "sampler_steps", "eta", "guidance"),
    ),
    "gm_jax.models:RealNVP": ("gm_jax.models:FlowSampling", ("temperature",)),
}

# Whether the last frame is moved along was a yes or no, `warp`.
_FORECASTERS = ("gm_jax.models:ConvLSTM", "gm_jax.models:UNetAttention")

# Fields that came later, with the value that behaves as the code did before they came. One that is
# missing here makes every record of a recipe that has it one of another recipe.
_AS_BEFORE: dict[str, dict[str, Any]] = {
    "gm_jax:Optimizer": {"ema_warmup": False},
    "gm_jax.data:DataSpec": {"columns": None, "missing": None},
    "gm_jax.data:Extra": {"condition": False, "num_values": None},
    "gm_jax.data:MovingMnist": {"test_file": None},
    "gm_jax.data:SequenceData": {"augment": []},
    "gm_jax.data:Storms": {"split": "storm", "gap": None, "conditions": ()},
    "gm_jax.data:SyntheticStorms": {"kind": "smooth", "noise": None, "missing": None},
    "gm_jax:Sharding": {"state_min_size": None, "state_rules": []},
    "gm_jax:Training": {"samples_for_metrics": 0, "metrics_classifier": None},
    "gm_jax.functional:ForecastLoss": {"cross_entropy": 0.0},
    "gm_jax.models:Bayes": {"shrink_to": "data"},
    "gm_jax.models:CGAN": {"average_statistics": False},
    "gm_jax.models:ConvLSTM": {"initializer": "lecun_normal", "flow_steps": 1},
    "gm_jax.models:DCGAN": {"average_statistics": False},
    "gm_jax.models:DDPM": {"decoder_scale": "beta", "wave_octaves": 0},
    "gm_jax.models:DiffusionSampling": {"grid": "trailing", "begin": 1.0},
    "gm_jax.models:GAN": {"average_statistics": False},
    "gm_jax.models:GMM": {
        "starts": 1,
        "lloyd_steps": 0,
        "revival_steps": 0,
        "shrink_to": "data",
    },
    "gm_jax.models:PixelCNN": {"residual_rows": False, "visible_fan_in": False},
    "gm_jax.models:UNetAttention": {"initializer": "lecun_normal", "flow_steps": 1},
    "gm_jax.nets:UNet": {"middle_attention": True},
}


# Experiments whose data were a source in `Data`, and are a config that also takes files of one's
# own; by name, the source they had, the config, and its field for the source, if it has one.
_STORMS = ("gm_jax.data:SyntheticStorms", "gm_jax.data:StormData", "synthetic")
_DOORS: dict[str, tuple[str, str, str | None]] = {
    "storms/cae_attention_convlstm": _STORMS,
    "storms/cae_convlstm": _STORMS,
    "storms/cnn_convlstm": _STORMS,
    "storms/unet_attention": _STORMS,
    "moving_mnist/convlstm": (
        "gm_jax.data:MovingMnist",
        "gm_jax.data:MovingMnistData",
        "made",
    ),
    "sevir/unet_attention": ("gm_jax.data:Sevir", "gm_jax.data:SevirData", None),
}
_SAID_ABOVE = ("context", "targets")  # by the config, not by its source; storms' size, too


def as_written_today(plain: dict[str, Any]) -> dict[str, Any]:
    """A dataclass as plain values, as this version would have written it.

    What is named and placed as today stays as it is; so it may be done to any run.
    """
    name = EARLIER_NAMES.get(plain[CLASS], plain[CLASS])
    plain = {**plain, CLASS: name}
    if name in _SAMPLING_FIELDS:
        sampling, fields = _SAMPLING_FIELDS[name]
        moved = {field: plain.pop(field) for field in fields if field in plain}
        if moved:
            plain["sampling"] = {CLASS: sampling, **moved}
    if name == "gm_jax:Experiment" and isinstance(plain.get("data"), dict):
        recipe = str(plain.get("name")).partition(":")[0]
        plain["data"] = _through_its_door(recipe, plain["data"])
    unused = _unused(name, plain)
    if name in _FORECASTERS and "warp" in plain:
        plain["head"] = "blend" if plain.pop("warp") else "frame"
    before = {k: v for k, v in _AS_BEFORE.get(name, {}).items() if k not in unused}
    return {**before, **plain}


def _through_its_door(recipe: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data of an experiment as the config that they are today, where they were a source."""
    source = data.get("source")
    if recipe not in _DOORS or not isinstance(source, dict) or data.get("transforms"):
        return data
    was, config, nested = _DOORS[recipe]
    source = {**source, CLASS: EARLIER_NAMES.get(source[CLASS], source[CLASS])}
    if source[CLASS] != was:
        return data
    rest = {k: v for k, v in data.items() if k not in (CLASS, "source", "transforms")}
    if nested is None:
        return {**rest, **source, CLASS: config}
    moved = (*_SAID_ABOVE, "size") if nested == "synthetic" else _SAID_ABOVE
    above = {k: source[k] for k in moved if k in source}
    inner = {k: v for k, v in source.items() if k not in moved}
    return {CLASS: config, **rest, **above, nested: inner}


def _unused(name: str, plain: dict[str, Any]) -> set[str]:
    """Later fields that have no part in this config, whatever their value: they stay as today's.

    So a run that does not use them goes on under today's recipe.
    """
    match name.rpartition(":")[2]:
        case "Optimizer" if plain.get("ema_decay") is None:
            return {"ema_warmup"}
        case "GAN" | "DCGAN" | "CGAN" if plain["generator_optimizer"].get("ema_decay") is None:
            return {"average_statistics"}
        case "Bayes" | "GMM" if not plain.get("shrinkage"):
            return {"shrink_to"}
        case "PixelCNN" if not plain.get("gated"):
            return {"residual_rows"}
        case "UNet" if plain.get("attention"):
            return {"middle_attention"}  # in the middle, too, where any map has it
        case _:
            return set()


def without_later_fields(plain: dict[str, Any]) -> dict[str, Any]:
    """A dataclass as plain values of today, less the fields that change nothing.

    So a config is described in the same way before and after a field came, if it does not use it.
    """
    before = _AS_BEFORE.get(plain[CLASS], {})
    return {k: v for k, v in plain.items() if k not in before or v != before[k]}


def without_unused_fields(plain: dict[str, Any]) -> dict[str, Any]:
    """A dataclass as plain values of today, less later fields that have no part in this config."""
    unused = _unused(plain[CLASS], plain)
    return {k: v for k, v in plain.items() if k not in unused}
