"""Distances between sets of image features by kernel mean embeddings: KID and CMMD, both unbiased."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eval.metrics.frechet import checked

BLOCK_ROWS = 1024  # rows of the kernel matrix in memory at once
CMMD_SIGMA = 10.0  # width of the Gaussian kernel (Jayasumana et al. 2024, arXiv 2401.09603)
CMMD_SCALE = 1000.0  # only so that the numbers are readable

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def kid(x: Any, y: Any) -> float:
    """Kernel Inception Distance (Bińkowski et al. 2018, arXiv 1801.01401) over the whole sets.

    Squared maximum mean discrepancy with the kernel (x·y / D + 1)³. Being unbiased, it is near 0, also below, for equal
    distributions at any N.

    Args:
        x: [n, D].
        y: [m, D].

    Returns:
        The estimate; NaN for fewer than two rows on a side.

    Raises:
        ValueError: not two-dimensional, different D, or a number that is not finite.
    """
    return _unbiased_mmd(*checked(x, y), _cubic)


def kid_subsets(x: Any, y: Any, count: int, size: int, rng: np.random.Generator) -> tuple[float, float]:
    """KID as most papers print it: mean and standard deviation over random subsets of ``size`` rows of each side.

    The deviation describes subsets of that size; it is no standard error of the mean.

    Raises:
        ValueError: ``size`` is larger than a side, or as for ``kid``.
    """
    x, y = checked(x, y)
    if size > min(len(x), len(y)):
        raise ValueError(
            f"The 'size' parameter of kid_subsets must be at most {min(len(x), len(y))}, the rows that there are. "
            f"Got {size} instead."
        )
    values = [
        _unbiased_mmd(x[rng.permutation(len(x))[:size]], y[rng.permutation(len(y))[:size]], _cubic)
        for _ in range(count)
    ]
    return float(np.mean(values)), float(np.std(values, ddof=1)) if count > 1 else float("nan")


def cmmd(x: Any, y: Any) -> float:
    """CLIP Maximum Mean Discrepancy: Gaussian kernel of width 10, times 1,000.

    Unbiased. The released code keeps the diagonals (biased, always positive): 1000·(2/N)·(1 - mean kernel) larger.

    Args:
        x: [n, E] unit-norm CLIP image features.
        y: [m, E].

    Returns:
        The estimate; NaN for fewer than two rows on a side.
    """
    return CMMD_SCALE * _unbiased_mmd(*checked(x, y), _gaussian)


def _cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    kernel: np.ndarray = (x @ y.T / x.shape[1] + 1) ** 3
    return kernel


def _gaussian(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    squared = np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T
    kernel: np.ndarray = np.exp(-squared.clip(min=0) / (2 * CMMD_SIGMA**2))
    return kernel


def _unbiased_mmd(x: np.ndarray, y: np.ndarray, kernel: Kernel) -> float:
    """Squared MMD_u of Gretton et al. 2012, equation 3: means over pairs of different rows within each set."""
    if min(len(x), len(y)) < 2:
        return float("nan")
    return _mean_of_pairs(x, kernel) + _mean_of_pairs(y, kernel) - 2 * _sum(x, y, kernel) / (len(x) * len(y))


def _mean_of_pairs(x: np.ndarray, kernel: Kernel) -> float:
    diagonal = sum(float(kernel(row[None], row[None])[0, 0]) for row in x)
    return (_sum(x, x, kernel) - diagonal) / (len(x) * (len(x) - 1))


def _sum(x: np.ndarray, y: np.ndarray, kernel: Kernel) -> float:
    return sum(float(kernel(x[start : start + BLOCK_ROWS], y).sum()) for start in range(0, len(x), BLOCK_ROWS))
