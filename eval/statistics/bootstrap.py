"""Bootstrap of means of cells that share images and prompts.

Images are resampled with multinomial weights, and for a population of prompts the prompts as well: a cell then weighs
the product of both (the pigeonhole bootstrap, Owen 2007, Ann. Appl. Stat. 1:386). Everything is sums over clusters, so
a draw costs one row of a matrix product. Above ``merging.MOST`` images groups of them are drawn.

Intervals are studentised and symmetric (Hall 1988, J. R. Stat. Soc. B 50:35): every draw is divided by its own
clustered standard error, and the interval is the mean ± the standard error times the 95 % quantile of the absolute
values. That corrects few clusters and skewed metrics, and it cancels that product weights count a cell's noise three
times (Owen 2007, theorem 4), as the draw's variance counts it three times too. Equal tails (bootstrap-t) would follow
skewed metrics a little better, and miss heavy-tailed ones (decibels) up to twice as often as they should. Shares near 0
or 1 are beyond any bootstrap of a few clusters (a draw without a failure has no spread): see ``shares``.
``benchmarks/coverage.py`` measures both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from eval.statistics.merging import draw_each, merged
from eval.statistics.shares import clustered_share_interval, difference_interval, share_interval
from eval.statistics.variance import cluster_variance, degrees_of_freedom, two_way_variance

__all__ = ["DRAWS", "Estimates", "image_bootstrap", "multinomial_weights", "share_interval", "two_way_bootstrap"]

DRAWS = 2000
FEWEST = 8  # clusters from which on draws are used; below, their own standard errors are erratic: t interval
BLOCK = 4  # metrics resampled at once; keeps the largest arrays of a run near 15 MB


@dataclass(frozen=True)
class Estimates:
    """Means of M metrics with their uncertainty; NaN where fewer than two clusters hold a cell.

    Attributes:
        mean: float64 [M], over all cells.
        low: float64 [M], lower end of the interval.
        high: float64 [M], upper end of the interval.
        standard_error: float64 [M], clustered.
        degrees_of_freedom: float64 [M], of the standard error.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    standard_error: np.ndarray
    degrees_of_freedom: np.ndarray


def multinomial_weights(clusters: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """How often each cluster is drawn when as many are drawn with replacement: float64 [draws, clusters]."""
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws).astype(np.float64)


def image_bootstrap(
    values: np.ndarray,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = 0.95,
    shares: np.ndarray | None = None,
) -> Estimates:
    """Intervals for images like these and exactly these prompts: source images are the clusters.

    Args:
        values: float64 [M, I, P], NaN where missing.
        rng: draws the images.
        draws: bootstrap draws.
        confidence: share of intervals that shall cover, in (0, 1).
        shares: bool [M], metrics in [0, 1] by definition; their intervals stay inside and are never empty. None: none.
    """
    (weights,) = draw_each(multinomial_weights, values.shape[1:2], draws, rng)
    return image_intervals(values, weights, confidence, shares)


def two_way_bootstrap(
    values: np.ndarray,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = 0.95,
    shares: np.ndarray | None = None,
) -> Estimates:
    """Intervals for images like these and prompts like these: both are clusters.

    Args:
        values: float64 [M, I, P], NaN where missing.
        rng: draws the images and the prompts.
        draws: bootstrap draws.
        confidence: share of intervals that shall cover, in (0, 1).
        shares: bool [M], metrics in [0, 1] by definition; their intervals stay inside and are never empty. None: none.
    """
    image_weights, prompt_weights = draw_each(multinomial_weights, values.shape[1:], draws, rng)
    return two_way_intervals(values, image_weights, prompt_weights, confidence, shares)


@lru_cache(maxsize=16)
def drawn_weights(clusters: tuple[int, ...], draws: int, seed: int) -> tuple[np.ndarray, ...]:
    """Weights of each kind of cluster, kept: most of the time of one interval is drawing them. Read only."""
    return draw_each(multinomial_weights, clusters, draws, np.random.default_rng([seed, 0]))


def image_intervals(
    values: np.ndarray,
    weights: np.ndarray,
    confidence: float = 0.95,
    shares: np.ndarray | None = None,
    paired: bool = False,
) -> Estimates:
    """As ``image_bootstrap``, of drawn weights [draws, G]; ``paired``: of shares the values are differences."""
    drawn = _without_shares(values, shares)
    statistics = np.full((len(weights), len(values)), np.nan)
    if drawn.any():
        with np.errstate(invalid="ignore", divide="ignore"):
            statistics[:, drawn] = _image_statistics(values[drawn], weights)
    return _estimates(values, statistics, False, confidence, shares, paired)


def two_way_intervals(
    values: np.ndarray,
    image_weights: np.ndarray,
    prompt_weights: np.ndarray,
    confidence: float = 0.95,
    shares: np.ndarray | None = None,
    paired: bool = False,
) -> Estimates:
    """As ``two_way_bootstrap``, of drawn weights [draws, G] and [draws, H]; ``paired`` as above."""
    drawn = np.flatnonzero(_without_shares(values, shares))
    statistics = np.full((len(image_weights), len(values)), np.nan)
    for first in range(0, len(drawn), BLOCK):
        block = drawn[first : first + BLOCK]
        with np.errstate(invalid="ignore", divide="ignore"):
            statistics[:, block] = _two_way_statistics(values[block], image_weights, prompt_weights)
    return _estimates(values, statistics, True, confidence, shares, paired)


def _without_shares(values: np.ndarray, shares: np.ndarray | None) -> np.ndarray:
    """Which metrics need draws: bool [M]."""
    return np.ones(len(values), dtype=bool) if shares is None else ~np.asarray(shares, dtype=bool)


