"""Labels of conditional families: which a batch has, and which to draw by."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, UserError

Array = jax.Array


def num_labels(family: str, spec: DataSpec) -> int:
    """K of data that have labels.

    Raises:
      ConfigError: data without labels.
    """
    if spec.num_classes is None:
        raise ConfigError(
            f"{family} needs labels, and these data have none: choose other data, or a family or "
            "setting that learns without labels"
        )
    return spec.num_classes


def labels_of(family: str, batch: Mapping[str, Any]) -> Array:
    """The labels of a batch's images, int32 [B].

    Raises:
      UserError: a batch without labels.
    """
    if "label" not in batch:
        raise UserError(
            f"this {family} was trained with labels and needs those of the images: give a batch "
            'with "label" [B]',
            "gm-jax interpolate: go between latents, --seed 0",
        )
    return jnp.asarray(batch["label"])


def labels_to_draw(condition: Any, num: int, spec: DataSpec) -> Array:
    """The labels that `num` images are drawn by, [num]: those asked for, or the classes in turn."""
    if condition is not None:
        return jnp.asarray(condition)
    return jnp.arange(num) % (spec.num_classes or 1)


def refuse_condition(family: str, condition: Any) -> None:
    """For families and models without labels.

    Raises:
      UserError: a condition was given.
    """
    if condition is not None:
        raise UserError(
            f"this {family} was trained without labels: leave out the condition", "--label"
        )


def one_hot(labels: Any, spec: DataSpec) -> Array:
    """float32 [B, K] of labels [B]."""
    return jax.nn.one_hot(jnp.asarray(labels), spec.num_classes or 1)
