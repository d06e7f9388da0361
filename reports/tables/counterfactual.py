"""How far from the counterfactual, and how much of that is the inversion's fault?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.book import metric_of
from eval.runs.reader import ORACLE, Run
from eval.statistics import Interval
from reports.equal_effect.prompts import at_ceiling
from reports.means import mean_of
from reports.tables.columns import ALL, EDITOR, KIND, STRENGTH, count, mean, names, verdict
from reports.writers.layout import Block, Table, Value, interval_columns, interval_text

if TYPE_CHECKING:
    from pandas import DataFrame

SCALE = 1000  # squared errors are printed in thousandths of the squared range of a pixel
MEASURES = (
    *("counterfactual_psnr_db", "inversion_psnr_db", "counterfactual_ssim", "inversion_ssim"),
    *("counterfactual_identity", "error", "inversion_error", "edit_error"),
)
AT_CEILING = "mean counterfactual PSNR and identity are not below the oracle's on the same cells"
COLUMNS = {
    "editor": EDITOR,
    "kind": KIND,
    "strength": STRENGTH,
    "cells": count("number of finished cells", ALL),
    **{name: mean(name, ALL) for name in MEASURES},
    "at_ceiling": verdict(AT_CEILING, "counterfactual", ALL, ("counterfactual_psnr_db", "counterfactual_identity")),
}
CEILING_MARK = "‡"
ORACLE_NOTE = (
    "Oracle: the counterfactual itself through the inversion, what an editor that knew it would score. "
    f"{CEILING_MARK}: as close to the counterfactual as the oracle, in pixels and in identity, which knowing the text "
    "alone does not explain."
)


def counterfactual_table(run: Run) -> Table:
    """The squared error to the counterfactual, split into the inversion's and the edit's own part."""
    data: list[dict[str, Value]] = []
    rows = []
    for setting in run.settings:
        cells = run.rows.loc[setting.rows]
        caught = at_ceiling(cells, run.oracle)
        data.append(_data(run, cells, setting.editor, setting.kind, setting.strength, caught))
        strength = setting.strength if setting.kind == "given" else setting.kind
        rows.append(_printed(run, cells, setting.editor + (f" {CEILING_MARK}" if caught else ""), strength))
    if len(run.oracle):
        data.append(_data(run, run.oracle, ORACLE, "reference", "", None))
        rows.append(_printed(run, run.oracle, ORACLE, ""))
    header = ("editor", "strength", *(metric_of(name).title for name in MEASURES))
    notes = (
        "Error: mean squared error to the counterfactual, in thousandths of the squared pixel range; inversion: that "
        "of the reconstruction to the original; edit: the difference of the two, below zero where an edit repairs "
        "what the inversion had wrong. Over all cells.",
        *([ORACLE_NOTE] if len(run.oracle) else []),
    )
    question = "How far is an edit from the counterfactual, and how much of that is the inversion's?"
    return Table(
        "counterfactual", question, names(COLUMNS), tuple(data), (Block("", header, tuple(rows), texts=2),), notes
    )


def _data(run: Run, cells: DataFrame, editor: str, kind: str, strength: str, caught: bool | None) -> dict[str, Value]:
    row: dict[str, Value] = {"editor": editor, "kind": kind, "strength": strength, "cells": len(cells)}
    for name, value in counterfactual_values(run, cells).items():
        row |= interval_columns(name, value)
    return row | {"at_ceiling": caught if len(run.oracle) else None}


def _printed(run: Run, cells: DataFrame, editor: str, strength: str) -> tuple[str, ...]:
    values = counterfactual_values(run, cells)
    return (editor, strength, *(interval_text(values[name], metric_of(name).digits) for name in MEASURES))


def counterfactual_values(run: Run, cells: DataFrame) -> dict[str, Interval]:
    """Mean and interval of every measure of the table; errors in thousandths of the squared pixel range."""
    split = split_errors(cells)
    return {name: mean_of(split, name) for name in MEASURES}


def split_errors(cells: DataFrame) -> DataFrame:
    """The cells with ``error``, its part ``inversion_error`` and the rest, ``edit_error``."""
    total, inversion = (_squared_error(cells, name) for name in ("counterfactual_psnr_db", "inversion_psnr_db"))
    return cells.assign(error=total, inversion_error=inversion, edit_error=total - inversion)


def _squared_error(cells: DataFrame, column: str) -> np.ndarray:
    """Mean squared error from PSNR: float64 [n], NaN where the run has no PSNR."""
    if column not in cells:
        return np.full(len(cells), np.nan)
    error: np.ndarray = SCALE * 10 ** (-cells[column].to_numpy(np.float64) / 10)
    return error
