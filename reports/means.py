"""Means of cells with their 95 % intervals, as every table, figure and page prints them (``eval.statistics``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.book import known_metric
from eval.statistics import Interval, interval_of_mean

if TYPE_CHECKING:
    from pandas import DataFrame

NOTHING = Interval(None, None, None, 0, 0)
_KNOWN: dict[bytes, Interval] = {}  # by everything that goes in: tables, figures and page ask for the same ones
MOST_KNOWN = 20_000  # intervals
DIGITS = 10  # of the ends: the last ones of a matrix product depend on the number of threads


def mean_of(cells: DataFrame, column: str, share: bool | None = None) -> Interval:
    """The mean of a column for images like these and exactly these prompts; no number where there is no such column.

    Args:
        cells: with ``source`` and ``prompt``; at most one of each image and prompt.
        column: a metric, or any number of a cell.
        share: it lies in [0, 1] by definition; None: what the book of metrics says.
    """
    if column not in cells:
        return NOTHING
    return interval_of(cells[column].to_numpy(np.float64), cells, is_share(column) if share is None else share)


def eligible_mean(cells: DataFrame, column: str) -> Interval:
    """The same over the cells where there was something to do."""
    return mean_of(cells[cells["eligible"].astype(bool)], column)


def interval_of(values: np.ndarray, cells: DataFrame, share: bool) -> Interval:
    """The mean of one number a cell, float64 [n], NaN where a cell has none."""
    known = values[~np.isnan(values)]
    if not len(known):
        return NOTHING
    import pandas

    sources, prompts = cells["source"].to_numpy(), pandas.factorize(cells["prompt"], sort=True)[0]
    parts = (np.ascontiguousarray(part).tobytes() for part in (values, sources, prompts))
    key = hashlib.sha256(b"".join((*parts, bytes([share])))).digest()
    if key not in _KNOWN:
        with np.errstate(invalid="ignore"):  # the PSNR of an untouched image is infinite in old runs
            found = interval_of_mean(values, sources, prompts, share=share)
        low, high = _rounded(found.low), _rounded(found.high)
        _KNOWN[key] = Interval(float(known.mean()), low, high, found.cells, found.images)
        if len(_KNOWN) > MOST_KNOWN:
            del _KNOWN[next(iter(_KNOWN))]
    return _KNOWN[key]


def over_fewer(cells: DataFrame, columns: Iterable[str]) -> str:
    """Which of these numbers only some cells have, and how many; '' where all have all that any has."""
    counts = {column: int(cells[column].notna().sum()) for column in columns if column in cells}
    titles = {column: known_metric(column) for column in counts}
    return ", ".join(
        f"{record.heading if record else column} {counts[column]:,} of {len(cells):,}"
        for column, record in titles.items()
        if 0 < counts[column] < len(cells)
    )


def is_share(column: str) -> bool:
    """Whether a column lies in [0, 1] by definition.

    >>> is_share("preservation.mouth"), is_share("identity"), is_share("area")
    (True, False, False)
    """
    record = known_metric(column)
    return record is not None and record.is_share


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
