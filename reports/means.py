"""Means of cells with their 95 % intervals, as every table, figure and page prints them (``eval.statistics``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.book import known_metric
from eval.statistics import Interval
from eval.statistics.intervals import intervals_of_means

if TYPE_CHECKING:
    from pandas import DataFrame

NOTHING = Interval(None, None, None, 0, 0)
_KNOWN: dict[bytes, Interval] = {}  # by everything that goes in: tables, figures and page ask for the same ones
MOST_KNOWN = 60_000  # intervals
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


def means_of(cells: DataFrame, columns: Iterable[str]) -> dict[str, Interval]:
    """``mean_of`` of several columns, which are estimated together: by far quicker."""
    numbers = {name: cells[name].to_numpy(np.float64) if name in cells else None for name in columns}
    known = {name: column for name, column in numbers.items() if column is not None}
    found = intervals_of(known, cells, {name: is_share(name) for name in known})
    return {name: found.get(name, NOTHING) for name in numbers}


def eligible(cells: DataFrame) -> DataFrame:
    """The cells where there was something to do."""
    return cells[cells["eligible"].to_numpy(bool)]


def interval_of(values: np.ndarray, cells: DataFrame, share: bool) -> Interval:
    """The mean of one number a cell, float64 [n], NaN where a cell has none."""
    return intervals_of({"": values}, cells, {"": share})[""]


def intervals_of(
    columns: Mapping[str, np.ndarray], cells: DataFrame, shares: Mapping[str, bool]
) -> dict[str, Interval]:
    """The means of several numbers a cell, float64 [n] each, NaN where a cell has none."""
    import pandas

    sources, prompts = cells["source"].to_numpy(), pandas.factorize(cells["prompt"], sort=True)[0]
    where = hashlib.sha256(sources.tobytes() + prompts.tobytes())
    keys = {}
    for name, values in columns.items():
        if not np.isnan(values).all():
            key = where.copy()
            key.update(np.ascontiguousarray(values).tobytes() + bytes([shares[name]]))
            keys[name] = key.digest()
    known = {name: _KNOWN[key] for name, key in keys.items() if key in _KNOWN}
    new = [name for name in keys if name not in known]
    if new:
        values = np.stack([columns[name] for name in new])
        with np.errstate(invalid="ignore"):  # the PSNR of an untouched image is infinite in old runs
            found = intervals_of_means(values, sources, prompts, np.array([shares[name] for name in new]))
        for name, one in zip(new, found, strict=True):
            mean = float(columns[name][~np.isnan(columns[name])].mean())
            known[name] = Interval(mean, _rounded(one.low), _rounded(one.high), one.cells, one.images)
            _keep(keys[name], known[name])
    return {name: known.get(name, NOTHING) for name in columns}


def _keep(key: bytes, interval: Interval) -> None:
    _KNOWN[key] = interval
    if len(_KNOWN) > MOST_KNOWN:
        del _KNOWN[next(iter(_KNOWN))]


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
