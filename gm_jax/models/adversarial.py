"""What the adversarial families share: two networks, a game, and one update.

The generator maps latents z ~ N(0, I) to images; the discriminator tells them from real ones. Real
and generated images go through the discriminator in batches of their own, so that batch norm sees
one kind at a time (Radford et al. 2016, arXiv:1511.06434; Ioffe & Szegedy's statistics of a mixed
batch would tell the kinds apart by themselves). Running statistics serve sampling and evaluation
only; each player moves its own, in its own step.

There is no likelihood: the figures are those of the game, and a lower one is not a better model.
"""

import dataclasses
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, check_not_negative, check_positive
from gm_jax.functional.adversarial import (
    AdversarialLoss,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)
from gm_jax.functional.dequantization import from_symmetric, from_unit, to_symmetric, to_unit
from gm_jax.functional.dtypes import DTYPES
from gm_jax.functional.latents import truncated_normal
from gm_jax.labels import labels_of, labels_to_draw, num_labels, one_hot, refuse_condition
from gm_jax.model import (
    Array,
    Batch,
    Family,
    FigureKind,
    Metrics,
    TrainState,
    create_state,
    ema_rate,
)
from gm_jax.nets.discriminators import DenseDiscriminator, Discriminator
from gm_jax.nets.generators import DenseGenerator, Generator
from gm_jax.optimizer import Optimizer
from gm_jax.rng import Rngs
from gm_jax.sampling import LatentSampling
from gm_jax.two_player import two_player_update

PLAYERS = ("discriminator", "generator")
_AVERAGE = "generator_average"
"""Batch statistics that belong to the averaged generator, in the state of both players."""


