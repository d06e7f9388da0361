"""Editors at equal target effect: who reaches it, on which prompts, and their cells there.

An editor's numbers at a goal are over the eligible cells of the prompts that it meets itself, so that no other editor
changes them; two editors are compared on the prompts that both meet (``reports.equal_effect.pairs``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from eval.runs.reader import OF_THE_RIGHT, Run
from eval.statistics import Interval
from reports.means import mean_of

if TYPE_CHECKING:
    from pandas import DataFrame

CONTROLS = ("identity", "random-direction")  # floors: shown beside the editors, never compared with them
COMPARED_SHARE = 0.25  # of the prompts an editor must meet; one of fewer would decide what all are judged by
ATTAINED = "attained"  # whether an edit does
ATTAINED_SHARE = 0.5  # of the goal: a strength whose mean effect is the goal leaves about half of the edits below it
ERROR = "error"  # squared error to the counterfactual, in thousandths of the squared pixel range
ERROR_SCALE = 1000
ROUNDING = 1e-9


@dataclass(frozen=True)
class Reach:
    """How far an editor gets at one goal.

    Attributes:
        prompts: names of those that it reaches: some strength of the sweep has the effect on the calibration images.
        met: those of them whose strength was found; an editor that cannot be dosed reaches without meeting.
        edits: share of its eligible test edits that attain the goal, over all prompts of the run.
    """

    prompts: tuple[str, ...]
    met: tuple[str, ...]
    edits: Interval


@dataclass(frozen=True)
class Level:
    """One goal.

    Attributes:
        goal: target effect, in the run's ``effect_unit``.
        reach: of every editor with cells at this goal.
        compared: editors that meet at least ``COMPARED_SHARE`` of the prompts, controls apart.
        prompts: those that some compared editor meets, in the order of the run; empty if none is compared.
        eligible: editor -> its eligible cells of all prompts.
        oracle: the oracle's eligible cells of all prompts.
    """

    goal: float
    reach: dict[str, Reach]
    compared: tuple[str, ...]
    prompts: tuple[str, ...]
    eligible: dict[str, DataFrame]
    oracle: DataFrame

    def own_prompts(self, editor: str) -> tuple[str, ...]:
        """Those that its numbers are over: that a compared editor meets, otherwise all with cells."""
        if editor in self.compared:
            return self.reach[editor].met
        return tuple(dict.fromkeys(self.eligible[editor]["prompt"]))

    @cached_property
    def cells(self) -> dict[str, DataFrame]:
        """Editor -> its eligible cells of ``own_prompts``."""
        return {e: own[own["prompt"].isin(self.own_prompts(e))] for e, own in self.eligible.items()}

    def role(self, editor: str) -> str:
        """What an editor is here.

        ``compared``; ``floor``, a control; ``overshoots``, it has more effect than the goal or none; ``out of reach``.
        """
        if editor in self.compared:
            return "compared"
        if is_control(editor):
            return "floor"
        reach = self.reach[editor]
        return "overshoots" if len(reach.prompts) > len(reach.met) else "out of reach"


class Matched:
    """The part of a run at matched strength.

    Args:
        run: opened.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """One for each goal, ascending; empty for a run that matched no effects."""
        return tuple(self._level(goal) for goal in sorted({s.goal for s in self.run.matched if s.goal is not None}))

    def _level(self, goal: float) -> Level:
        cells = {s.editor: eligible_cells(self.run.rows.loc[s.rows]) for s in self.run.matched if s.goal == goal}
        reach = {editor: self._reach(editor, goal, own) for editor, own in cells.items()}
        fewest = COMPARED_SHARE * len(self.run.prompts)
        compared = tuple(e for e in cells if not is_control(e) and len(reach[e].met) >= max(fewest, 1))
        met = {name for editor in compared for name in reach[editor].met}
        prompts = tuple(prompt["name"] for prompt in self.run.prompts if prompt["name"] in met)
        return Level(goal, reach, compared, prompts, cells, self.oracle)

    @cached_property
    def oracle(self) -> DataFrame:
        """The oracle's eligible cells of all prompts; empty where the run has none."""
        return eligible_cells(self.run.oracle) if len(self.run.oracle) else self.run.oracle

    def _reach(self, editor: str, goal: float, cells: DataFrame) -> Reach:
        found = {
            sweep["prompt"]: match
            for sweep in self.run.sweeps
            for match in sweep.get("matched", ())
            if sweep["editor"] == editor and match["goal"] == goal
        }
        reached = tuple(name for name, match in found.items() if match["reached"])
        met = tuple(name for name in reached if found[name]["met"])
        whole = cells["prompt"].map({name: match.get("whole") for name, match in found.items()}).astype(float)
        whole = whole if self.run.effect_unit == OF_THE_RIGHT else 1.0
        attained = (cells["target_effect"] >= ATTAINED_SHARE * goal * whole - ROUNDING).astype(float)
        return Reach(reached, met, self.interval(cells.assign(**{ATTAINED: attained}), ATTAINED))

    def interval(self, cells: DataFrame, column: str) -> Interval:
        """Mean of a column over cells, clustered by source image; without a number where the run has no such column."""
        return mean_of(cells, column, share=True if column == ATTAINED else None)


def is_control(editor: str) -> bool:
    """Whether an editor is there to show a floor."""
    return editor.split("[")[0] in CONTROLS


def eligible_cells(cells: DataFrame) -> DataFrame:
    """The eligible ones, with their squared error to the counterfactual as ``error``."""
    eligible = cells[cells["eligible"].astype(bool)]
    psnr = eligible["counterfactual_psnr_db"].to_numpy(np.float64)
    return eligible.assign(**{ERROR: ERROR_SCALE * 10 ** (-psnr / 10)})


def known_columns(levels: Sequence[Level], columns: Sequence[str]) -> tuple[str, ...]:
    """Those of the columns that hold a number somewhere."""
    tables = [cells for level in levels for cells in level.cells.values()]
    return tuple(name for name in columns if any(name in cells and cells[name].notna().any() for cells in tables))


def at_ceiling(cells: DataFrame, oracle: DataFrame) -> bool:
    """Whether edits are as close to the counterfactual as the oracle's on the same cells, in pixels and in identity.

    No honest editor of the same generator gets there: it knows the text, the oracle the answer.
    """
    if not len(cells) or not len(oracle):
        return False
    keys = ["prompt", "image"]
    columns = ["counterfactual_psnr_db", "counterfactual_identity"]
    pairs = cells[keys + columns].merge(oracle[keys + columns], on=keys, suffixes=("", "_oracle"))
    return bool(len(pairs)) and all(pairs[c].mean() >= pairs[f"{c}_oracle"].mean() - ROUNDING for c in columns)
