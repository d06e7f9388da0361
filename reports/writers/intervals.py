"""Means with bootstrap intervals that respect that several cells share a source image.

For one number beside its neighbours: percentiles of the drawn means, which take infinite numbers (the PSNR of an
untouched image) and need no standard error. Comparisons between editors are not made with these: the verdicts of
``eval.statistics`` come from paired tests, and its intervals are studentised, and may draw prompts as well. They differ
in what they do, so the arithmetic stands in both places once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

DRAWS = 1000  # bootstrap draws; the percentiles' own noise is then below a twentieth of the interval
SEED = 0
PERCENTILES = (2.5, 97.5)  # 95 % of the draws lie between


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % percentile interval.

    Attributes:
        mean: over the cells that have a number; None without any.
        low: 2.5th percentile of the draws; None for fewer than two images.
        high: 97.5th percentile of the draws; None for fewer than two images.
        cells: how many numbers went in.
        images: how many source images they came from.
    """

    mean: float | None
    low: float | None
    high: float | None
    cells: int
    images: int


@cache
def _image_weights(images: int, draws: int, seed: int) -> np.ndarray:
    """How often each draw holds each image: float64 [draws, images]; the same for all editors."""
    counts = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=draws)
    return counts.astype(np.float64)


def interval(values: np.ndarray, sources: np.ndarray, images: int, draws: int = DRAWS, seed: int = SEED) -> Interval:
    """The mean over cells, with an interval from drawing source images (all cells of one together) with replacement.

    Args:
        values: float64 [n]; NaN is left out.
        sources: int64 [n] in [0, images), the image of each cell.
        images: how many images the run has, so that all editors are drawn alike.
        draws: how many times the images are drawn.
        seed: same seed, same interval.

    >>> interval(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 0]), 2)
    Interval(mean=2.0, low=None, high=None, cells=3, images=1)
    """
    values = np.asarray(values, dtype=np.float64)
    there = ~np.isnan(values)
    values, sources = values[there], np.asarray(sources)[there]
    covered = len(np.unique(sources))
    if not len(values):
        return Interval(None, None, None, 0, 0)
    mean = float(values.mean())
    if covered < 2:
        return Interval(mean, None, None, len(values), covered)
    means = _drawn_means(values, sources, _image_weights(images, draws, seed))
    # No interpolation between draws: some may be infinite (the PSNR of an untouched image).
    low, high = np.percentile(means, PERCENTILES, method="inverted_cdf")
    return Interval(mean, float(low), float(high), len(values), covered)


def _drawn_means(values: np.ndarray, sources: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of each draw that holds a cell: float64 [<= draws]."""
    images = weights.shape[1]
    finite = np.isfinite(values)
    sums = np.bincount(sources[finite], values[finite], minlength=images)
    counts = np.bincount(sources, minlength=images)
    infinite = np.bincount(sources[~finite], np.sign(values[~finite]), minlength=images)
    cells = _dot(weights, counts)
    drawn = cells > 0
    means = _dot(weights, sums)[drawn] / cells[drawn]
    total: np.ndarray = np.where(_dot(weights, infinite)[drawn] > 0, np.inf, means) if not finite.all() else means
    return total


def _dot(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``weights @ values`` by numpy's own loop: the last digits of a BLAS product depend on the number of threads."""
    product: np.ndarray = np.einsum("di,i->d", weights, values.astype(np.float64))
    return product


def overlap(first: Interval, second: Interval) -> bool:
    """Whether two intervals share a value; True where one of them has no interval."""
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return True
    return first.low <= second.high and second.low <= first.high
