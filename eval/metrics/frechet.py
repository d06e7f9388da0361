"""Fréchet distance between two sets of image features (Heusel et al. 2017, arXiv 1706.08500), exact and fast.

    FD = |μ1 - μ2|² + tr Σ1 + tr Σ2 - 2 tr (Σ1 Σ2)^½

With the centred features of each set divided by √(n - 1) as rows of A and B, Σ1 = AᵀA, Σ2 = BᵀB, and

    tr (Σ1 Σ2)^½ = ‖A Bᵀ‖_*        the sum of the singular values of A Bᵀ

so no matrix square root is taken, nothing is imaginary, and fewer images than features are no special case. Everything
is float64. The name of the feature network belongs to the number: ``fid`` only for Inception, else ``fd_<domain>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np


def frechet_distance(x: Any, y: Any) -> float:
    """Fréchet distance between two sets of features.

    It is biased upwards by about a constant over N: compare only distances of equal N, beside ``frechet_floor``.

    Args:
        x: [n, D] array or CPU tensor of finite numbers.
        y: [m, D], likewise.

    Returns:
        At least 0; 0 for equal sets; NaN for fewer than two rows on either side.

    Raises:
        ValueError: not two-dimensional, different D, or a number that is not finite.

    >>> round(frechet_distance([[0.0], [2.0]], [[3.0], [7.0]]), 9)  # (1 - 5)² + (√2 - √8)²
    18.0
    """
    x, y = checked(x, y)
    if min(len(x), len(y)) < 2:
        return float("nan")
    return distance_of_rows(*scaled(x), *scaled(y))


def frechet_from_statistics(
    mean1: np.ndarray, covariance1: np.ndarray, mean2: np.ndarray, covariance2: np.ndarray
) -> float:
    """Fréchet distance of two Gaussians, for stored statistics such as pytorch-fid's ``.npz`` files.

    Args:
        mean1: float64 [D].
        covariance1: float64 [D, D], symmetric, positive semi-definite.
        mean2: float64 [D].
        covariance2: float64 [D, D].

    Returns:
        At least 0.
    """
    trace = float(np.trace(covariance1) + np.trace(covariance2))
    return _combine(mean1 - mean2, trace, _singular_value_sum(_factor(covariance1) @ _factor(covariance2).T))


def frechet_floor(
    real: Any, n: int, rng: np.random.Generator, groups: Sequence[Any] | None = None, splits: int = 4
) -> float:
    """Real-against-real distance at the size ``n``: what two samples of the same distribution score.

    The features are split at random into two disjoint sets, ``splits`` times. Where there are fewer than 2 n rows the
    halves are smaller, and the mean is scaled by their size over ``n``, since the floor falls as 1/N.

    Args:
        real: [N, D] features of real images.
        n: the size of the sets whose distance the floor stands beside.
        rng: draws the splits.
        groups: the source image of each row; rows of one image stay on one side.
        splits: how often.

    Returns:
        Mean distance over the splits; NaN where a side cannot have two rows.
    """
    real, _ = checked(real, real)
    labels = np.arange(len(real)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    values = []
    for _ in range(splits):
        order = rng.permutation(labels.max() + 1) if len(labels) else labels
        left = order[labels] < (len(order) + 1) // 2
        sides = [rng.permutation(np.flatnonzero(side))[:n] for side in (left, ~left)]
        size = min(map(len, sides))
        values.append(frechet_distance(real[sides[0][:size]], real[sides[1][:size]]) * size / n)
    return float(np.mean(values))


def checked(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both sets as float64 [n, D] and [m, D].

    Raises:
        ValueError: not two-dimensional, different D, or a number that is not finite.
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"Features must be two arrays [n, D] of the same D. Got shapes {first.shape} and {second.shape} instead."
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("Features must be finite. Got NaN or infinity instead.")
    return first, second


def scaled(x: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and rows A [n, D] with AᵀA the (unbiased) covariance.

    Args:
        x: float64 [n, D].
        weights: how often each row counts, int or float [n]; default once.
    """
    if weights is None:
        mean = x.mean(0)
        return mean, (x - mean) / np.sqrt(len(x) - 1)
    there, count = weights > 0, weights.sum()
    x, weights = x[there], weights[there]
    mean = weights @ x / count
    return mean, (x - mean) * np.sqrt(weights / (count - 1))[:, None]


def reduced(rows: np.ndarray) -> np.ndarray:
    """F [min(n, D), D] with FᵀF = AᵀA: A itself, or the triangle of its QR decomposition if A is taller than wide."""
    if len(rows) <= rows.shape[1]:
        return rows
    return np.asarray(np.linalg.qr(rows, mode="r"))


def distance_of_rows(mean1: np.ndarray, a: np.ndarray, mean2: np.ndarray, b: np.ndarray) -> float:
    """Distance from means [D] and rows with AᵀA, BᵀB the covariances, as ``scaled`` gives them."""
    trace = float(np.vdot(a, a) + np.vdot(b, b))
    return _combine(mean1 - mean2, trace, _singular_value_sum(reduced(a) @ reduced(b).T))


def _combine(difference: np.ndarray, trace: float, nuclear: float) -> float:
    # The sum is not negative by Hölder's inequality; what is below zero is rounding.
    return max(float(difference @ difference) + trace - 2 * nuclear, 0.0)


def _singular_value_sum(matrix: np.ndarray) -> float:
    return float(np.linalg.svd(matrix, compute_uv=False).sum())


def _factor(covariance: np.ndarray) -> np.ndarray:
    """F with FᵀF = Σ: Cholesky's, or from the eigenvalues where Σ is singular to working precision."""
    with suppress(np.linalg.LinAlgError):
        return np.asarray(np.linalg.cholesky(covariance).T)
    values, vectors = np.linalg.eigh(covariance)
    root: np.ndarray = np.sqrt(values.clip(min=0))[:, None] * vectors.T
    return root
