"""Which editors differ: paired tests at every strength, and the groups that cannot be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eval import statistics
from eval.metrics.book import metric_of
from eval.statistics import THESE_PROMPTS as THESE
from reports.equal_effect.pairs import compare_pairs, pairs_of
from reports.equal_effect.prompts import is_control, known_columns
from reports.explorer.numbers import rounded
from reports.explorer.stops import Choices, Stop
from reports.power import TESTED
from reports.tables.matched import MEASURES as MATCHED_MEASURES
from reports.tables.matched import SIGNIFICANT

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_EDITORS = 12  # whose differences have intervals: 66 pairs


def comparisons(choices: Choices) -> dict[str, dict[str, Any]]:
    """What the paired tests find at every stop.

    Returns:
        Stop -> ``population`` (empty where it differs by pair), ``prompts`` (names), ``both_meet`` (of a matched stop:
        the two editors -> the prompts that both meet), ``intervals`` (false where there are none), ``rows`` (editor,
        editor, column, difference, low, high, corrected p) and ``letters`` (column -> editor -> letters; only where
        they are not in the matched table).
    """
    plain = {s.name: _plain(choices, s) for s in choices.stops if s.kind != "matched"}
    return {name: found for name, found in (plain | _matched(choices)).items() if found}


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
    few = len(editors) <= MOST_EDITORS
    table = statistics.compare_editors(cells, columns, population=THESE, intervals=few)
    letters = {name: _letters(cells, table, editors, name) for name in columns}
    return {
        "population": THESE,
        "prompts": [prompt["name"] for prompt in choices.run.prompts],
        "rows": _rows(table),
        "letters": letters,
        **({} if few else {"intervals": False}),
    }


def _letters(cells: DataFrame, table: DataFrame, editors: list[str], column: str) -> dict[str, str]:
    means = {editor: cells.loc[cells["editor"] == editor, column].mean() for editor in editors}
    sign = -(metric_of(column).sign or 1)
    order = sorted((editor for editor in editors if means[editor] == means[editor]), key=lambda e: sign * means[e])
    found = table[(table["metric"] == column) & (table["p_holm"] < SIGNIFICANT)]
    return statistics.letters(order, list(zip(found["editor_a"], found["editor_b"], strict=True)))


def _matched(choices: Choices) -> dict[str, dict[str, Any] | None]:
    """As the matched table compares them: each pair on the prompts that both meet, Holm over all of it."""
    levels = choices.matched.levels
    tests = compare_pairs(levels, known_columns(levels, MATCHED_MEASURES))
    if tests is None:
        return {}
    found: dict[str, dict[str, Any] | None] = {}
    for level in levels:
        rows = tests[tests["goal"] == level.goal]
        if len(rows):
            pairs = {f"{pair.first} {pair.second}": pair.prompts for pair in pairs_of(level)}
            populations = set(rows["population"])
            found[f"matched-{level.goal:g}"] = {
                "population": populations.pop() if len(populations) == 1 else "",
                "prompts": level.prompts,
                "both_meet": pairs,
                "rows": _rows(rows),
            }
    return found


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