@dataclasses.dataclass(frozen=True)
class Adversarial(Family):
    """A generator against a discriminator."""

    generator: Generator = DenseGenerator()
    """Maps latents to images."""
    discriminator: Discriminator = DenseDiscriminator()
    """Tells real images from generated ones."""
    latent_dim: int = 100
    """Size of z."""
    loss: AdversarialLoss = "non_saturating"
    """The game."""
    real_label: float = 1.0
    """Target for real images; below 1 is one-sided label smoothing (above 1: least_squares)."""
    gradient_penalty: float = 10.0
    """Weight λ of the gradient penalty (wgan_gp)."""
    discriminator_steps: int = 1
    """Steps of the discriminator, each on a batch of its own, for one of the generator."""
    sampling: LatentSampling = LatentSampling()
    """How images are drawn."""
    generator_optimizer: Optimizer = Optimizer(learning_rate=2e-4, b1=0.5)
    """How the generator moves; its ema_decay averages the generator that samples are drawn from."""
    discriminator_optimizer: Optimizer = Optimizer(learning_rate=2e-4, b1=0.5)
    """How the discriminator moves."""
    average_statistics: bool = True
    """Whether the averaged generator has averaged batch statistics, too, not the live one's."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type the networks compute in; parameters and losses stay float32."""

    monitor: ClassVar[str] = "generator_loss"
    takes_points: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive(self, "latent_dim", "real_label", "discriminator_steps")
        check_not_negative(self, "gradient_penalty")
        name = type(self).__name__
        if self.discriminator_optimizer.ema_decay is not None:
            raise ConfigError(
                f"{name}.discriminator_optimizer.ema_decay averages nothing that is used: set "
                "generator_optimizer.ema_decay"
            )
        if self.real_label != 1 and self.loss in ("wgan_gp", "hinge"):
            raise ConfigError(f"{name}.real_label has no part in the loss {self.loss}: leave it 1")
        if self.real_label > 1 and self.loss == "non_saturating":
            raise ConfigError(
                f"{name}.real_label must be at most 1 in the loss non_saturating, which has no "
                f"least value beyond it, not {self.real_label}"
            )
        if self.loss == "wgan_gp" and self.discriminator.norm == "batch":
            raise ConfigError(
                f"{name}.discriminator.norm batch mixes the images whose gradients wgan_gp "
                "penalizes one by one: set layer, spectral or none"
            )

    def check_batch(self, size: int) -> None:
        """Looks whether batch norm has several images to compare.

        Raises:
          ConfigError: a batch of one, whose dense features it would set to 0 whatever they are.
        """
        for player in PLAYERS:
            if size == 1 and getattr(self, player).norm == "batch":
                raise ConfigError(
                    f"{type(self).__name__}.{player}.norm batch learns nothing from batches of 1: "
                    f"set data.batch_size to 2 or more, or model.{player}.norm to layer",
                    f"--data.batch-size, --model.{player}.norm",
                )

    def quick(self) -> "Adversarial":
        return dataclasses.replace(
            self,
            generator=self.generator.quick(),
            discriminator=self.discriminator.quick(),
            latent_dim=min(self.latent_dim, 4),
        )

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        return {"discriminator_loss": "surrogate", "generator_loss": "surrogate"}

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A fresh state.

        Raises:
          ConfigError: points with a generator whose output is bounded; a conditional family, and
            data without labels.
        """
        if spec.continuous and self.generator.output != "linear":
            raise ConfigError(
                f"{type(self).__name__}.generator.output must be linear for points, "
                f"not {self.generator.output}"
            )
        z, x = jnp.zeros((1, self.latent_dim)), jnp.zeros((1, *spec.shape))
        condition = None
        if self.conditional:
            condition = jnp.zeros((1, num_labels(type(self).__name__, spec)))
        variables = {
            "generator": self._generator(spec).init(
                rngs("params/generator"), z, condition, train=False
            ),
            "discriminator": self._discriminator().init(
                rngs("params/discriminator"), x, condition, train=False
            ),
        }
        params = {player: variables[player].pop("params") for player in PLAYERS}
        if self._averages_statistics and variables["generator"]:
            variables[_AVERAGE] = jax.tree.map(jnp.copy, variables["generator"])
        return create_state(rngs, spec, params, self._optimizers, variables)

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        spec = state.spec
        x = self._scaled(batch["image"], spec)  # [B, H, W, C]
        condition = self._condition_of(batch, spec)

        def generate(params: Any, model_state: Any, stream: str) -> tuple[Array, Any]:
            z = jax.random.normal(rngs(stream), (len(x), self.latent_dim))  # [B, K]
            return self._generate(params, model_state, spec, z, condition, train=True)

        def discriminate(params: Any, model_state: Any, x: Array, stream: str) -> tuple[Array, Any]:
            return self._discriminate(params, model_state, x, condition, rngs(stream))

        def discriminator_objective(
            params: Any, model_state: Any
        ) -> tuple[Array, tuple[Metrics, Any]]:
            fake, _ = generate(params, model_state, "noise/discriminator")
            real_logits, stats = discriminate(params, model_state, x, "dropout/real")  # [B]
            fake_logits, stats = discriminate(params, stats, fake, "dropout/fake")  # [B]
            loss = discriminator_loss(self.loss, real_logits, fake_logits, self.real_label).mean()
            metrics = {
                "generator_loss": generator_loss(self.loss, fake_logits).mean(),
                "real_score": real_logits.mean(),
                "fake_score": fake_logits.mean(),
            }
            if self.loss == "wgan_gp":
                penalty = gradient_penalty(
                    rngs("interpolation"),
                    lambda between: discriminate(params, stats, between, "dropout/between")[0],
                    x,
                    fake,
                ).mean()
                metrics["gradient_penalty"] = penalty
                loss += self.gradient_penalty * penalty
            return loss, (metrics, stats)

        def generator_objective(params: Any, model_state: Any) -> tuple[Array, tuple[Metrics, Any]]:
            fake, stats = generate(params, model_state, "noise/generator")
            fake_logits, _ = discriminate(params, stats, fake, "dropout/generator")
            if _AVERAGE in stats:
                moved = optax.incremental_update(
                    stats["generator"], stats[_AVERAGE], self._statistics_rate(state)
                )
                stats = {**stats, _AVERAGE: moved}
            return generator_loss(self.loss, fake_logits).mean(), ({}, stats)

        return two_player_update(
            state,
            discriminator_objective,
            generator_objective,
            self._optimizers,
            self.discriminator_steps,
        )

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """Both players' losses (no penalty), and the discriminator's logits, [B] each."""
        spec = state.spec
        x, condition = self._scaled(batch["image"], spec), self._condition_of(batch, spec)
        z = jax.random.normal(rngs("noise/evaluation"), (len(x), self.latent_dim))
        params = {**state.params, **(state.ema_params or {})}
        fake, _ = self._generate(params, _averaged(state), spec, z, condition, train=False)
        real_logits, _ = self._discriminate(params, state.model_state, x, condition)
        fake_logits, _ = self._discriminate(params, state.model_state, fake, condition)
        return {
            "generator_loss": generator_loss(self.loss, fake_logits),
            "discriminator_loss": discriminator_loss(
                self.loss, real_logits, fake_logits, self.real_label
            ),
            "real_score": real_logits,
            "fake_score": fake_logits,
        }

    def sample(self, state: TrainState, rngs: Rngs, num: int, condition: Any = None) -> Array:
        """Images of draws from the prior: uint8 levels [num, H, W, C] (points: float32)."""
        return self.decode(state, self.draw_latents(state, rngs, num), condition)

    def draw_latents(self, state: TrainState, rngs: Rngs, num: int) -> Array:
        """z ~ N(0, I), float32 [num, K], of which none exceeds the truncation, if any."""
        return truncated_normal(rngs("prior"), (num, self.latent_dim), self.sampling.truncation)

    def decode(self, state: TrainState, z: Array, condition: Any = None) -> Array:
        """Images of latents [B, K]: uint8 levels [B, H, W, C] (points: float32).

        Args:
          state: of a trained model.
          z: latents.
          condition: labels [B] of a conditional family (None: the classes in turn, 0, 1, 2, ...).

        Raises:
          UserError: a condition to an unconditional family.
        """
        spec = state.spec
        if self.conditional:
            condition = one_hot(labels_to_draw(condition, len(z), spec), spec)
        else:
            refuse_condition(type(self).__name__, condition)
        x, _ = self._generate(state.eval_params, _averaged(state), spec, z, condition, train=False)
        if spec.continuous:
            return spec.restored(x)
        back = from_unit if self.generator.output == "sigmoid" else from_symmetric
        return back(x, spec.num_levels)

    @property
    def _averages_statistics(self) -> bool:
        return self.average_statistics and self.generator_optimizer.ema_decay is not None

    def _statistics_rate(self, state: TrainState) -> Array:
        """How far the averaged statistics move: as the averaged parameters do in this step."""
        optimizer = self.generator_optimizer
        rate = ema_rate(optimizer, state.step // self.discriminator_steps)
        if optimizer.accumulate_steps == 1:
            return rate
        completes = state.opt_state["generator"].mini_step == optimizer.accumulate_steps - 1
        return jnp.where(completes, rate, 0.0)

    @property
    def _optimizers(self) -> dict[str, Optimizer]:
        return {
            "generator": self.generator_optimizer,
            "discriminator": self.discriminator_optimizer,
        }

    def _generator(self, spec: DataSpec) -> nn.Module:
        return self.generator.module(spec.shape, DTYPES[self.dtype])

    def _discriminator(self) -> nn.Module:
        return self.discriminator.module(DTYPES[self.dtype])

    def _scaled(self, image: Array, spec: DataSpec) -> Array:
        """Real images in the range of the generator's output, float32 [B, H, W, C]."""
        if spec.continuous:
            return spec.standardized(image)
        scale = to_unit if self.generator.output == "sigmoid" else to_symmetric
        return scale(image, spec.num_levels)

    def _condition_of(self, batch: Batch, spec: DataSpec) -> Array | None:
        """One-hot labels [B, M] of a conditional family, None for others."""
        return one_hot(labels_of(type(self).__name__, batch), spec) if self.conditional else None

    def _generate(
        self,
        params: Any,
        model_state: Any,
        spec: DataSpec,
        z: Array,
        condition: Array | None,
        train: bool,
    ) -> tuple[Array, Any]:
        """G(z) [B, H, W, C], and the model_state of both players after it."""
        variables = {"params": params["generator"], **model_state["generator"]}
        x, moved = self._generator(spec).apply(
            variables, z, condition, train=train, mutable=list(model_state["generator"])
        )
        return x, {**model_state, "generator": moved}

    def _discriminate(
        self,
        params: Any,
        model_state: Any,
        x: Array,
        condition: Array | None,
        dropout_key: Array | None = None,
    ) -> tuple[Array, Any]:
        """D(x) [B], and the model_state of both players after it; training with a key."""
        variables = {"params": params["discriminator"], **model_state["discriminator"]}
        logits, moved = self._discriminator().apply(
            variables,
            x,
            condition,
            train=dropout_key is not None,
            mutable=list(model_state["discriminator"]),
            rngs=None if dropout_key is None else {"dropout": dropout_key},
        )
        return logits, {**model_state, "discriminator": moved}


def _averaged(state: TrainState) -> Any:
    """The state of both players, that of the averaged generator in the generator's place."""
    model_state = state.model_state
    if _AVERAGE not in model_state:
        return model_state
    return {**model_state, "generator": model_state[_AVERAGE]}
