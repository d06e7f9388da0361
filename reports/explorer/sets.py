"""How good are the edits as a set? The run's table of Fréchet distances for the explorer, a part for each strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.runs.reader import ORACLE, Run
from reports.explorer.stops import Choices, Stop
from reports.explorer.tables import Row, Tables, of_stop, role_of, row_values
from reports.pool import COUNTERFACTUAL
from reports.tables.frechet import NAME as COUNTERFACTUALS
from reports.tables.real.originals import NAME as ORIGINALS
from reports.writers.layout import Value, number

Rows = Sequence[Mapping[str, Value]]  # of a table
KERNELS = {"kid": "KID", "cmmd": "CMMD"}


def sets(choices: Choices, written: Tables) -> dict[str, Any] | None:
    """``against`` (``counterfactuals`` or ``originals``), ``notes`` and ``tables``: stop -> columns and rows.

    Rows are like those of the metric tables; stops are those at which sets are compared, which matched effects are not.

    Args:
        choices: of a run.
        written: its tables.

    Returns:
        None where the run has too few cells for either table.
    """
    run = choices.run
    for name, against, notes in (
        (COUNTERFACTUALS, "counterfactuals", _counterfactual_notes),
        (ORIGINALS, "originals", _original_notes),
    ):
        if name in written:
            rows = written[name].data
            found = {stop.name: _table(run, rows, stop) for stop in choices.stops if stop.goal is None}
            return {"against": against, "notes": notes(run, rows), "tables": found}
    return None


def set_columns(run: Run) -> dict[str, tuple[str, int, int]]:
    """Column -> heading, digits, and whether more is better (1), less (-1) or neither (0), besides the distance."""
    distance = run.manifest["frechet_name"]
    return {
        f"{distance}_extrapolated": ("at N → ∞", 2, -1),
        **{name: (heading, 3, -1) for name, heading in KERNELS.items()},
        "same": (f"{distance} to the same persons", 2, 0),
        "others": (f"{distance} to other persons", 2, -1),
    }


def _table(run: Run, rows: Rows, stop: Stop) -> dict[str, Any]:
    names = [run.manifest["frechet_name"], *set_columns(run)]
    found: list[Row] = []
    for row in rows:
        if row["kind"] == "reference" or of_stop(row, stop):
            values = {name: value for name, value in row_values(row, names).items() if value[0] is not None}
            certain = row["editor"] == COUNTERFACTUAL  # its distance to itself: 0 without any interval
            found.append({"editor": row["editor"], "role": role_of(row), "values": values, "certain": certain})
    return {"columns": [n for n in names if any(n in row["values"] for row in found)], "rows": found, "tested": False}


def _counterfactual_notes(run: Run, rows: Rows) -> list[str]:
    first = rows[0]
    (floor,) = row_values(first, [f"{run.manifest['frechet_name']}_floor"]).values() or [[None]]
    scale = "" if floor[0] is None else f" Counterfactuals of other persons score {number(floor[0], 2)} at this N."
    oracle = " Oracle: the counterfactuals through the inversion, the best that an editor of this generator can score."
    return [
        f"{first['n']} edits of {first['persons']} persons, pooled over all prompts, against the counterfactuals of "
        f"the same cells: a perfect editor scores 0.{scale} Inversion: what doing nothing scores."
        + (oracle if any(row["editor"] == ORACLE for row in rows) else ""),
        "±: half of the 95 % interval over persons. At N → ∞, KID and CMMD have no interval.",
        *_repeats(rows),
    ]


def _repeats(rows: Rows) -> list[str]:
    """A sentence where an editor gives one picture several times, so that N overstates what there is."""
    few = {
        f"{row['editor']} ({row['kind']}) {row['different']}"
        for row in rows
        if row["kind"] != "reference" and int(row["different"] or 0) < int(row["n"] or 0)
    }
    return [f"Different pictures among these: {', '.join(sorted(few))}."] if few else []


def _original_notes(run: Run, rows: Rows) -> list[str]:
    first = rows[0]
    floor = f"; the originals themselves score {number(float(str(first['floor'])), 2)}" if first.get("floor") else ""
    return [
        "No counterfactuals are known here: distances to the original images. To the same persons "
        f"(N = {first['n']}) doing nothing is best; to other persons (N = {first['others_n']}) it is not{floor}.",
    ]
