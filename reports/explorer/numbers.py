"""Means and intervals of the explorer: every editor at every strength, for all prompts, an attribute or one prompt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.statistics import Interval
from reports.equal_effect.prompts import ERROR, ERROR_SCALE
from reports.explorer.stops import Choices, Scope, Stop
from reports.means import eligible, intervals_of, is_share
from reports.tables.main import measures

if TYPE_CHECKING:
    from pandas import DataFrame

DIGITS = 5  # significant, more than any column shows
ELIGIBLE = (
    *("target_effect", "clean_success", "success", "preservation", "ad_mean", "ad_max", "identity"),
    *("counterfactual_psnr_db", "counterfactual_identity", ERROR),
)
Values = dict[str, list[Any]]  # column -> mean, low, high; as ``packed`` writes them


def every_cell() -> tuple[str, ...]:
    """The columns that are averaged over all cells."""
    return tuple(record.name for record in measures() if not record.eligible_only)


def numbers(choices: Choices) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Stop -> scope -> editor -> ``cells``, ``eligible`` (counts), ``over_eligible``, ``over_all`` (``Values``).

    ``over_all`` is left out at matched strengths, where everything is over eligible cells.
    """
    found: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for stop in choices.stops:
        rows = choices.run.rows.loc[stop.rows, _wanted(choices.run.rows)]
        own = rows.groupby(["editor", "prompt"], sort=False).indices
        found[stop.name] = {
            scope.name: {
                editor: _means(stop, rows.iloc[np.sort(np.concatenate(parts))])
                for editor in choices.run.editors
                if (parts := [own[editor, prompt] for prompt in scope.prompts if (editor, prompt) in own])
            }
            for scope in choices.scopes
        }
    return found


def _wanted(rows: DataFrame) -> list[str]:
    """The columns that are averaged, and those that say which cells: a tenth of what the cells hold."""
    wanted = {"editor", "prompt", "source", "eligible", "counterfactual_psnr_db", *ELIGIBLE, *every_cell()}
    return [name for name in rows.columns if name in wanted]


def _means(stop: Stop, cells: DataFrame) -> dict[str, Any]:
    own = eligible(cells)
    found: dict[str, Any] = {"cells": len(cells), "eligible": len(own)}
    found["over_eligible"] = _values(own, ELIGIBLE)
    if stop.kind != "matched":
        found["over_all"] = _values(cells, every_cell())
    return found


def _values(cells: DataFrame, columns: tuple[str, ...]) -> Values:
    means = intervals_of({name: _column(cells, name) for name in columns}, cells, {n: is_share(n) for n in columns})
    return {column: packed(value) for column, value in means.items() if value.mean is not None}


def _column(cells: DataFrame, name: str) -> np.ndarray:
    """float64 [n]; NaN where the run has no such column."""
    if name == ERROR:
        return np.asarray(ERROR_SCALE * 10 ** (-_column(cells, "counterfactual_psnr_db") / 10))
    if name not in cells:
        return np.full(len(cells), np.nan)
    return np.asarray(cells[name].to_numpy(np.float64))


def packed(value: Interval) -> list[Any]:
    """Mean, low and high for the page.

    >>> packed(Interval(0.123456789, None, None, 3, 1)), packed(Interval(float("inf"), 1.0, float("inf"), 2, 2))
    ([0.12346, None, None], ['∞', 1, '∞'])
    """
    return [rounded(value.mean), rounded(value.low), rounded(value.high)]


def rounded(value: float | None, digits: int = DIGITS) -> float | int | str | None:
    """A number as JSON can hold it: None for NaN, a text for infinity.

    >>> rounded(2 / 3), rounded(1.0), rounded(float("nan")), rounded(float("-inf"))
    (0.66667, 1, None, '-∞')
    """
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    short = float(f"{value:.{digits}g}")
    return int(short) if short == int(short) else short


def scope_of(choices: Choices, name: str) -> Scope:
    """The scope of that name."""
    return next(scope for scope in choices.scopes if scope.name == name)
