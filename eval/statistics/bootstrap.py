"""Bootstrap of means of cells that share images and prompts.

Images are resampled with multinomial weights, and for a population of prompts the prompts as well: a cell then weighs
the product of both (the pigeonhole bootstrap, Owen 2007, Ann. Appl. Stat. 1:386). Everything is sums over clusters, so
a draw costs one row of a matrix product.

Two corrections make small samples honest. Percentiles of few clusters are too narrow (Hesterberg 2015, Am. Stat.
69:371, section 3.3), and product weights count the noise of a cell three times (Owen 2007, theorem 4). Percentiles are
therefore read at the level at which normal draws would give the t interval of the clustered variance: the draws give
the interval its shape, the variance its width, and an interval never leaves the range of the draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.statistics.variance import cluster_variance, degrees_of_freedom, two_way_variance

DRAWS = 2000
RESOLVED = 5  # draws that must lie beyond a percentile for it to be read; below, the t interval is taken
BLOCK = 8  # metrics resampled at once; keeps the largest array of a run near 50 MB


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
    present = ~np.isnan(values)
    weights = multinomial_weights(values.shape[1], draws, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = np.where(present, values, 0.0).sum(2)
        means = (weights @ sums.T) / (weights @ present.sum(2, dtype=np.float64).T)
    return _estimates(values, means, two_way=False, confidence=confidence, shares=shares)


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
    means = np.empty((draws, metrics))
    for first in range(0, metrics, BLOCK):
        block = slice(first, first + BLOCK)
        means[:, block] = _product_means(values[block], image_weights, prompt_weights)
    return _estimates(values, means, two_way=True, confidence=confidence, shares=shares)


def _product_means(values: np.ndarray, image_weights: np.ndarray, prompt_weights: np.ndarray) -> np.ndarray:
    """Weighted means [draws, M]; NaN where a draw holds no cell."""
    metrics, images, prompts = values.shape
    present = ~np.isnan(values)

    def total(array: np.ndarray) -> np.ndarray:
        by_prompt = image_weights @ array.transpose(1, 0, 2).reshape(images, metrics * prompts)
        summed: np.ndarray = np.einsum("bmp,bp->bm", by_prompt.reshape(-1, metrics, prompts), prompt_weights)
        return summed

    with np.errstate(invalid="ignore", divide="ignore"):
        means: np.ndarray = total(np.where(present, values, 0.0)) / total(present.astype(np.float64))
    return means


def _estimates(
    values: np.ndarray, means: np.ndarray, *, two_way: bool, confidence: float, shares: np.ndarray | None
) -> Estimates:
    """Means of the cells, and intervals from the draws [draws, M]."""
    freedom = degrees_of_freedom(values, two_way)
    standard_error = np.sqrt(two_way_variance(values) if two_way else cluster_variance(values, 1))
    counts = (~np.isnan(values)).sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(counts > 0, np.nansum(values, axis=(1, 2)) / counts, np.nan)
    low, high = np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    for row in np.flatnonzero(np.isfinite(freedom) & np.isfinite(standard_error)):
        share = shares is not None and bool(shares[row])
        draws = means[np.isfinite(means[:, row]), row]
        low[row], high[row] = _interval(
            float(mean[row]), draws, float(standard_error[row]), float(freedom[row]), (1 - confidence) / 2, share
        )
    return Estimates(mean, low, high, standard_error, freedom)


def _interval(
    mean: float, draws: np.ndarray, standard_error: float, freedom: float, tail: float, share: bool
) -> tuple[float, float]:
    """Percentiles of the draws at the level that the standard error asks for."""
    from scipy.special import ndtr, stdtrit

    if standard_error == 0:
        return _unanimous(mean, freedom + 1, tail) if share else (mean, mean)
    reach = -float(stdtrit(freedom, tail)) * standard_error
    level = float(ndtr(-reach / draws.std())) if draws.std() > 0 else 0.0
    if level * len(draws) < RESOLVED:
        low, high = mean - reach, mean + reach  # too few clusters: the draws do not reach that far
        return (max(low, 0.0), min(high, 1.0)) if share else (low, high)
    low, high = np.quantile(draws, [level, 1 - level])
    return float(low), float(high)


def _unanimous(mean: float, clusters: float, tail: float) -> tuple[float, float]:
    """Interval of a share on which all clusters agree (Clopper and Pearson 1934, clusters as trials)."""
    room = 1 - tail ** (1 / clusters)
    return max(mean - room, 0.0), min(mean + room, 1.0)
