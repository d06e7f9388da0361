"""How far from the counterfactual, and how much of that is the inversion's fault?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.book import metric_of
from eval.runs.reader import ORACLE, Run
from eval.statistics import Interval
from reports.equal_effect.prompts import at_ceiling
from reports.means import means_of
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
        values = counterfactual_values(cells)
        named: dict[str, Value] = {"editor": setting.editor, "kind": setting.kind, "strength": setting.strength}
        data.append(named | _data(values, len(cells)) | {"at_ceiling": caught if len(run.oracle) else None})
        strength = setting.strength if setting.kind == "given" else setting.kind
        rows.append((setting.editor + (f" {CEILING_MARK}" if caught else ""), strength, *_printed(values)))
    if len(run.oracle):
        values = counterfactual_values(run.oracle)
        named = {"editor": ORACLE, "kind": "reference", "strength": ""}
        data.append(named | _data(values, len(run.oracle)) | {"at_ceiling": None})
        rows.append((ORACLE, "", *_printed(values)))
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


def _data(values: dict[str, Interval], cells: int) -> dict[str, Value]:
    row: dict[str, Value] = {"cells": cells}
    for name, value in values.items():
        row |= interval_columns(name, value)
    return row


def _printed(values: dict[str, Interval]) -> tuple[str, ...]:
    return tuple(interval_text(values[name], metric_of(name).digits) for name in MEASURES)


def counterfactual_values(cells: DataFrame) -> dict[str, Interval]:
    """Mean and interval of every measure of the table; errors in thousandths of the squared pixel range."""
    return means_of(split_errors(cells), MEASURES)


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
