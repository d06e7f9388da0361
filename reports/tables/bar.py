"""When a prompt counts as done: success and kept at or above fixed bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.runs.reader import Run, Setting
from reports.writers.intervals import Interval, interval

if TYPE_CHECKING:
    from pandas import DataFrame

SUCCESS_BAR = 0.80  # share of eligible edits that the judge must see as asked
KEPT_BAR = 0.90  # share of the other visible factors that must stay
ROUNDING = 1e-9  # a mean of 0.9s may come out a digit below 0.9


@dataclass(frozen=True)
class PromptResult:
    """One editor on one prompt at one strength.

    Attributes:
        prompt: its name.
        strength: the one used.
        success: over eligible cells.
        kept: over eligible cells.
    """

    prompt: str
    strength: float
    success: Interval
    kept: Interval

    @property
    def at_bar(self) -> bool | None:
        """Whether both bars are reached; None without an eligible cell."""
        if self.success.mean is None or self.kept.mean is None:
            return None
        return self.success.mean >= SUCCESS_BAR - ROUNDING and self.kept.mean >= KEPT_BAR - ROUNDING


def prompt_results(run: Run, setting: Setting) -> list[PromptResult]:
    """The prompts of a setting, in the order of the prompt set; those without a finished cell are left out."""
    columns = [name for name in ("success", "kept") if name in run.rows]
    cells = run.rows.loc[setting.rows, ["prompt", "strength", "eligible", "source", *columns]]
    results = []
    for prompt in run.prompts:
        part = cells[cells["prompt"] == prompt["name"]]
        if len(part):
            strength = float(part["strength"].iloc[0])
            success, kept = (eligible_mean(run, part, column) for column in ("success", "kept"))
            results.append(PromptResult(prompt["name"], strength, success, kept))
    return results


def eligible_mean(run: Run, cells: DataFrame, column: str) -> Interval:
    """Mean over the cells where there was something to do."""
    if column not in cells:
        return mean_of(run, cells, column)
    return mean_of(run, cells.loc[cells["eligible"].astype(bool), [column, "source"]], column)


def mean_of(run: Run, cells: DataFrame, column: str) -> Interval:
    """Mean over cells, clustered by source image; without a number where the run has no such column."""
    if column not in cells:
        return Interval(None, None, None, 0, 0)
    return interval(cells[column].to_numpy(np.float64), cells["source"].to_numpy(np.int64), len(run.names))
