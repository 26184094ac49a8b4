"""Pure maths without parameters."""

from typing import TYPE_CHECKING

from gm_jax.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from gm_jax.functional.forecast_losses import ForecastLoss as ForecastLoss

_LAZY = {
    "ForecastLoss": "gm_jax.functional.forecast_losses:ForecastLoss",
}

__all__ = sorted(_LAZY)
__getattr__, __dir__ = lazy_exports(__name__, _LAZY)
