"""Whether an ensemble is as unsure as it is wrong."""

import numpy as np


def spread_skill_ratio(variance: np.ndarray, squared_error: np.ndarray, num: int) -> np.ndarray:
    """sqrt((R + 1) / R * mean variance) / sqrt(mean squared error) of the mean of R members.

    1 where what came is one more draw from what the members are drawn from; below 1 the ensemble
    is too sure. Variances are averaged, not deviations, and (R + 1) / R is there since the mean of
    few members has an error of its own (Fortin et al. 2014, "Why should ensemble spread match the
    RMSE of the ensemble mean?", J. Hydrometeorology 15).

    Args:
      variance: of the members, with R - 1 in the denominator, [n, ...].
      squared_error: of the members' mean, [n, ...].
      num: R, at least 2.

    Returns:
      float64 [...]; NaN where there is no error.

    Raises:
      ValueError: for fewer than two members.
    """
    if num < 2:
        raise ValueError(f"a spread needs two members, not {num}")
    spread = (num + 1) / num * np.asarray(variance, np.float64).mean(0)
    error = np.asarray(squared_error, np.float64).mean(0)
    return np.sqrt(spread / np.where(error == 0, np.nan, error))
