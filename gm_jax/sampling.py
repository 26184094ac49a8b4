"""How a family draws: what may change after training, because no update sees it.

A family that draws in several ways has one of these as its field `sampling`. A run is resumed with
another one, and `Run.sample(**fields)` and `gm-jax sample` replace its fields for a single call.
"""

import dataclasses
from typing import Literal

from gm_jax.config_types import Config
from gm_jax.errors import ConfigError, check_not_negative, check_positive
from gm_jax.functional.diffusion_samplers import GridName, SamplerName, VarianceName


@dataclasses.dataclass(frozen=True)
class LatentSampling(Config):
    """Images as functions of latents z ~ N(0, I)."""

    truncation: float | None = None
    """No latent exceeds this in size, e.g. 0.7: more typical images, less diverse (None: all)."""

    def __post_init__(self) -> None:
        check_positive(self, "truncation")


@dataclasses.dataclass(frozen=True)
class FlowSampling(LatentSampling):
    """Latents of a flow: z ~ N(0, temperature² I). Densities keep temperature 1."""

    temperature: float = 1.0
    """Standard deviation of the latents (Kingma & Dhariwal 2018): below 1 is more typical."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "temperature")


@dataclasses.dataclass(frozen=True)
class AutoregressiveSampling(Config):
    """One value after the other."""

    sampler: Literal["cached", "predictive", "plain"] = "cached"
    """All of them draw the same images, at different speed."""


@dataclasses.dataclass(frozen=True)
class DiffusionSampling(Config):
    """From noise to an image, step by step."""

    sampler: SamplerName = "ancestral"
    """How a step is taken."""
    sampler_steps: int | None = None
    """Calls of the network for an image, at most the steps of training (None: all of them)."""
    grid: GridName = "uniform"
    """The steps that ancestral and ddim visit: uniform from T to 1, quadratic (from 0.8 T, dense
    where there is little noise), or trailing (from T to T / sampler_steps)."""
    begin: float | None = None
    """Where dpm_solver_pp_2m begins, as a share of the steps (None: 0.995 on the cosine schedule,
    whose last steps hold no signal; else 1)."""
    variance: VarianceName = "posterior"
    """Of a step of the sampler ancestral: the least it can be (β̃ in the paper), or the most (β)."""
    eta: float = 0.0
    """Noise of ddim: 0 is none, 1 that of ancestral sampling."""
    guidance: float = 1.0
    """By the label: 1 is plain p(x|y), 0 leaves it out, above 1 exaggerates it (Ho & Salimans 2022,
    arXiv:2207.12598; their weight w is this minus 1)."""

    def __post_init__(self) -> None:
        check_positive(self, "sampler_steps", "begin")
        check_not_negative(self, "eta", "guidance")
        name = type(self).__name__
        for field, value in {"eta": self.eta, "begin": self.begin}.items():
            if value is not None and value > 1:
                raise ConfigError(f"{name}.{field} must be at most 1, not {value:g}")
        if self.variance != "posterior" and self.sampler != "ancestral":
            raise ConfigError(
                f"{name}.variance has no part in the sampler {self.sampler}: take ancestral"
            )
        if self.eta and self.sampler != "ddim":
            raise ConfigError(f"{name}.eta has no part in the sampler {self.sampler}: take ddim")
