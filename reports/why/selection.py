"""Which cells a row of a table is made of, and the number that each of them adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from eval.runs.reader import ORACLE, Run
from reports.equal_effect.curves import pareto
from reports.equal_effect.prompts import ATTAINED_SHARE, ROUNDING, Matched
from reports.pool import COUNTERFACTUAL, INVERSION
from reports.tables.attributes import OTHERS_LARGEST, OTHERS_MEAN
from reports.tables.columns import ELIGIBLE, Column
from reports.tables.counterfactual import split_errors

if TYPE_CHECKING:
    from pandas import DataFrame, Series

Row = Mapping[str, str]  # of a csv
REFERENCE = "reference"  # kind of rows that are no editor's
SINGLE_STRENGTH = ("default", "given")  # kinds of which every strength has its own row
ALL_PROMPTS = "eligible cells of all prompts"


def finished_cells(run: Run, table: str, row: Row) -> DataFrame:
    """The finished cells that a row rests on, columns like ``Run.rows``; the oracle's only where the row is it."""
    editor = row["editor"]
    if table == "strengths" or (table == "main" and editor == COUNTERFACTUAL):
        return run.rows.iloc[:0]
    if editor == ORACLE:
        return run.oracle
    if editor == INVERSION and row.get("kind") == REFERENCE:
        return run.rows
    mine = run.rows[run.rows["editor"] == editor]
    if table in ("runtime", "determinism"):
        return mine
    if table in ("pareto", "matched"):
        goals = [float(row["goal"])] if row["goal"] else list(_curve(run)[0][-1:])
        return mine[(mine["kind"] == "matched") & mine["effect_goal"].isin(goals)]
    return mine[_of_setting(mine, row)]


def _of_setting(cells: DataFrame, row: Row) -> Series:
    """Which cells have the kind, the prompt and the strength that a row names: bool [n]."""
    chosen = cells["kind"] == row["kind"]
    if "prompt" in row:
        chosen &= cells["prompt"] == row["prompt"]
    if row["kind"] in SINGLE_STRENGTH:
        chosen &= cells["strength"].map("{:g}".format) == f"{float(row['strength']):g}"
    return chosen


def _curve(run: Run) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Goals and prompts of the curves of the table ``pareto``."""
    found = pareto(Matched(run))
    return ((), ()) if found is None else (found.goals, found.prompts)


def counted_cells(run: Run, table: str, row: Row, column: Column, cells: DataFrame) -> DataFrame:
    """Those of the finished cells that a column is over."""
    if not len(cells):
        return cells
    if table == "main" and row["editor"] == INVERSION:
        return cells[~cells["source"].duplicated()]
    if column.over == ELIGIBLE or table in ("matched", "pareto"):
        cells = cells[cells["eligible"].astype(bool)]
    if table == "attributes":
        wanted = [prompt["name"] for prompt in run.prompts if prompt["attribute"] == row["target"]]
        return cells[cells["prompt"].isin(wanted)]
    if table == "pareto":
        return cells[cells["prompt"].isin(_curve(run)[1])]
    if table == "matched" and column.over != ALL_PROMPTS:
        levels = Matched(run).levels
        level = next((level for level in levels if level.goal == float(row["goal"])), None)
        if level is None or row["editor"] not in level.compared:
            return cells
        return cells[cells["prompt"].isin(level.own_prompts(row["editor"]))]
    return cells


# Rows of the table of attributes that are over all other attributes: the column of the cells that each number is of.
OTHERS = {
    (OTHERS_MEAN, "flip_rate"): "preservation",
    (OTHERS_MEAN, "effect"): "ad_mean",
    (OTHERS_LARGEST, "effect"): "ad_max",
}


def numbers_of(table: str, row: Row, stem: str, column: Column, cells: DataFrame) -> np.ndarray:
    """The number that each of the cells adds: float64 [n], NaN where it has none."""
    name = column.measure
    if table == "attributes":
        own = _column(cells, OTHERS.get((row["attribute"], stem), f"{name}{row['attribute']}"))
        return 1 - own if stem == "flip_rate" else own
    if stem == "reach_edits":
        least = ATTAINED_SHARE * float(row["goal"]) - ROUNDING
        return (_column(cells, "target_effect") >= least).astype(float)
    if table == "main" and row["editor"] == INVERSION:
        name = name.replace("counterfactual", "inversion")
    return _column(split_errors(cells), row["axis"] if name == "axis" else name)


def _column(cells: DataFrame, name: str) -> np.ndarray:
    if name not in cells:
        return np.full(len(cells), np.nan)
    numbers: np.ndarray = cells[name].to_numpy(dtype=np.float64)
    return numbers
