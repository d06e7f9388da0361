"""Variance of a mean of cells that share images and prompts (linearised: a ratio of sums over clusters)."""

from __future__ import annotations

import numpy as np


def cluster_variance(values: np.ndarray, axis: int) -> np.ndarray:
    """Variance of the mean of cells, clustered along one axis.

    ``G/(G-1) Σ_g (S_g - n_g m)² / N²`` with the sum S_g and the count n_g of cluster g.

    Args:
        values: float64 [M, I, P], NaN where missing.
        axis: 1 for images as clusters, 2 for prompts.

    Returns:
        float64 [M]; NaN where fewer than two clusters hold a cell.
    """
    present = ~np.isnan(values)
    counts = present.sum(3 - axis)  # [M, G]
    sums = np.where(present, values, 0.0).sum(3 - axis)
    total = counts.sum(1)
    clusters = (counts > 0).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums.sum(1) / total
        residual = sums - counts * mean[:, None]
        variance = (residual**2).sum(1) / total**2 * (clusters / (clusters - 1.0))
    return np.where(clusters > 1, variance, np.nan)


def two_way_variance(values: np.ndarray) -> np.ndarray:
    """Variance of the mean of cells, clustered by image and by prompt (Cameron, Gelbach and Miller 2011, eq. 2.12).

    By image + by prompt - by cell, as the cell's own noise is in the first two alike; never below the larger of the
    two, so that it cannot vanish or turn negative.

    Args:
        values: float64 [M, I, P], NaN where missing.

    Returns:
        float64 [M]; NaN where fewer than two images or prompts hold a cell.
    """
    metrics = values.shape[0]
    by_image, by_prompt = cluster_variance(values, 1), cluster_variance(values, 2)
    by_cell = cluster_variance(values.reshape(metrics, -1, 1), 1)
    variance: np.ndarray = np.maximum(np.maximum(by_image, by_prompt), by_image + by_prompt - by_cell)
    return variance


def degrees_of_freedom(values: np.ndarray, two_way: bool) -> np.ndarray:
    """Clusters that hold a cell, minus one; for two-way clustering of the scarcer kind (Cameron and Miller 2015).

    Args:
        values: float64 [M, I, P], NaN where missing.
        two_way: prompts are clusters too.

    Returns:
        float64 [M]; NaN below 1.
    """
    present = ~np.isnan(values)
    clusters = present.any(2).sum(1)
    if two_way:
        clusters = np.minimum(clusters, present.any(1).sum(1))
    return np.where(clusters > 1, clusters - 1.0, np.nan)
