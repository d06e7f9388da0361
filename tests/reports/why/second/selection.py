"""Which chunks and cells a row of a table is made of, found from the row's labels and the files alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from reports.tables.attributes import OTHERS_LARGEST, OTHERS_MEAN
from reports.tables.columns import ELIGIBLE, Column
from tests.reports.why.second.files import ORACLE, Files, Info
from tests.reports.why.second.goals import curve_goals, curve_prompts, own_prompts

if TYPE_CHECKING:
    from pandas import DataFrame

Row = Mapping[str, str]  # of a csv
COUNTERFACTUAL, INVERSION, REFERENCE = "counterfactual", "inversion", "reference"
SINGLE_STRENGTH = ("default", "given")  # kinds of which every strength has its own row


def chunks_of(files: Files, table: str, row: Row) -> list[Info]:
    """The finished chunks that a row rests on, the oracle's only where the row is the oracle."""
    edits = [info for info in files.infos if info["kind"] != ORACLE]
    editor = row["editor"]
    if table == "strengths" or (table == "main" and editor == COUNTERFACTUAL):
        return []
    if editor == ORACLE:
        return [info for info in files.infos if info["kind"] == ORACLE]
    if editor == INVERSION and row.get("kind") == REFERENCE:
        return edits
    mine = [info for info in edits if info["editor"] == editor]
    if table in ("runtime", "determinism"):
        return mine
    if table == "pareto":
        goals = [float(row["goal"])] if row["goal"] else curve_goals(files)[-1:]
        return [info for info in mine if info["kind"] == "matched" and info.get("effect_goal") in goals]
    if table == "matched":
        return [info for info in mine if info["kind"] == "matched" and info.get("effect_goal") == float(row["goal"])]
    return [info for info in mine if _is_setting(info, row)]


def _is_setting(info: Info, row: Row) -> bool:
    """Whether a chunk has the kind, the strength and the prompt that a row names."""
    if info["kind"] != row["kind"] or ("prompt" in row and info["prompt"] != row["prompt"]):
        return False
    if info["kind"] not in SINGLE_STRENGTH:
        return True
    return f"{info['strength']:g}" == f"{float(row['strength']):g}"


def cells_of(files: Files, table: str, row: Row, column: Column) -> tuple[DataFrame, DataFrame]:
    """The cells of these chunks, and those among them that the column is over."""
    cells = files.cells(chunks_of(files, table, row))
    if not len(cells):
        return cells, cells
    return cells, cells[_counts(files, table, row, column, cells)]


def _counts(files: Files, table: str, row: Row, column: Column, cells: DataFrame) -> np.ndarray:
    """Which cells count: bool [n]."""
    prompts = cells["prompt"].to_numpy()
    counted: np.ndarray = np.ones(len(cells), dtype=bool)
    if table == "main" and row["editor"] == INVERSION:
        counted = ~cells["source"].duplicated().to_numpy(dtype=bool)
    elif column.over == ELIGIBLE or table in ("matched", "pareto"):
        counted = cells["eligible"].to_numpy(dtype=bool).copy()
    if table == "attributes":
        asked = [prompt["name"] for prompt in files.prompts if prompt["attribute"] == row["target"]]
        counted &= np.isin(prompts, asked)
    if table == "matched" and column.over != "eligible cells of all prompts":
        counted &= np.isin(prompts, own_prompts(files, row["editor"], float(row["goal"])))
    if table == "pareto":
        counted &= np.isin(prompts, curve_prompts(files))
    return counted


def numbers_of(table: str, row: Row, stem: str, column: Column, cells: DataFrame) -> np.ndarray:
    """The number that each of the cells adds: float64 [n], NaN where it has none."""
    name = column.measure
    if table == "attributes":
        others = OTHERS.get((row["attribute"], stem))
        own = _column(cells, others or f"{name}{row['attribute']}")
        return 1 - own if stem == "flip_rate" else own
    if table == "main" and row["editor"] == INVERSION:
        name = name.replace("counterfactual", "inversion")
    if stem == "reach_edits":
        return (_column(cells, "target_effect") >= float(row["goal"]) / 2 - 1e-9).astype(float)
    if name == "axis":
        name = row["axis"]
    if name in ("error", "inversion_error"):
        return 1000 * 10 ** (-_column(cells, PSNR[name]) / 10)
    if name == "edit_error":
        total, inversion = (1000 * 10 ** (-_column(cells, PSNR[part]) / 10) for part in ("error", "inversion_error"))
        return np.asarray(total - inversion)
    return _column(cells, name)


# Rows of the table of attributes that are over all other attributes: the column of the cells that each number is of.
OTHERS = {
    (OTHERS_MEAN, "flip_rate"): "preservation",
    (OTHERS_MEAN, "effect"): "ad_mean",
    (OTHERS_LARGEST, "effect"): "ad_max",
}
PSNR = {"error": "counterfactual_psnr_db", "inversion_error": "inversion_psnr_db"}


def _column(cells: DataFrame, name: str) -> np.ndarray:
    if name not in cells:
        return np.full(len(cells), np.nan)
    numbers: np.ndarray = cells[name].to_numpy(dtype=np.float64)
    return numbers
