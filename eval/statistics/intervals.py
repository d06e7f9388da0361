"""The interval beside any mean of cells or of paired differences: the only one of the tables.

    from eval.statistics import interval_of_mean
    interval_of_mean(values, images, prompts)                # Interval(mean=…, low=…, high=…, cells=…, images=…)
    interval_of_mean(first, images, prompts, minus=second)

They are those of ``summarise`` and ``compare_paired``, so that one number has one interval wherever it is printed. No
interval has zero width unless every cell has the same value by its nature; shares never do.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.statistics.bootstrap import DRAWS, Estimates, drawn_weights, image_intervals, two_way_intervals
from eval.statistics.cells import LIKE_THESE, THESE_PROMPTS, Grid, check_population, paired_differences

SEED = 0
ROOM = 4_000_000  # numbers that are estimated at once: 32 MB, and some copies


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval.

    Attributes:
        mean: over the cells that have a number; None without any.
        low: lower end; None where there is no interval ("n/a"): fewer than two images (or prompts, where they could
            have been others, too), or an infinite cell.
        high: upper end; None likewise.
        cells: how many numbers went in.
        images: how many source images they came from.
    """

    mean: float | None
    low: float | None
    high: float | None
    cells: int
    images: int


def interval_of_mean(
    values: Sequence[float] | np.ndarray,
    images: Sequence[Hashable] | np.ndarray,
    prompts: Sequence[Hashable] | np.ndarray | None = None,
    *,
    minus: Sequence[float] | np.ndarray | None = None,
    share: bool | None = None,
    population: str = THESE_PROMPTS,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Interval:
    """The mean of cells with its 95 % interval, all cells of one image (and of one prompt) counting as alike.

    Args:
        values: float [n]; NaN is left out.
        images: the source image of each cell, [n].
        prompts: the prompt of each cell, [n]; None: one prompt.
        minus: another editor's values of the same cells, float [n], to be subtracted where both have one.
        share: the metric lies in [0, 1] by definition; its interval stays inside and is never empty. None: where every
            value is 0 or 1.
        population: ``these-prompts``: other images, exactly these prompts; ``prompts-like-these``: both could have
            been others.
        seed: of the bootstrap draws; the same for all editors.
        draws: bootstrap draws.

    Raises:
        UsageError: an unknown population.
        ValueError: prompts like these of cells without prompts, or an image and prompt twice.

    >>> found = interval_of_mean([1.0] * 20, range(20))  # no failure on 20 images
    >>> round(found.low, 3), found.high
    (0.832, 1.0)
    >>> interval_of_mean([1.0, 2.0, 3.0], [7, 7, 7])
    Interval(mean=2.0, low=None, high=None, cells=3, images=1)
    """
    check_population(population)
    grids = [_grid(np.atleast_2d(each), images, prompts, population) for each in (values, minus) if each is not None]
    shares = np.array([all(map(_is_share, grids)) if share is None else share])
    grid, paired = grids[0], minus is not None
    if paired:
        _, _, grid = paired_differences(*grids)
    return _intervals(grid, shares, population, seed, draws, paired)[0]


def intervals_of_means(
    values: np.ndarray,
    images: Sequence[Hashable] | np.ndarray,
    prompts: Sequence[Hashable] | np.ndarray,
    shares: np.ndarray,
) -> list[Interval]:
    """As ``interval_of_mean`` for images like these and exactly these prompts, of several metrics of the same cells.

    Args:
        values: float64 [M, n]; NaN is left out.
        images: the source image of each cell, [n].
        prompts: the prompt of each cell, [n].
        shares: bool [M], metrics in [0, 1] by definition.
    """
    at_once = max(1, ROOM // max(1, values.shape[1]))
    found: list[Interval] = []
    for first in range(0, len(values), at_once):
        grid = _grid(values[first : first + at_once], images, prompts, THESE_PROMPTS)
        found += _intervals(grid, shares[first : first + at_once], THESE_PROMPTS, SEED, DRAWS, False)
    return found


def overlap(first: Interval, second: Interval) -> bool:
    """Whether two intervals share a value; True where one of them has no interval."""
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return True
    return first.low <= second.high and second.low <= first.high


def estimate(
    values: np.ndarray, shares: np.ndarray, population: str, seed: int, draws: int, *, paired: bool = False
) -> Estimates:
    """Intervals of several metrics over the same cells.

    Args:
        values: float64 [M, I, P], NaN where missing.
        shares: bool [M], metrics in [0, 1] by definition.
        population: ``these-prompts`` or ``prompts-like-these``.
        seed: of the draws.
        draws: how many.
        paired: the values are differences of cells; of shares they lie in [-1, 1].
    """
    if population == LIKE_THESE:
        of_images, of_prompts = drawn_weights(values.shape[1:], draws, seed)
        return two_way_intervals(values, of_images, of_prompts, shares=shares, paired=paired)
    of_images = np.zeros((0, 0)) if shares.all() else drawn_weights(values.shape[1:2], draws, seed)[0]
    return image_intervals(values, of_images, shares=shares, paired=paired)


def _grid(
    values: np.ndarray,
    images: Sequence[Hashable] | np.ndarray,
    prompts: Sequence[Hashable] | np.ndarray | None,
    population: str,
) -> Grid:
    """Cells [M, n] as metrics over images and prompts; a prompt's second cell of an image gets a column of its own."""
    numbers = np.asarray(values, dtype=np.float64)
    names, rows = np.unique(np.asarray(images), return_inverse=True)
    asked = np.zeros(numbers.shape[1], dtype=int) if prompts is None else np.asarray(prompts)
    kinds, columns = np.unique(asked, return_inverse=True)
    times = _occurrences(rows * max(len(kinds), 1) + columns)
    if population == LIKE_THESE and (prompts is None or times.any()):
        raise ValueError("The 'prompts' parameter must name the prompt of each cell, and no image and prompt twice.")
    labels, places = np.unique(columns + len(kinds) * times, return_inverse=True)
    grid = np.full((len(numbers), len(names), len(labels)), np.nan)
    grid[:, rows, places] = numbers
    return Grid(grid, tuple(names.tolist()), tuple(labels.tolist()))


def _occurrences(keys: np.ndarray) -> np.ndarray:
    """How many equal keys came before each: int64 [n]."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(keys) else np.zeros(0, dtype=int)
    lengths = np.diff(np.r_[starts, len(keys)])
    times = np.empty(len(keys), dtype=np.int64)
    times[order] = np.arange(len(keys)) - np.repeat(starts, lengths)
    return times


def _is_share(grid: Grid) -> bool:
    """Whether every value is 0 or 1."""
    return bool(np.isin(grid.values[~np.isnan(grid.values)], (0.0, 1.0)).all())


def _intervals(grid: Grid, shares: np.ndarray, population: str, seed: int, draws: int, paired: bool) -> list[Interval]:
    """Of each metric of a grid; those without a cell are not estimated."""
    present = ~np.isnan(grid.values)
    cells, images = present.sum((1, 2)), present.any(2).sum(1)
    some = np.flatnonzero(cells)
    intervals = [Interval(None, None, None, 0, 0)] * len(cells)
    if not len(some):
        return intervals
    found = estimate(grid.values[some], shares[some], population, seed, draws, paired=paired)
    for row, mean, low, high in zip(some, found.mean, found.low, found.high, strict=True):
        known = bool(np.isfinite(low) and np.isfinite(high))
        first, last = (float(low), float(high)) if known else (None, None)
        intervals[row] = Interval(float(mean), first, last, int(cells[row]), int(images[row]))
    return intervals
