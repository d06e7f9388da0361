"""What a comparison could have found."""

from __future__ import annotations

import numpy as np


def minimum_detectable_effect(
    standard_error: np.ndarray, degrees_of_freedom: np.ndarray, power: float = 0.8, alpha: float = 0.05
) -> np.ndarray:
    """The true difference that a two-sided test of one comparison would find with this probability.

    ``(t_{1-α/2} + t_{power}) · standard error`` with quantiles of Student's t (Bloom 1995, Eval. Rev. 19:547).

    Args:
        standard_error: float64 [M], of the mean difference.
        degrees_of_freedom: float64 [M].
        power: probability to find it, in (0, 1).
        alpha: level of the test, in (0, 1), before correction for the number of tests.

    Returns:
        float64 [M] >= 0 in the units of the metric; NaN where the standard error is NaN.
    """
    from scipy.special import stdtrit

    quantiles = stdtrit(degrees_of_freedom, 1 - alpha / 2) + stdtrit(degrees_of_freedom, power)
    return np.asarray(quantiles * standard_error, dtype=np.float64)
