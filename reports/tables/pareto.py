"""Over all effects, what does an editor cost?"""

from __future__ import annotations

from eval.runs.reader import Run
from reports.equal_effect.curves import EFFECT, Pareto, pareto
from reports.equal_effect.prompts import Matched
from reports.tables.columns import BY_IMAGE, EDITOR, MEAN, TABLES_DOC, Column, count, label, mean, names
from reports.writers.layout import Block, Table, Value, interval_columns, interval_text

_CELLS = "eligible cells of the prompts of the curves"
_OF_AXIS = (f"{TABLES_DOC}, pareto", "axis", _CELLS, ("identity", "ad_mean", "counterfactual_psnr_db"), BY_IMAGE)
COLUMNS = {
    "axis": label("the column that the curve is drawn against"),
    "editor": EDITOR,
    "goal": label("target effect as a share of the right one (σ in earlier runs); blank for a single point"),
    "effect": mean("target_effect", _CELLS),
    "value": Column(MEAN, f"mean over {_CELLS} of the column named by axis", *_OF_AXIS),
    "area": Column(MEAN, "area under the curve over the goals by the trapezoid rule, divided by its width", *_OF_AXIS),
    "prompts": count("number of prompts of the curves"),
}


def pareto_table(run: Run) -> Table | None:
    """Points of the curves (csv) and the area under them; None where no prompt is met by all editors."""
    found = pareto(Matched(run))
    if found is None:
        return None
    data = [row for axis in found.axes for row in _rows(found, axis.name)]
    header = ("editor", *(axis.title for axis in found.axes))
    rows = tuple(
        (curve.editor, *(interval_text(curve.areas[a.name], a.digits) if curve.areas else "" for a in found.axes))
        for curve in found.curves
    )
    span = f"{found.goals[0]:g} to {found.goals[-1]:g} {run.effect_unit}"
    notes = (
        f"Area under the curve of each column over the effect, from {span}: its mean height (trapezoid rule "
        "over the effects). "
        f"Eligible cells of the prompts that every editor meets at all of these effects: {', '.join(found.prompts)}. "
        "±: half of the 95 % interval over source images, for exactly these prompts.",
    )
    question = "Over all effects, what does an editor cost the rest of the picture?"
    return Table("pareto", question, names(COLUMNS), tuple(data), (Block("", header, rows),), notes)


def _rows(found: Pareto, column: str) -> list[dict[str, Value]]:
    single = [*found.floors, *([found.oracle] if found.oracle else [])]
    rows: list[dict[str, Value]] = []
    for curve in [*found.curves, *single]:
        goals = found.goals if curve in found.curves else (None,)
        for goal, point in zip(goals, curve.points, strict=True):
            row: dict[str, Value] = {"axis": column, "editor": curve.editor, "goal": goal}
            row |= interval_columns("effect", point[EFFECT]) | interval_columns("value", point[column])
            row["prompts"] = len(found.prompts)
            if column in curve.areas:
                row |= interval_columns("area", curve.areas[column])
            rows.append(row)
    return rows
