"""Intervals of means over trainings, images and prompts, when all three could have been others.

Cells that share a training, an image or a prompt are alike. The variance counts each kind of cluster, then takes away
what was counted twice (Cameron, Gelbach and Miller 2011, J. Bus. Econ. Stat. 29:238, eq. 2.14 for three ways). With a
handful of trainings a normal interval would be far too short: Student's t with Satterthwaite's degrees of freedom
(1946, Biometrics Bull. 2:110) over the three kinds, so that three trainings that differ much give wide intervals,
and three that agree do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

AXES = 3
EVERYTHING = (0, 1, 2)  # other trainings, images and prompts
THESE_PROMPTS = (0, 1)  # other trainings and images, exactly these prompts


@dataclass(frozen=True)
class CrossedEstimate:
    """A mean and its uncertainty; NaN where a kind of cluster has fewer than two.

    Attributes:
        mean: over all cells that are there.
        low: lower end of the interval.
        high: upper end of the interval.
        standard_error: clustered.
        degrees_of_freedom: of Student's t.
        p: two-sided, that the mean is 0.
        cells: how many there are.
    """

    mean: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    p: float
    cells: int


def crossed_estimate(
    values: np.ndarray, random: tuple[int, ...] = EVERYTHING, confidence: float = 0.95
) -> CrossedEstimate:
    """Mean of the cells with an interval for other trainings, images and prompts like these.

    Args:
        values: float64 [S, I, P], NaN where missing.
        random: axes whose entries could have been others; at least one.
        confidence: share of intervals that shall cover, in (0, 1).
    """
    from scipy.special import stdtr, stdtrit

    nan = float("nan")
    present = ~np.isnan(values)
    cells = int(present.sum())
    if not cells:
        return CrossedEstimate(nan, nan, nan, nan, nan, nan, 0)
    mean = float(values[present].mean())
    variance, freedom = crossed_variance(values, random)
    if np.isnan(variance):
        return CrossedEstimate(mean, nan, nan, nan, nan, nan, cells)
    error = float(np.sqrt(variance))
    if error == 0:
        return CrossedEstimate(mean, mean, mean, 0.0, freedom, 1.0 if mean == 0 else nan, cells)
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error))
    return CrossedEstimate(mean, mean - half, mean + half, error, freedom, p, cells)


def crossed_variance(values: np.ndarray, random: tuple[int, ...] = EVERYTHING) -> tuple[float, float]:
    """Variance of the mean of cells and its degrees of freedom.

    Each part is ``G/(G-1) Σ_g (Σ_{cells of g} residual)² / N²`` over the G groups of one, two or three kinds; parts of
    an odd number of kinds count, those of two are taken away. Never below the largest part of one kind.

    Args:
        values: float64 [S, I, P], NaN where missing.
        random: axes whose entries could have been others.

    Returns:
        both NaN where a kind of cluster has fewer than two.
    """
    present = ~np.isnan(values)
    residuals = np.where(present, values - values[present].mean() if present.any() else 0.0, 0.0)
    groups = [_groups(present, (axis,)) for axis in random]
    if min(groups) < 2:
        return float("nan"), float("nan")
    single = [_part(residuals, present, (axis,)) for axis in random]
    signed = sum(
        (1 if kinds % 2 else -1) * _part(residuals, present, axes)
        for kinds in range(1, len(random) + 1)
        for axes in combinations(random, kinds)
    )
    variance = max(*single, signed)
    if not sum(single):
        return 0.0, float(min(groups) - 1)
    freedom = sum(single) ** 2 / sum(part**2 / (count - 1) for part, count in zip(single, groups, strict=True))
    return variance, freedom


def _part(residuals: np.ndarray, present: np.ndarray, axes: tuple[int, ...]) -> float:
    """Variance of the mean if exactly the groups of these axes were independent."""
    count = _groups(present, axes)
    sums = residuals.sum(_others(axes))
    return float((sums**2).sum() / present.sum() ** 2 * count / (count - 1))


def _groups(present: np.ndarray, axes: tuple[int, ...]) -> int:
    """Groups of these axes that hold a cell."""
    return int(present.any(_others(axes)).sum())


def _others(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for axis in range(AXES) if axis not in axes)
