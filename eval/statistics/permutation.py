"""Sign-flip tests of paired differences, and their correction: would a swap of the two editors change the answer?

Under the null hypothesis the two editors are exchangeable, so the sign of a difference is a coin toss. Cells of one
image share much, so all cells of an image are flipped together (these prompts). For a population of prompts the prompts
carry chance too. Flipping one kind of cluster is blind to the chance of the other, therefore images and prompts are
flipped in turn, each against the t statistic of the two-way variance (as in the wild cluster bootstrap of MacKinnon,
Nielsen and Webb 2021, J. Bus. Econ. Stat. 39:505), and the larger p-value counts.
``benchmarks/false_alarms.py`` measures what simpler tests get wrong.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from eval.statistics.cells import LIKE_THESE, check_population
from eval.statistics.merging import draw_each, merged

DRAWS = 20_000  # smallest p is 5e-5: enough for Holm over 1,000 tests at 0.05
BLOCK, COLUMNS = 1000, 2000  # patterns and metrics flipped at once
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
    kinds = 2 if population == LIKE_THESE else 1
    signs = draw_each(sign_patterns, differences.shape[1 : 1 + kinds], draws, rng)
    if population == LIKE_THESE:
        return np.array([_two_way_p(metric, *signs) for metric in differences])
    return _p_of_sums(signs[0], _image_sums(differences))


class SignFlips:
    """Tests of many pairs of editors, which share their patterns and are flipped together.

    Args:
        population: as ``sign_flip_p`` takes it.
        seed: of the signs.
        draws: random sign patterns.
    """

    def __init__(self, population: str, seed: int, draws: int) -> None:
        self._population, self._seed, self._draws = population, seed, draws
        self._parts: list[np.ndarray] = []  # of each pair: p-values, or for these prompts what ``_p_of_sums`` takes

    def add(self, differences: np.ndarray) -> None:
        """One more pair, float64 [M, I, P]."""
        if self._population == LIKE_THESE:
            signs = _drawn_signs(differences.shape[1:], self._draws, self._seed)
            self._parts.append(np.array([_two_way_p(metric, *signs) for metric in differences]))
        else:
            self._parts.append(_image_sums(differences))

    def p_values(self) -> np.ndarray:
        """Of every metric of every pair, in their order: float64 [pairs x M], as ``sign_flip_p`` gives them."""
        if self._population == LIKE_THESE:
            return np.concatenate(self._parts)
        found: list[np.ndarray] = [np.zeros(0)] * len(self._parts)
        for groups in {len(sums) for sums in self._parts}:
            mine = [number for number, sums in enumerate(self._parts) if len(sums) == groups]
            (signs,) = _drawn_signs((groups,), self._draws, self._seed)
            joined = _p_of_sums(signs, np.concatenate([self._parts[number] for number in mine], axis=1))
            ends = np.cumsum([self._parts[number].shape[1] for number in mine])
            for number, part in zip(mine, np.split(joined, ends[:-1]), strict=True):
                found[number] = part
        return np.concatenate(found)


def sign_patterns(clusters: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Sign patterns, the observed one (all +1) first: int8 [<= draws + 1, clusters].

    All patterns with the first sign fixed where that are no more than the draws: the mirror image of a pattern has the
    same two-sided statistic.
    """
    if clusters <= 1:
        return np.ones((1, clusters), np.int8)
    if 2 ** (clusters - 1) <= draws:
        bits = (np.arange(2 ** (clusters - 1))[:, None] >> np.arange(clusters)[None, :]) & 1
        return (1 - 2 * bits).astype(np.int8)
    signs = np.ones((draws + 1, clusters), np.int8)
    signs[1:] = rng.integers(0, 2, size=(draws, clusters), dtype=np.int8)
    signs[1:] *= 2
    signs[1:] -= 1
    return signs


@lru_cache(maxsize=4)
def _drawn_signs(clusters: tuple[int, ...], draws: int, seed: int) -> tuple[np.ndarray, ...]:
    """Patterns of each kind of cluster, kept. Read only."""
    return draw_each(sign_patterns, clusters, draws, np.random.default_rng([seed, 1]))


def _image_sums(differences: np.ndarray) -> np.ndarray:
    """What is flipped of [M, I, P]: the largest sum of an image is 1; float64 [G, M], NaN where nothing is tested."""
    present = ~np.isnan(differences)
    known = (present.any(2).sum(1) > 1) & ~np.isinf(differences).any((1, 2))
    sums = np.where(present & known[:, None, None], differences, 0.0).sum(2)
    largest = np.abs(sums).max(1, initial=0.0)
    sums /= np.where(largest > 0, largest, 1.0)[:, None]
    sums[~known] = np.nan
    return merged(sums.T)


def _p_of_sums(signs: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Two-sided p-values of flipping the sums [G, M], a block of patterns at a time: float64 [M]."""
    p_values = np.full(sums.shape[1], np.nan)
    known = np.flatnonzero(~np.isnan(sums).any(0))
    for part in np.array_split(known, -(-len(known) // COLUMNS) or 1):
        observed = np.abs(sums[:, part].sum(0))
        least, count = observed - TOLERANCE * np.maximum(1.0, observed), np.zeros(len(part))
        for first in range(0, len(signs), BLOCK):
            count += (np.abs(signs[first : first + BLOCK].astype(np.float64) @ sums[:, part]) >= least).sum(0)
        p_values[part] = count / len(signs)
    return p_values


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
        signs: int8 [draws, G], or of the groups of as many rows.
    """
    counts, cells = merged(present.astype(np.float64)), (values**2).sum()
    values = merged(values)
    blocks = [signs[first : first + BLOCK].astype(np.float64) for first in range(0, len(signs), BLOCK)]
    return np.concatenate([_studentised(values, counts, cells, flips) for flips in blocks])


def _studentised(values: np.ndarray, counts: np.ndarray, cells: float, flips: np.ndarray) -> np.ndarray:
    """As ``studentised``, of sums [G, H], the number of cells in each, the sum of their squares and some patterns."""
    total = counts.sum()
    rows, row_counts, column_counts = values.sum(1), counts.sum(1), counts.sum(0)
    row_clusters, column_clusters = (row_counts > 0).sum(), (column_counts > 0).sum()
    mean = flips @ rows / total
    # Squared residuals of sums S_g - n_g m, written out; for columns S_h = Σ_g sign_g d_gh is a new sum per pattern.
    by_row = (rows**2).sum() - 2 * mean * (flips @ (row_counts * rows)) + mean**2 * (row_counts**2).sum()
    column_sums = flips @ values
    by_column = (column_sums**2).sum(1) - 2 * mean * (column_sums @ column_counts) + mean**2 * (column_counts**2).sum()
    by_cell = cells - total * mean**2
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


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment (Holm 1979): the chance of any false alarm among all tests stays below the level.

    Args:
        p_values: float64 [T]; NaN is no test and stays NaN.

    Returns:
        Adjusted p-values, float64 [T] in [0, 1].

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full_like(p_values, np.nan)
    tests = np.flatnonzero(~np.isnan(p_values))
    order = tests[np.argsort(p_values[tests], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted
