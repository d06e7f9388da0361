"""Bootstrap interval of the Fréchet distance.

A draw counts each row some number of times. Two ways to the distance of a draw:

* ``exact``: the distance of the re-weighted rows, one decomposition a draw. For 1,000 draws half a minute at 256-d, an
  hour at 2048-d.
* ``linear``: FD + Σ δ_i L_i with δ_i the change of row i's share and L_i its influence, the derivative of FD. One
  decomposition for all draws. With A, B as in ``frechet``, K = A Bᵀ and the weights on the rows of A,

      L_i = 2 (μ1 - μ2)·(x_i - μ1) + n |a_i|² - n [(K Kᵀ)^½]_ii

  which exists also for singular covariances: a weight on a row of K never leaves the row space of K. Where N is small
  for D, its standard error is up to 40 % too large; that of exact draws is larger still (docs/metrics.md).

Draws of either way are centred on the distance itself, because resampling adds the bias of a finite sample a second
time. So the interval is that of the distance at this N, which all editors share, and not that of the limit N → ∞.
Near FD = 0 the influences vanish and no bootstrap of FD can be trusted: read the distance beside ``frechet_floor``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from eval.metrics.frechet import checked, distance_of_rows, frechet_distance, reduced, scaled

LEVEL = 0.95
_SMALLEST_ROOT = 1e-7  # singular values below this share of the largest are rounding when found from a squared matrix


@dataclass(frozen=True)
class FrechetInterval:
    """A Fréchet distance and how sure it is.

    Attributes:
        distance: of the whole sets.
        low: lower end, at least 0.
        high: upper end.
        standard_error: standard deviation of the draws.
    """

    distance: float
    low: float
    high: float
    standard_error: float


def frechet_interval(
    x: Any,
    y: Any,
    draws: int,
    rng: np.random.Generator,
    groups_x: Sequence[Any] | None = None,
    groups_y: Sequence[Any] | None = None,
    method: Literal["linear", "exact"] = "linear",
) -> FrechetInterval:
    """95 % bootstrap interval.

    Args:
        x: [n, D] features.
        y: [m, D] features.
        draws: how many, for example 1,000.
        rng: draws.
        groups_x: the source image of each row of x. Rows of one image are drawn together, and together with the rows of
            ``y`` of the same image. Default: every row by itself.
        groups_y: likewise for y; both or neither.
        method: ``linear`` or ``exact``, see above.

    Returns:
        The interval; its ends are NaN with fewer than two groups or rows on a side.

    Raises:
        ValueError: features or groups that do not fit each other.
    """
    x, y = checked(x, y)
    labels_x, labels_y, count = _labels(len(x), len(y), groups_x, groups_y)
    distance = frechet_distance(x, y)
    if min(len(np.unique(labels_x)), len(np.unique(labels_y))) < 2:
        return FrechetInterval(distance, *(float("nan"),) * 3)
    times = draw_times(labels_x, labels_y, count, draws, rng)
    values = (_linear if method == "linear" else _exact)(x, y, labels_x, labels_y, times)
    low, high = np.quantile(values - values.mean(), [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) + distance
    return FrechetInterval(distance, max(float(low), 0.0), float(high), float(values.std(ddof=1)))


def influences(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivative of the distance with respect to the share of each row: float64 [n] and [m], each of mean 0."""
    (mean1, a), (mean2, b) = scaled(x), scaled(y)
    core_a, core_b = _core(a), _core(b)
    core = core_a @ core_b.T  # K without the orthonormal bases of its sides
    squares, right = np.linalg.eigh(core.T @ core)
    roots = np.sqrt(squares.clip(min=0))
    keep = roots > _SMALLEST_ROOT * roots[-1]
    roots, right = roots[keep], right[:, keep]
    left = core @ right / roots
    # K times its right singular vectors is the left ones times S; divided by √S, their squares sum to the diagonal.
    side_a = a @ (core_b.T @ (right / np.sqrt(roots)))
    side_b = b @ (core_a.T @ (left / np.sqrt(roots)))
    difference = mean1 - mean2
    of_x = 2 * (x - mean1) @ difference + len(x) * (np.square(a).sum(1) - np.square(side_a).sum(1))
    of_y = -2 * (y - mean2) @ difference + len(y) * (np.square(b).sum(1) - np.square(side_b).sum(1))
    return of_x - of_x.mean(), of_y - of_y.mean()


def _core(rows: np.ndarray) -> np.ndarray:
    """F as ``reduced`` gives it, by Cholesky where that works: half the time, and exact enough for an interval."""
    if len(rows) > rows.shape[1]:
        with suppress(np.linalg.LinAlgError):
            return np.asarray(np.linalg.cholesky(rows.T @ rows).T)
    return reduced(rows)


def draw_times(
    labels_x: np.ndarray, labels_y: np.ndarray, count: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """How often each draw holds each group: int64 [draws, count].

    Groups that only one side has are drawn among themselves, so that a side never loses rows to the other.
    """
    in_x, in_y = np.isin(np.arange(count), labels_x), np.isin(np.arange(count), labels_y)
    times = np.zeros((draws, count), dtype=np.int64)
    for stratum in (in_x & in_y, in_x & ~in_y, in_y & ~in_x):
        size = int(stratum.sum())
        if size:
            times[:, stratum] = rng.multinomial(size, np.full(size, 1 / size), size=draws)
    return times


def _labels(
    n: int, m: int, groups_x: Sequence[Any] | None, groups_y: Sequence[Any] | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Each row's group as a number, and how many groups there are."""
    if groups_x is None and groups_y is None:
        return np.arange(n), np.arange(n, n + m), n + m
    if groups_x is None or groups_y is None or len(groups_x) != n or len(groups_y) != m:
        raise ValueError(f"Groups must be given for both sides or neither, one for each of the {n} and {m} rows.")
    names, labels = np.unique(np.concatenate([np.asarray(groups_x), np.asarray(groups_y)]), return_inverse=True)
    return labels[:n], labels[n:], len(names)


def _linear(x: np.ndarray, y: np.ndarray, labels_x: np.ndarray, labels_y: np.ndarray, times: np.ndarray) -> np.ndarray:
    count = times.shape[1]
    change = np.zeros(len(times))
    for influence, labels in zip(influences(x, y), (labels_x, labels_y), strict=True):
        sums = np.bincount(labels, influence, minlength=count)
        change += times @ sums / (times @ np.bincount(labels, minlength=count))
    return change


def _exact(x: np.ndarray, y: np.ndarray, labels_x: np.ndarray, labels_y: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.array([weighted_distance(x, y, drawn[labels_x], drawn[labels_y]) for drawn in times])


def weighted_distance(x: np.ndarray, y: np.ndarray, weights_x: np.ndarray, weights_y: np.ndarray) -> float:
    """Distance with each row counted as often as its weight says; equal to repeating the rows."""
    return distance_of_rows(*scaled(x, weights_x), *scaled(y, weights_y))
