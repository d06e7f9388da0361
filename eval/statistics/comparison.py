"""Tables of means with intervals, and of paired differences with corrected p-values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.statistics import bootstrap, permutation
from eval.statistics.bootstrap import estimates_of_means
from eval.statistics.cells import (
    LIKE_THESE,
    SHARES,
    THESE_PROMPTS,
    Grid,
    check_population,
    grid_of,
    metric_columns,
    paired_differences,
    with_setting,
)
from eval.statistics.intervals import estimate
from eval.statistics.permutation import SignFlips, holm
from eval.statistics.power import LEVEL, minimum_detectable_effect

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = LEVEL  # of the corrected test


def summarise(
    cells: pd.DataFrame,
    metrics: Sequence[str] = (),
    *,
    population: str = THESE_PROMPTS,
    seed: int = 0,
    draws: int = bootstrap.DRAWS,
    by: Sequence[str] = ("editor", "setting"),
) -> pd.DataFrame:
    """Mean and 95 % interval of every metric for every editor and setting.

    Args:
        cells: one row per cell, columns of the run folder.
        metrics: columns to summarise; all that an editor can change if empty.
        population: ``these-prompts`` or ``prompts-like-these``.
        seed: of the bootstrap draws; every group gets the same draws.
        draws: bootstrap draws.
        by: columns that make a group, for example also ``prompt``.

    Returns:
        One row per group and metric: the columns of ``by``, metric, mean, low, high, cells, images, prompts.

    Raises:
        UsageError: an unknown metric or population, or two cells of one image and prompt in a group.
    """
    import pandas as pd

    check_population(population)
    metrics = metric_columns(cells, metrics)
    rows: list[dict[str, Any]] = []
    for key, group in with_setting(cells).groupby(list(by), sort=False):
        grid = grid_of(group, metrics)
        estimates = estimate(grid.values, _shares(metrics), population, seed, draws)
        for row, metric in enumerate(metrics):
            rows.append(
                dict(zip(by, key, strict=True))
                | {
                    "metric": metric,
                    "mean": estimates.mean[row],
                    "low": estimates.low[row],
                    "high": estimates.high[row],
                }
                | _sizes(grid, row)
            )
    return pd.DataFrame(rows)


def compare_editors(
    cells: pd.DataFrame,
    metrics: Sequence[str] = (),
    *,
    population: str = THESE_PROMPTS,
    seed: int = 0,
    draws: int = bootstrap.DRAWS,
    flips: int = permutation.DRAWS,
    intervals: bool = True,
) -> pd.DataFrame:
    """Paired differences of all editors of a run at equal setting; Holm over all rows of the table.

    Args:
        cells: one row per cell, columns of the run folder.
        metrics: columns to compare; all that an editor can change if empty.
        population: ``these-prompts`` or ``prompts-like-these``.
        seed: of the draws.
        draws: bootstrap draws.
        flips: sign patterns.
        intervals: whether to find them; most of the time of many pairs. Otherwise low and high are NaN.

    Returns:
        Columns setting, editor_a, editor_b and those of ``compare_paired``, with ``p_holm`` over the whole table.

    Raises:
        UsageError: an unknown metric or population, or two cells of one image and prompt at one setting.
    """
    import pandas as pd

    check_population(population)
    metrics = metric_columns(cells, metrics)
    rows: list[dict[str, Any]] = []
    tests = SignFlips(population, seed, flips)
    for setting, group in with_setting(cells).groupby("setting", sort=False):
        grids = {editor: grid_of(own, metrics) for editor, own in group.groupby("editor", sort=False)}
        for first, second in combinations(grids, 2):
            names = {"setting": setting, "editor_a": first, "editor_b": second}
            found = _differences(grids[first], grids[second], metrics, population, seed, draws, tests, intervals)
            rows += [names | row for row in found]
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows).assign(p=tests.p_values())
    return table.assign(p_holm=holm(table["p"].to_numpy()))


def compare_paired(
    first: Grid,
    second: Grid,
    metrics: Sequence[str],
    *,
    population: str = THESE_PROMPTS,
    seed: int = 0,
    draws: int = bootstrap.DRAWS,
    flips: int = permutation.DRAWS,
) -> pd.DataFrame:
    """Differences of two editors over their shared cells, one row per metric.

    Args:
        first: cells of A.
        second: cells of B.
        metrics: names of the grids' metrics.
        population: ``these-prompts`` or ``prompts-like-these``.
        seed: of the draws.
        draws: bootstrap draws.
        flips: sign patterns.

    Returns:
        Columns metric, mean_a, mean_b, difference (A - B), low, high (95 %), p (uncorrected), detectable (difference
        found with 80 % probability at an uncorrected level of 5 %), cells, images, prompts.

    Raises:
        UsageError: the population is unknown.
    """
    import pandas as pd

    check_population(population)
    tests = SignFlips(population, seed, flips)
    rows = _differences(first, second, metrics, population, seed, draws, tests)
    return pd.DataFrame(rows).assign(p=tests.p_values())


def _differences(
    first: Grid,
    second: Grid,
    metrics: Sequence[str],
    population: str,
    seed: int,
    draws: int,
    tests: SignFlips,
    intervals: bool = True,
) -> list[dict[str, Any]]:
    """The rows of ``compare_paired``, without p, which the tests are to find."""
    a, b, difference = paired_differences(first, second)
    tests.add(difference.values)
    if intervals:
        found = estimate(difference.values, _shares(metrics), population, seed, draws, paired=True)
    else:
        found = estimates_of_means(difference.values, population == LIKE_THESE)
    detectable = minimum_detectable_effect(found.standard_error, found.degrees_of_freedom)
    return [
        {
            "metric": metric,
            "mean_a": _mean(a.values[row]),
            "mean_b": _mean(b.values[row]),
            "difference": found.mean[row],
            "low": found.low[row],
            "high": found.high[row],
            "p": np.nan,
            "detectable": detectable[row],
            **_sizes(difference, row),
        }
        for row, metric in enumerate(metrics)
    ]


def verdict(difference: float, p_holm: float, first: str = "A", second: str = "B") -> str:
    """What a row of a comparison says in words.

    >>> verdict(-0.1, 0.01), verdict(-0.1, 0.2), verdict(float("nan"), float("nan"))
    ('B higher', 'no difference found', 'n/a')
    """
    if np.isnan(p_holm):
        return "n/a"
    if p_holm >= SIGNIFICANT or difference == 0:
        return "no difference found"
    return f"{first if difference > 0 else second} higher"


def _shares(metrics: Sequence[str]) -> np.ndarray:
    """Which metrics lie in [0, 1] by definition, told by their names: bool [M]."""
    return np.array([metric.split(".")[0] in SHARES for metric in metrics], dtype=bool)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _sizes(grid: Grid, row: int) -> dict[str, int]:
    present = ~np.isnan(grid.values[row])
    return {
        "cells": int(present.sum()),
        "images": int(present.any(1).sum()),
        "prompts": int(present.any(0).sum()),
    }
