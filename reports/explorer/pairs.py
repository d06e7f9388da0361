"""Which editors differ: paired tests at every strength, and the groups that cannot be told apart."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from eval import statistics
from eval.metrics.book import metric_of
from eval.statistics import THESE_PROMPTS as THESE
from reports.equal_effect.prompts import Level, is_control, known_columns
from reports.explorer.numbers import rounded
from reports.explorer.stops import Choices, Stop
from reports.power import TESTED
from reports.tables.matched import MEASURES as MATCHED_MEASURES
from reports.tables.matched import SIGNIFICANT

if TYPE_CHECKING:
    from pandas import DataFrame


def comparisons(choices: Choices, populations: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What the paired tests find at every stop.

    Args:
        choices: of the run.
        populations: matched stop -> what its table's verdicts hold for.

    Returns:
        Stop -> ``population``, ``prompts`` (names), ``rows`` (editor, editor, column, difference, low, high,
        corrected p) and ``letters`` (column -> editor -> letters; only where they are not in the matched table).
    """
    plain = {s.name: _plain(choices, s) for s in choices.stops if s.kind != "matched"}
    return {name: found for name, found in (plain | _matched(choices, populations)).items() if found}


def _plain(choices: Choices, stop: Stop) -> dict[str, Any] | None:
    """All cells that two editors share; Holm over the pairs and columns of the stop."""
    rows = choices.run.rows.loc[stop.rows]
    editors = [e for e in choices.run.editors if not is_control(e) and (rows["editor"] == e).any()]
    columns = [name for name in TESTED if name in rows and rows[name].notna().any()]
    if len(editors) < 2 or not columns:
        return None
    hidden = [name for name in columns if metric_of(name).eligible_only]
    cells = rows[rows["editor"].isin(editors)].copy()
    cells[hidden] = cells[hidden].astype(float).where(cells["eligible"].astype(bool))
    table = statistics.compare_editors(cells, columns, population=THESE)
    letters = {name: _letters(cells, table, editors, name) for name in columns}
    return {
        "population": THESE,
        "prompts": [prompt["name"] for prompt in choices.run.prompts],
        "rows": _rows(table),
        "letters": letters,
    }


def _letters(cells: DataFrame, table: DataFrame, editors: list[str], column: str) -> dict[str, str]:
    means = {editor: cells.loc[cells["editor"] == editor, column].mean() for editor in editors}
    sign = -(metric_of(column).sign or 1)
    order = sorted((editor for editor in editors if means[editor] == means[editor]), key=lambda e: sign * means[e])
    found = table[(table["metric"] == column) & (table["p_holm"] < SIGNIFICANT)]
    return statistics.letters(order, list(zip(found["editor_a"], found["editor_b"], strict=True)))


def _matched(choices: Choices, populations: dict[str, str]) -> dict[str, dict[str, Any] | None]:
    """As the matched table compares them: Holm over all effects, pairs and columns together."""
    import pandas

    metrics = known_columns(choices.matched.levels, MATCHED_MEASURES)
    tables: dict[str, DataFrame] = {}
    levels: dict[str, Level] = {f"matched-{level.goal:g}": level for level in choices.matched.levels}
    for name, level in levels.items():
        if level.prompts and name in populations and len(list(combinations(level.compared, 2))):
            cells = pandas.concat([level.cells[editor] for editor in level.compared], ignore_index=True)
            table = statistics.compare_editors(cells, metrics, population=populations[name])
            if len(table):
                tables[name] = table
    if not tables:
        return {}
    joined = pandas.concat(tables.values(), keys=tables.keys())
    joined = joined.assign(p_holm=statistics.holm(joined["p"].to_numpy()))
    return {
        name: {"population": populations[name], "prompts": levels[name].prompts, "rows": _rows(joined.loc[name])}
        for name in tables
    }


def _rows(table: DataFrame) -> list[list[Any]]:
    return [
        [
            row.editor_a,
            row.editor_b,
            row.metric,
            *(rounded(float(number)) for number in (row.difference, row.low, row.high)),
            rounded(float(row.p_holm), 2),
        ]
        for row in table.itertuples()
    ]
