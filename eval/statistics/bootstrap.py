"""Bootstrap of means of cells that share images and prompts.

Images are resampled with multinomial weights, and for a population of prompts the prompts as well: a cell then weighs
the product of both (the pigeonhole bootstrap, Owen 2007, Ann. Appl. Stat. 1:386). Everything is sums over clusters, so
a draw costs one row of a matrix product.

Intervals are studentised (bootstrap-t, Efron and Tibshirani 1993, chapter 12.5): every draw is divided by its own
clustered standard error. That corrects few clusters and skewed metrics, and it cancels that product weights count a
cell's noise three times (Owen 2007, theorem 4), as the draw's variance counts it three times too. Shares near 0 or 1
are beyond any bootstrap of a few clusters (a draw without a failure has no spread): they get the interval of Korn and
Graubard (1998, Surv. Methodol. 24:193), Clopper and Pearson's at the number of independent cells that would have this
variance. ``benchmarks/coverage.py`` measures both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.statistics.variance import cluster_variance, degrees_of_freedom, two_way_variance

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
    weights = multinomial_weights(values.shape[1], draws, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistics = _image_statistics(values, weights)
    return _estimates(values, statistics, two_way=False, confidence=confidence, shares=shares)


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
    metrics, images, prompts = values.shape
    image_weights = multinomial_weights(images, draws, rng)
    prompt_weights = multinomial_weights(prompts, draws, rng)
    statistics = np.empty((draws, metrics))
    for first in range(0, metrics, BLOCK):
        block = slice(first, first + BLOCK)
        with np.errstate(invalid="ignore", divide="ignore"):
            statistics[:, block] = _two_way_statistics(values[block], image_weights, prompt_weights)
    return _estimates(values, statistics, two_way=True, confidence=confidence, shares=shares)


def _image_statistics(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(mean of a draw - mean) / standard error of the draw: float64 [draws, M]."""
    present = ~np.isnan(values)
    sums = np.where(present, values, 0.0).sum(2).T  # [I, M]
    counts = present.sum(2, dtype=np.float64).T
    centre = sums.sum(0) / counts.sum(0)
    residuals = sums - counts * centre  # small numbers: the squares below do not cancel
    clusters = (counts > 0).sum(0)
    total = weights @ counts
    shift = (weights @ residuals) / total
    squares = weights @ residuals**2 - 2 * shift * (weights @ (residuals * counts)) + shift**2 * (weights @ counts**2)
    return _studentised(shift, squares * clusters / (clusters - 1), total)


def _two_way_statistics(values: np.ndarray, image_weights: np.ndarray, prompt_weights: np.ndarray) -> np.ndarray:
    """The same with product weights and the two-way variance: float64 [draws, M]."""
    present = ~np.isnan(values)
    counts = present.astype(np.float64)
    centre = np.nansum(values, axis=(1, 2)) / counts.sum((1, 2))
    residuals = np.where(present, values - centre[:, None, None], 0.0)
    images, prompts = present.any(2).sum(1), present.any(1).sum(1)
    by_prompt = _weighted(residuals, image_weights), _weighted(counts, image_weights)  # [draws, M, P]
    total = np.einsum("bmp,bp->bm", by_prompt[1], prompt_weights)
    shift = np.einsum("bmp,bp->bm", by_prompt[0], prompt_weights) / total
    transposed = residuals.transpose(0, 2, 1), counts.transpose(0, 2, 1)
    by_image = _weighted(transposed[0], prompt_weights), _weighted(transposed[1], prompt_weights)  # [draws, M, I]
    prompt_part = _squares(*by_prompt, shift, prompt_weights) * prompts / (prompts - 1)
    image_part = _squares(*by_image, shift, image_weights) * images / (images - 1)
    squared = np.einsum("bmp,bp->bm", _weighted(residuals**2, image_weights), prompt_weights)
    cell_part = squared - shift**2 * total
    squares = np.maximum(np.maximum(prompt_part, image_part), prompt_part + image_part - cell_part)
    return _studentised(shift, squares, total)


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
    values: np.ndarray, statistics: np.ndarray, *, two_way: bool, confidence: float, shares: np.ndarray | None
) -> Estimates:
    """Means of the cells, and intervals from the studentised draws [draws, M]."""
    freedom = degrees_of_freedom(values, two_way)
    standard_error = np.sqrt(two_way_variance(values) if two_way else cluster_variance(values, 1))
    counts = (~np.isnan(values)).sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(counts > 0, np.nansum(values, axis=(1, 2)) / counts, np.nan)
    low, high = np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    tail = (1 - confidence) / 2
    for row in np.flatnonzero(np.isfinite(freedom) & np.isfinite(standard_error)):
        estimate = float(mean[row]), float(standard_error[row]), float(freedom[row])
        if shares is not None and shares[row]:
            low[row], high[row] = share_interval(*estimate, tail)
        else:
            low[row], high[row] = _studentised_interval(*estimate, tail, statistics[:, row])
    return Estimates(mean, low, high, standard_error, freedom)


def _studentised_interval(
    mean: float, standard_error: float, freedom: float, tail: float, statistics: np.ndarray
) -> tuple[float, float]:
    """Bootstrap-t interval; Student's where there are too few clusters, or too few that differ, to draw from."""
    from scipy.special import stdtrit

    if standard_error == 0:
        return mean, mean
    low, high = -np.inf, np.inf
    if freedom + 1 >= FEWEST:
        low, high = np.quantile(statistics[~np.isnan(statistics)], [tail, 1 - tail], method="inverted_cdf")
    if not (np.isfinite(low) and np.isfinite(high)):
        low, high = stdtrit(freedom, tail), stdtrit(freedom, 1 - tail)
    return float(mean - high * standard_error), float(mean - low * standard_error)


def share_interval(mean: float, standard_error: float, freedom: float, tail: float) -> tuple[float, float]:
    """Korn and Graubard's interval of a share; where all cells agree, clusters are the independent trials.

    Args:
        mean: the share, in [0, 1].
        standard_error: clustered.
        freedom: its degrees of freedom.
        tail: chance to miss on each side, in (0, 0.5).

    >>> low, high = share_interval(1.0, 0.0, 19, 0.025)  # no failure on 20 images
    >>> round(low, 3), high
    (0.832, 1.0)
    """
    from scipy.special import betaincinv, ndtri, stdtrit

    trials = freedom + 1
    if standard_error > 0 and 0 < mean < 1:
        trials = mean * (1 - mean) / standard_error**2 * float(ndtri(tail) / stdtrit(freedom, tail)) ** 2
    hits, misses = mean * trials, (1 - mean) * trials
    low = 0.0 if mean <= 0 else float(betaincinv(hits, misses + 1, tail))
    high = 1.0 if mean >= 1 else float(betaincinv(hits + 1, misses, 1 - tail))
    return low, high
