"""Distances between sets of image features by kernel mean embeddings: KID and CMMD, both unbiased.

Unbiased means: over pairs of independent rows. Where a person has several rows, or both sets show the same persons, the
rows' persons must be given; pairs of one person are then left out everywhere, and equal sets are at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.metrics.frechet import checked

BLOCK_ROWS = 128  # rows of the kernel matrix at once: few enough to stay near the processor
CMMD_SIGMA = 10.0  # width of the Gaussian kernel (Jayasumana et al. 2024, arXiv 2401.09603)
CMMD_SCALE = 1000.0  # only so that the numbers are readable

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class KernelDistance:
    """Squared maximum mean discrepancy of two sets, unbiased: near 0, also below, for equal distributions.

    MMD_u² of Gretton et al. 2012, equation 3: means of a kernel over pairs of rows of different groups.

    Attributes:
        kernel: of all pairs of rows [n, D] and [m, D]: float64 [n, m].
        scale: factor on the distance.
    """

    kernel: Kernel
    scale: float = 1.0

    def __call__(
        self,
        x: Any,
        y: Any,
        groups_x: Sequence[Any] | None = None,
        groups_y: Sequence[Any] | None = None,
        within_y: float | None = None,
    ) -> float:
        """The distance.

        Args:
            x: [n, D].
            y: [m, D].
            groups_x: the person of each row of x, n of them; default: every row is another's.
            groups_y: likewise for y; both or neither. Persons of one name are the same on both sides.
            within_y: ``within(y, groups_y)``, where several x are compared with one y.

        Returns:
            The estimate; NaN for fewer than two rows (or persons) on a side.

        Raises:
            ValueError: not two-dimensional, different D, a number that is not finite, or groups that do not fit.
        """
        x, y = checked(x, y)
        labels_x, labels_y = _labels(len(x), len(y), groups_x, groups_y)
        if min(len(np.unique(labels_x)), len(np.unique(labels_y))) < 2:
            return float("nan")
        if within_y is None:
            within_y = _mean_within(y, labels_y, self.kernel)
        own = _mean_within(x, labels_x, self.kernel) + within_y
        return self.scale * (own - 2 * _mean_of_pairs(x, y, labels_x, labels_y, self.kernel))

    def within(self, x: Any, groups: Sequence[Any]) -> float:
        """Mean of the kernel over pairs of rows of one set [n, D] of different groups; NaN for fewer than two."""
        x, _ = checked(x, x)
        labels, _ = _labels(len(x), len(x), groups, groups)
        return _mean_within(x, labels, self.kernel) if len(np.unique(labels)) > 1 else float("nan")


def cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(x·y / D + 1)³ of all pairs of rows: float64 [n, m]."""
    base = x @ y.T
    base /= x.shape[1]
    base += 1
    kernel: np.ndarray = base * base  # NumPy's power takes ten times as long as products do
    kernel *= base
    return kernel


def gaussian(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """exp(-|x - y|² / 2σ²) of all pairs of rows: float64 [n, m]."""
    kernel: np.ndarray = x @ y.T
    kernel *= -2
    kernel += np.square(x).sum(1)[:, None]
    kernel += np.square(y).sum(1)
    np.maximum(kernel, 0, out=kernel)
    kernel /= -2 * CMMD_SIGMA**2
    np.exp(kernel, out=kernel)
    return kernel


kid = KernelDistance(cubic)
"""Kernel Inception Distance (Bińkowski et al. 2018, arXiv 1801.01401) over the whole sets: kernel (x·y / D + 1)³."""

cmmd = KernelDistance(gaussian, CMMD_SCALE)
"""CLIP Maximum Mean Discrepancy: Gaussian kernel of width 10, times 1,000.

Unbiased. The released code keeps the diagonals (biased, always positive): 1000·(2/N)·(1 - mean kernel) larger.
"""


def _labels(
    n: int, m: int, groups_x: Sequence[Any] | None, groups_y: Sequence[Any] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Each row's group as a number."""
    if groups_x is None and groups_y is None:
        return np.arange(n), np.arange(n, n + m)
    if groups_x is None or groups_y is None or len(groups_x) != n or len(groups_y) != m:
        raise ValueError(f"Groups must be given for both sides or neither, one for each of the {n} and {m} rows.")
    labels = np.unique(np.concatenate([np.asarray(groups_x), np.asarray(groups_y)]), return_inverse=True)[1]
    return labels[:n], labels[n:]


def _mean_within(x: np.ndarray, labels: np.ndarray, kernel: Kernel) -> float:
    """As ``_mean_of_pairs`` of a set with itself: the kernel is symmetric, so that the blocks above the diagonal do."""
    total, pairs = 0.0, 0
    for start in range(0, len(x), BLOCK_ROWS):
        apart = labels[start : start + BLOCK_ROWS, None] != labels[start:]
        values = kernel(x[start : start + BLOCK_ROWS], x[start:])
        values *= apart
        total += 2 * float(values.sum()) - float(values[:, : len(apart)].sum())
        pairs += 2 * int(apart.sum()) - int(apart[:, : len(apart)].sum())
    return total / pairs


def _mean_of_pairs(x: np.ndarray, y: np.ndarray, labels_x: np.ndarray, labels_y: np.ndarray, kernel: Kernel) -> float:
    total, pairs = 0.0, 0
    for start in range(0, len(x), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        apart = labels_x[rows, None] != labels_y
        values = kernel(x[rows], y)
        values *= apart
        total += float(values.sum())
        pairs += int(apart.sum())
    return total / pairs
