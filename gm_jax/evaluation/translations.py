"""How well images translated from other channels say where a field exceeds a threshold."""

import jax
import numpy as np

from gm_jax.data.split import Split
from gm_jax.evaluation.figure import Figure
from gm_jax.metrics.csi import contingency, critical_success_index, jackknife
from gm_jax.model import Family, TrainState, Translates, require


def translated_events(
    model: Family, state: TrainState, split: Split, batch_size: int
) -> dict[str, Figure]:
    """The critical success index over a split, for each threshold of the data.

    Args:
      model: of a family that translates.
      state: of it.
      split: whose images are made from those beside them.
      batch_size: images made at once.

    Returns:
      "csi_16" for a threshold of 16, and so on; NaN where neither the truth nor what was made has
      such a pixel. None without thresholds.

    Raises:
      UserError: the family cannot translate these data.
    """
    spec = state.spec
    require(model, spec, "translate")
    assert isinstance(model, Translates)
    if not spec.thresholds:
        return {}

    @jax.jit
    def counts(state: TrainState, batch: dict[str, jax.Array]) -> object:
        made = model.translate(state, {e.name: batch[e.name] for e in spec.extras})
        came = batch["image"]
        return contingency(made, came, spec.thresholds, spec.seen(came))

    rows = []
    for batch in split.eval_batches(batch_size):
        mask = batch.pop("mask")
        rows.append(jax.tree.map(lambda v, mask=mask: np.asarray(v)[mask], counts(state, batch)))
    joined = jax.tree.map(lambda *parts: np.concatenate(parts), *rows)  # [N, K] each
    values, errors = critical_success_index(joined), jackknife(joined)
    return {
        f"csi_{threshold}": Figure(float(value), "estimate", len(joined.hits), float(error))
        for threshold, value, error in zip(spec.thresholds, values, errors, strict=True)
    }
