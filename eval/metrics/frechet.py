"""Fréchet distance between two sets of image features (Heusel et al. 2017, arXiv 1706.08500), exact and fast.

    FD = |μ1 - μ2|² + tr Σ1 + tr Σ2 - 2 tr (Σ1 Σ2)^½

With the centred features of each set divided by √(n - 1) as rows of A and B, Σ1 = AᵀA, Σ2 = BᵀB, and

    tr (Σ1 Σ2)^½ = ‖A Bᵀ‖_*        the sum of the singular values of A Bᵀ

so no matrix square root is taken, nothing is imaginary, and fewer images than features are no special case. Everything
is float64. The name of the feature network belongs to the number: ``fid`` only for Inception, else ``fd_<domain>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.metrics.root_trace import factor_trace, root_trace

# What a way through the covariances may lose at most, as a share of tr Σ1 + tr Σ2; beyond it the rows' own singular
# values decide. It is a bound: what is lost is about a hundredth.
TOLERANCE = 1e-10
EXTRAPOLATION_SIZES = 6  # subset sizes of the fit to infinity, evenly spaced in 1/N between N/4 and N


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
    nuclear = _nuclear_norm(covariance1, covariance2, trace)
    if nuclear is None:
        nuclear = _singular_value_sum(_root(covariance1) @ _root(covariance2).T)
    return _combine(mean1 - mean2, trace, nuclear)


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


@dataclass(frozen=True)
class Extrapolation:
    """Distances at several sizes and the line through them against 1/N (FID∞, Chong & Forsyth 2020, arXiv 1911.07023).

    Attributes:
        limit: value of the line at 1/N = 0. Noise can make it slightly negative for equal distributions.
        sizes: N of each point.
        distances: distance of each point.
    """

    limit: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


def frechet_extrapolated(x: Any, y: Any, rng: np.random.Generator, sizes: Sequence[int] | None = None) -> Extrapolation:
    """Distance at several N and its extrapolation to infinitely many images.

    Args:
        x: [n, D].
        y: [m, D].
        rng: draws the subsets, without replacement.
        sizes: at least two different N, each at least 2 and at most min(n, m); default six from N/4 to N.

    Returns:
        The points and their limit; the limit is NaN and there are no points where n or m is below 8.

    Raises:
        ValueError: a size that is not allowed.
    """
    x, y = checked(x, y)
    largest = min(len(x), len(y))
    if sizes is None:
        if largest < 8:
            return Extrapolation(float("nan"), (), ())
        sizes = [round(largest / share) for share in np.linspace(4, 1, EXTRAPOLATION_SIZES)]
    if len(set(sizes)) < 2 or min(sizes) < 2 or max(sizes) > largest:
        raise ValueError(
            f"The 'sizes' parameter of frechet_extrapolated must be two or more sizes in [2, {largest}]. "
            f"Got {list(sizes)} instead."
        )
    distances = [
        frechet_distance(x[rng.permutation(len(x))[:size]], y[rng.permutation(len(y))[:size]]) for size in sizes
    ]
    _, limit = np.polyfit(1 / np.asarray(sizes, dtype=np.float64), distances, 1)
    return Extrapolation(float(limit), tuple(sizes), tuple(distances))


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
    if min(len(a), len(b)) > a.shape[1]:
        nuclear = _nuclear_norm(a.T @ a, b.T @ b, trace)
        if nuclear is not None:
            return _combine(mean1 - mean2, trace, nuclear)
    return _combine(mean1 - mean2, trace, _singular_value_sum(reduced(a) @ reduced(b).T))


def _combine(difference: np.ndarray, trace: float, nuclear: float) -> float:
    # The sum is not negative by Hölder's inequality; what is below zero is rounding.
    return max(float(difference @ difference) + trace - 2 * nuclear, 0.0)


def _nuclear_norm(covariance1: np.ndarray, covariance2: np.ndarray, trace: float) -> float | None:
    """By the fastest way whose error is bounded by TOLERANCE; none where covariances are too inexact."""
    for way in (root_trace, factor_trace):
        nuclear, error = way(covariance1, covariance2, TOLERANCE * trace)
        if error <= TOLERANCE * trace:
            return nuclear
    return None


def _singular_value_sum(matrix: np.ndarray) -> float:
    return float(np.linalg.svd(matrix, compute_uv=False).sum())


def _root(covariance: np.ndarray) -> np.ndarray:
    """F with FᵀF = Σ, also where Σ is singular."""
    values, vectors = np.linalg.eigh(covariance)
    root: np.ndarray = np.sqrt(values.clip(min=0))[:, None] * vectors.T
    return root
