"""Whether an ensemble is as unsure as it is wrong."""

import numpy as np


def spread_skill_ratio(variance: np.ndarray, squared_error: np.ndarray, num: int) -> np.ndarray:
    """sqrt((R + 1) / R * mean variance) / sqrt(mean squared error) of the mean of R members.

    1 where what came is one more draw from what the members are drawn from; below 1 the ensemble
    is too sure. Variances are averaged, not deviations, and (R + 1) / R is there since the mean of
    few members has an error of its own (Fortin et al. 2014, "Why should ensemble spread match the
    RMSE of the ensemble mean?", J. Hydrometeorology 15).

    Args:
      variance: of the members, with R - 1 in the denominator, [n, ...]; NaN where nothing is known.
      squared_error: of the members' mean, [n, ...]; NaN where nothing is known.
      num: R, at least 2.

    Returns:
      float64 [...]; NaN where there is no error.

    Raises:
      ValueError: for fewer than two members.
    """
    if num < 2:
        raise ValueError(f"a spread needs two members, not {num}")
    known = ~(np.isnan(variance) | np.isnan(squared_error))
    # Sums do: both means are over as many.
    spread, error = (
        np.where(known, values, 0.0).sum(0, np.float64) for values in (variance, squared_error)
    )
    return np.sqrt((num + 1) / num * spread / np.where(error == 0, np.nan, error))
