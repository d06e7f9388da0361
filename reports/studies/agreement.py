"""How far the judges agree with people and with the counterfactuals on the edits of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from eval.labelling.edits import CELL, Labelled, majority
from eval.metrics.book import metric_of
from eval.runs.reader import Run
from eval.statistics import Interval
from eval.statistics.agreement import Agreement, agreement
from reports.means import eligible
from reports.writers.layout import Block, Table, Value, interval_columns, interval_text

if TYPE_CHECKING:
    from pandas import DataFrame

PEOPLE, COUNTERFACTUAL = "people", "success_by_counterfactual"
JUDGES = ("success", "success_by_attributes", "success_by_second", "real", COUNTERFACTUAL)
EVERY = "all editors"
NUMBERS = ("share", "kappa", "confirmed", "refused")
COLUMNS = ("yardstick", "judge", "editor", "cells", *(f"{n}{end}" for n in NUMBERS for end in ("", "_low", "_high")))
HEADER = ("judge", "editor", "edits", "agree", "kappa", "its yes confirmed", "its no confirmed")
QUESTION = "Do the judges say of edits what people and counterfactuals say?"
NOTES = (
    "Eligible edits. Agree: the same verdict. Kappa (Cohen 1960): agreement beyond chance. Its yes confirmed: of what "
    "the judge calls a success, the share that the yardstick accepts; its no confirmed: of the rest, the share that it "
    "rejects. ±: half of the 95 % interval over source images. n/a: both are always the same, or one image.",
    "People: what most raters said of an edit that they saw without its editor, strength and verdicts.",
)


def agreement_table(run: Run, labels: Sequence[Labelled]) -> Table:
    """A block for each yardstick: people, where there are labels of this run's edits, and the counterfactuals.

    Args:
        run: with the columns of the verdicts.
        labels: of people; of other edits than the run's they are left out.
    """
    cells = eligible(run.rows)
    cells = cells.assign(**{PEOPLE: _people(cells, labels)})
    data: list[dict[str, Value]] = []
    blocks = []
    for yardstick in (PEOPLE, COUNTERFACTUAL):
        known = cells[cells[yardstick].notna()] if yardstick in cells else cells[:0]
        rows = [
            (judge, editor, part, _compared(part, judge, yardstick))
            for judge in JUDGES
            if judge != yardstick and judge in known and known[judge].notna().any()
            for editor, part in _parts(run, known)
        ]
        data += [_data(yardstick, judge, editor, part, found) for judge, editor, part, found in rows]
        if rows:
            title = f"yardstick: {PEOPLE if yardstick == PEOPLE else 'the counterfactual'}"
            lines = tuple(_line(judge, editor, part, found) for judge, editor, part, found in rows)
            blocks.append(Block(title, HEADER, lines, texts=2))
    return Table("agreement", QUESTION, COLUMNS, tuple(data), tuple(blocks), NOTES)


def _people(cells: DataFrame, labels: Sequence[Labelled]) -> list[float]:
    said = majority(labels)
    names = cells.assign(strength=[f"{strength:g}" for strength in cells["strength"]])[list(CELL)]
    return [float(said[cell]) if cell in said else np.nan for cell in names.itertuples(index=False, name=None)]


def _parts(run: Run, cells: DataFrame) -> list[tuple[str, DataFrame]]:
    parts = [(editor, cells[cells["editor"] == editor]) for editor in run.editors]
    return [(EVERY, cells), *((editor, part) for editor, part in parts if len(part))]


def _compared(cells: DataFrame, judge: str, yardstick: str) -> Agreement:
    both = cells[cells[judge].notna()]
    said, true = (both[column].to_numpy(float) > 0 for column in (judge, yardstick))
    return agreement(said, true, both["source"].to_numpy(), both["prompt"].to_numpy())


def _numbers(found: Agreement) -> dict[str, Interval]:
    return {name: getattr(found, name) for name in NUMBERS}


def _data(yardstick: str, judge: str, editor: str, cells: DataFrame, found: Agreement) -> dict[str, Value]:
    row: dict[str, Value] = {"yardstick": yardstick, "judge": judge, "editor": editor, "cells": len(cells)}
    for name, value in _numbers(found).items():
        row |= interval_columns(name, value)
    return row


def _line(judge: str, editor: str, cells: DataFrame, found: Agreement) -> tuple[str, ...]:
    texts = (interval_text(value, 2) for value in _numbers(found).values())
    return (metric_of(judge).heading, editor, str(len(cells)), *texts)
