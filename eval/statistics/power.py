"""What a comparison could have found."""

from __future__ import annotations

import math

import numpy as np

from eval.statistics.cells import LIKE_THESE, THESE_PROMPTS, check_population
from eval.statistics.permutation import DRAWS

LEVEL = 0.05  # of a corrected test


def minimum_detectable_effect(
    standard_error: np.ndarray, degrees_of_freedom: np.ndarray, power: float = 0.8, alpha: float = LEVEL
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


def smallest_p(clusters: int, draws: int = DRAWS) -> float:
    """The smallest p that sign flips of so many images (or prompts) can reach, however large the difference.

    Half of the 2ⁿ patterns are mirror images of the others; where there are more than ``draws``, so many are drawn.

    >>> smallest_p(10), smallest_p(1)
    (0.001953125, 1.0)
    """
    patterns = 2 ** (clusters - 1) if clusters > 0 else 1
    return 1 / patterns if patterns <= draws else 1 / (draws + 1)


def clusters_needed(tests: int, draws: int = DRAWS, level: float = LEVEL) -> int | None:
    """How many images (or prompts) it takes for one of so many tests to be able to show a difference (Holm).

    None where the draws are too few for so many tests, whatever the images.

    >>> clusters_needed(1), clusters_needed(32), clusters_needed(10**6)
    (6, 11, None)
    """
    most = math.ceil(math.log2(draws)) + 2
    return next((n for n in range(2, most + 1) if tests * smallest_p(n, draws) < level), None)


def too_small(
    images: int,
    prompts: int,
    tests: int,
    population: str = THESE_PROMPTS,
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> str | None:
    """One sentence if so many images and prompts cannot show any difference after correction; None if they can.

    Args:
        images: that the editors share.
        prompts: that they share.
        tests: how many p-values are corrected together.
        population: ``these-prompts`` flips images; ``prompts-like-these`` flips prompts, too.
        draws: sign patterns of a test.
        level: below which a corrected p counts.

    Raises:
        UsageError: an unknown population.

    >>> too_small(10, 16, 32)[:53]
    '10 images cannot show any difference in 32 tests: the'
    >>> too_small(11, 16, 32) is None
    True
    """
    check_population(population)
    kinds = {"images": images} | ({"prompts": prompts} if population == LIKE_THESE else {})
    for kind, count in kinds.items():
        p = smallest_p(count, draws)
        if tests * p < level:
            continue
        needed, fewer = clusters_needed(tests, draws, level), math.ceil(level / p) - 1
        ways = ([f"{needed} {kind}"] if needed else []) + (
            [f"at most {fewer:,} test{'s' * (fewer != 1)}"] if fewer else []
        )
        return (
            f"{count} {kind if count != 1 else kind[:-1]} cannot show any difference "
            f"in {tests:,} test{'s' * (tests != 1)}: the smallest p of their sign flips is 1/{round(1 / p):,}, "
            f"corrected {min(1.0, tests * p):.3g}. It takes {', or '.join(ways)}."
        )
    return None
