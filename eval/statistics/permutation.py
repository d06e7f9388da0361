"""Sign-flip tests of paired differences: would a swap of the two editors' names change the answer?

Under the null hypothesis the two editors are exchangeable, so the sign of a difference is a coin toss. Cells of one
image share much, so all cells of an image are flipped together (these prompts). For a population of prompts the prompts
carry chance too. Flipping one kind of cluster is blind to the chance of the other, therefore images and prompts are
flipped in turn, each against the t statistic of the two-way variance (as in the wild cluster bootstrap of MacKinnon,
Nielsen and Webb 2021, J. Bus. Econ. Stat. 39:505), and the larger p-value counts.
``benchmarks/false_alarms.py`` measures what simpler tests get wrong.
"""

from __future__ import annotations

import numpy as np

from eval.statistics.cells import LIKE_THESE, check_population

DRAWS = 20_000  # smallest p is 5e-5: enough for Holm over 1,000 tests at 0.05
TOLERANCE = 1e-9  # statistics closer than this (relative) are ties, and ties count against a difference


def sign_flip_p(differences: np.ndarray, population: str, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Two-sided p-values that the mean difference is zero.

    Args:
        differences: float64 [M, I, P], NaN where a cell is not shared.
        population: ``these-prompts`` flips images; ``prompts-like-these`` needs a verdict of images and of prompts.
        rng: draws the signs; all metrics get the same.
        draws: random sign patterns; where fewer exist, all of them are taken and the test is exact.

    Returns:
        float64 [M] in (0, 1]; NaN where fewer than two clusters hold a cell, or a difference is infinite.

    Raises:
        UsageError: the population is unknown.
    """
    check_population(population)
    image_signs = sign_patterns(differences.shape[1], draws, rng)
    if population != LIKE_THESE:
        return np.array([_image_p(metric, image_signs) for metric in differences])
    prompt_signs = sign_patterns(differences.shape[2], draws, rng)
    return np.array([_two_way_p(metric, image_signs, prompt_signs) for metric in differences])


def sign_patterns(clusters: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Sign patterns, the observed one (all +1) first: float32 [<= draws + 1, clusters].

    All patterns with the first sign fixed where that are no more than the draws: the mirror image of a pattern has the
    same two-sided statistic.
    """
    if clusters <= 1:
        return np.ones((1, clusters), np.float32)
    if 2 ** (clusters - 1) <= draws:
        bits = (np.arange(2 ** (clusters - 1))[:, None] >> np.arange(clusters)[None, :]) & 1
        return (1 - 2 * bits).astype(np.float32)
    signs = 2 * rng.integers(0, 2, size=(draws, clusters), dtype=np.int8) - 1
    return np.concatenate([np.ones((1, clusters)), signs]).astype(np.float32)


def _image_p(differences: np.ndarray, signs: np.ndarray) -> float:
    """Flip the summed difference [I, P] of every image."""
    present = ~np.isnan(differences)
    if present.any(1).sum() < 2 or not np.isfinite(differences[present]).all():
        return float("nan")
    sums = np.where(present, differences, 0.0).sum(1)
    if not sums.any():
        return 1.0
    return share_as_extreme(np.abs(signs @ (sums / np.abs(sums).max())))


def _two_way_p(differences: np.ndarray, image_signs: np.ndarray, prompt_signs: np.ndarray) -> float:
    """The larger p-value of flipping images and of flipping prompts of [I, P], both studentised."""
    present = ~np.isnan(differences)
    enough = present.any(1).sum() > 1 and present.any(0).sum() > 1
    if not enough or not np.isfinite(differences[present]).all():
        return float("nan")
    values = np.where(present, differences, 0.0)
    if not values.any():
        return 1.0
    values = values / np.abs(values).max()
    by_image = studentised(values, present, image_signs)
    by_prompt = studentised(values.T, present.T, prompt_signs)
    return max(share_as_extreme(by_image), share_as_extreme(by_prompt))


def studentised(values: np.ndarray, present: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """|t| of every sign pattern of the rows: [draws].

    Args:
        values: float64 [G, H], 0 where missing; rows are flipped.
        present: bool [G, H].
        signs: float32 [draws, G].
    """
    counts = present.astype(np.float64)
    total = counts.sum()
    rows, row_counts, column_counts = values.sum(1), counts.sum(1), counts.sum(0)
    row_clusters, column_clusters = (row_counts > 0).sum(), (column_counts > 0).sum()
    flips = signs.astype(np.float64)
    mean = flips @ rows / total
    # Squared residuals of sums S_g - n_g m, written out; for columns S_h = Σ_g sign_g d_gh is a new sum per pattern.
    by_row = (rows**2).sum() - 2 * mean * (flips @ (row_counts * rows)) + mean**2 * (row_counts**2).sum()
    column_sums = flips @ values
    by_column = (column_sums**2).sum(1) - 2 * mean * (column_sums @ column_counts) + mean**2 * (column_counts**2).sum()
    by_cell = (values**2).sum() - total * mean**2
    by_row, by_column = by_row * row_clusters / (row_clusters - 1), by_column * column_clusters / (column_clusters - 1)
    by_cell = by_cell * total / (total - 1)
    variance = np.maximum(np.maximum(by_row, by_column), by_row + by_column - by_cell) / total**2
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(mean) / np.sqrt(np.maximum(variance, 0.0))
    return np.where(np.abs(mean) < TOLERANCE, 0.0, np.where(variance < TOLERANCE**2, np.inf, statistic))


def share_as_extreme(statistics: np.ndarray) -> float:
    """Share of patterns whose statistic is at least that of the first, which is the observed one."""
    observed = statistics[0]
    if np.isinf(observed):
        return float(np.isinf(statistics).mean())
    return float((statistics >= observed - TOLERANCE * max(1.0, observed)).mean())