def _image_statistics(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(mean of a draw - mean) / standard error of the draw: float64 [draws, M]."""
    present = ~np.isnan(values)
    sums = np.where(present, values, 0.0).sum(2).T  # [I, M]
    counts = present.sum(2, dtype=np.float64).T
    centre = sums.sum(0) / counts.sum(0)
    residuals = merged(sums - counts * centre)  # small numbers: the squares below do not cancel
    counts = merged(counts)
    clusters = (counts > 0).sum(0)
    parts = np.concatenate([counts, residuals, residuals**2, residuals * counts, counts**2], axis=1)
    total, drawn, drawn_squares, products, count_squares = np.split(weights @ parts, 5, axis=1)  # reads the draws once
    shift = drawn / total
    squares = drawn_squares - 2 * shift * products + shift**2 * count_squares
    return _studentised(shift, squares * clusters / (clusters - 1), total)


def _two_way_statistics(values: np.ndarray, image_weights: np.ndarray, prompt_weights: np.ndarray) -> np.ndarray:
    """The same with product weights and the two-way variance: float64 [draws, M]."""
    present = ~np.isnan(values)
    counts = present.astype(np.float64)
    centre = np.nansum(values, axis=(1, 2)) / counts.sum((1, 2))
    residuals = np.where(present, values - centre[:, None, None], 0.0)
    residuals, counts, squared_residuals = map(_merged, (residuals, counts, residuals**2))
    images, prompts = (counts.any(axis).sum(1) for axis in (2, 1))
    by_prompt = _weighted(residuals, image_weights), _weighted(counts, image_weights)  # [draws, M, P]
    total = np.einsum("bmp,bp->bm", by_prompt[1], prompt_weights)
    shift = np.einsum("bmp,bp->bm", by_prompt[0], prompt_weights) / total
    transposed = residuals.transpose(0, 2, 1), counts.transpose(0, 2, 1)
    by_image = _weighted(transposed[0], prompt_weights), _weighted(transposed[1], prompt_weights)  # [draws, M, I]
    prompt_part = _squares(*by_prompt, shift, prompt_weights) * prompts / (prompts - 1)
    image_part = _squares(*by_image, shift, image_weights) * images / (images - 1)
    squared = np.einsum("bmp,bp->bm", _weighted(squared_residuals, image_weights), prompt_weights)
    cell_part = squared - shift**2 * total
    squares = np.maximum(np.maximum(prompt_part, image_part), prompt_part + image_part - cell_part)
    return _studentised(shift, squares, total)


def _merged(cells: np.ndarray) -> np.ndarray:
    """Sums of groups of images and of prompts [M, I, P]: [M, G, H]."""
    by_image = merged(cells.transpose(1, 0, 2))
    return merged(by_image.transpose(2, 1, 0)).transpose(1, 2, 0)


def _weighted(array: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum [M, G, H] over G with the weights [draws, G] of each draw: [draws, M, H]."""
    metrics, clusters, others = array.shape
    product: np.ndarray = weights @ array.transpose(1, 0, 2).reshape(clusters, metrics * others)
    return product.reshape(-1, metrics, others)


def _squares(sums: np.ndarray, counts: np.ndarray, shift: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum of the squared residuals of cluster sums [draws, M, G]: [draws, M]."""
    residuals = sums - counts * shift[:, :, None]
    total: np.ndarray = np.einsum("bmg,bmg,bg->bm", residuals, residuals, weights)
    return total


def _studentised(shift: np.ndarray, squares: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Shift in standard errors; infinite where a draw has no spread, NaN where it has no cell."""
    statistics: np.ndarray = shift * total / np.sqrt(np.maximum(squares, 0.0))
    return statistics


def _estimates(
    values: np.ndarray,
    statistics: np.ndarray,
    two_way: bool,
    confidence: float,
    shares: np.ndarray | None,
    paired: bool,
) -> Estimates:
    """Means of the cells, and intervals from the studentised draws [draws, M]."""
    found = estimates_of_means(values, two_way)
    of_shares = difference_interval if paired else clustered_share_interval
    for row in np.flatnonzero(np.isfinite(found.degrees_of_freedom) & np.isfinite(found.standard_error)):
        if shares is not None and shares[row]:
            ends = of_shares(values[row], two_way=two_way, tail=(1 - confidence) / 2)
        else:
            freedom = float(found.degrees_of_freedom[row])
            half = _quantile(freedom, confidence, statistics[:, row]) * found.standard_error[row]
            ends = found.mean[row] - half, found.mean[row] + half
        found.low[row], found.high[row] = ends
    return found


def estimates_of_means(values: np.ndarray, two_way: bool) -> Estimates:
    """Means of the cells [M, I, P] and their standard errors; no ends, which are NaN."""
    standard_error = np.sqrt(two_way_variance(values) if two_way else cluster_variance(values, 1))
    counts = (~np.isnan(values)).sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(counts > 0, np.nansum(values, axis=(1, 2)) / counts, np.nan)
    ends = np.full_like(mean, np.nan)
    return Estimates(mean, ends, ends.copy(), standard_error, degrees_of_freedom(values, two_way))


def _quantile(freedom: float, confidence: float, statistics: np.ndarray) -> float:
    """Of the absolute draws; Student's where there are too few clusters, or too few that differ, to draw from."""
    from scipy.special import stdtrit

    known = statistics[~np.isnan(statistics)]
    if freedom + 1 >= FEWEST and len(known):
        found = float(np.quantile(np.abs(known), confidence, method="inverted_cdf"))
        if np.isfinite(found):
            return found
    return float(stdtrit(freedom, (1 + confidence) / 2))
