"""What more effect costs: curves over the goals, on one set of prompts, and the area under them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.book import Metric, metric_of
from eval.statistics import Interval
from reports.equal_effect.prompts import COMPARED_SHARE, ERROR, Level, Matched, is_control

if TYPE_CHECKING:
    from pandas import DataFrame

EFFECT = "target_effect"
KEYS = ["prompt", "source"]


AXES = ("identity", "ad_mean", ERROR)


@dataclass(frozen=True)
class Curve:
    """One editor over the goals.

    Attributes:
        editor: label; also controls and the oracle, which are single points.
        points: one a goal: column -> mean; those of ``AXES`` that the run has, and the effect.
        areas: column -> mean height of the curve between the first and the last goal; empty for a single point.
    """

    editor: str
    points: tuple[dict[str, Interval], ...]
    areas: dict[str, Interval]


@dataclass(frozen=True)
class Pareto:
    """All curves of a run.

    Attributes:
        goals: target effects, ascending: as far as a quarter of the prompts are met by all.
        prompts: those that every editor meets at every goal.
        axes: those that the run has numbers for.
        curves: of the compared editors.
        floors: of the controls.
        oracle: None where the run has none.
    """

    goals: tuple[float, ...]
    prompts: tuple[str, ...]
    axes: tuple[Metric, ...]
    curves: tuple[Curve, ...]
    floors: tuple[Curve, ...]
    oracle: Curve | None


def pareto(matched: Matched) -> Pareto | None:
    """The curves; None if no prompt is met by all compared editors.

    Compared are the editors that are compared at the first goal.
    """
    first = matched.levels[0] if matched.levels else None
    if first is None or not first.compared:
        return None
    goals, prompts = _span(matched, first.compared)
    if not goals:
        return None
    levels = [level for level in matched.levels if level.goal in goals]
    editors = {editor: [_chosen(level.eligible[editor], prompts) for level in levels] for editor in first.compared}
    cells = [table for tables in editors.values() for table in tables]
    axes = tuple(metric_of(name) for name in AXES if any(table[name].notna().any() for table in cells))
    columns = [EFFECT, *(axis.name for axis in axes)]
    curves = tuple(
        Curve(editor, _points(matched, tables, columns), _areas(matched, tables, goals, axes))
        for editor, tables in editors.items()
    )
    floors = tuple(
        Curve(editor, _points(matched, [_chosen(cells, prompts)], columns), {})
        for editor, cells in levels[-1].eligible.items()
        if is_control(editor)
    )
    oracle = _chosen(matched.oracle, prompts) if len(matched.oracle) else None
    ceiling = None if oracle is None else Curve("oracle", _points(matched, [oracle], columns), {})
    return Pareto(goals, prompts, axes, curves, floors, ceiling)


def _span(matched: Matched, editors: tuple[str, ...]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """As many goals, from the first, as leave a quarter of the prompts; and the prompts met at all of them."""
    fewest = max(1.0, COMPARED_SHARE * len(matched.run.prompts))
    goals: list[float] = []
    prompts = [prompt["name"] for prompt in matched.run.prompts]
    for level in matched.levels:
        left = [name for name in prompts if all(_meets(level, editor, name) for editor in editors)]
        if len(left) < fewest:
            break
        goals.append(level.goal)
        prompts = left
    return tuple(goals), tuple(prompts)


def _meets(level: Level, editor: str, prompt: str) -> bool:
    return editor in level.reach and prompt in level.reach[editor].met


def _chosen(cells: DataFrame, prompts: tuple[str, ...]) -> DataFrame:
    return cells[cells["prompt"].isin(prompts)]


def _points(matched: Matched, tables: list[DataFrame], columns: list[str]) -> tuple[dict[str, Interval], ...]:
    return tuple({column: matched.interval(table, column) for column in columns} for table in tables)


def _areas(
    matched: Matched, tables: list[DataFrame], goals: tuple[float, ...], axes: tuple[Metric, ...]
) -> dict[str, Interval]:
    """The area is linear in the cells: each cell gets its own, and they are averaged like any other number."""
    if len(goals) < 2:
        return {}
    weights = trapezoid_weights(goals)
    indexed = [table.set_index(KEYS) for table in tables]
    shared = indexed[0].index
    for table in indexed[1:]:
        shared = shared.intersection(table.index, sort=False)
    areas = {}
    for axis in axes:
        values = [table.loc[shared, axis.name].to_numpy(np.float64) for table in indexed]
        own = np.einsum("g,gn->n", weights, np.stack(values))
        areas[axis.name] = matched.interval(shared.to_frame(index=False).assign(area=own), "area")
    return areas


def trapezoid_weights(goals: tuple[float, ...]) -> np.ndarray:
    """What each goal's value counts for the area by the trapezoid rule, divided by the width: float64 [goals].

    >>> trapezoid_weights((0.5, 1.0, 2.0)).round(3).tolist()
    [0.167, 0.5, 0.333]
    """
    gaps = np.diff(goals)
    weights: np.ndarray = (np.append(gaps, 0.0) + np.append(0.0, gaps)) / 2 / gaps.sum()
    return weights
