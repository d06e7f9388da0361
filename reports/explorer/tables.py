"""The explorer's metric tables: the run's own for all prompts, computed ones for an attribute or a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.metrics.book import CELL, DERIVED, metrics
from eval.runs.reader import ORACLE, Run
from reports.equal_effect.prompts import is_control
from reports.explorer.numbers import rounded, scope_of
from reports.explorer.stops import COMMON, EVERY, Choices, Stop
from reports.tables.main import measures
from reports.tables.matched import EFFECT
from reports.tables.matched import MEASURES as MATCHED_MEASURES
from reports.writers.layout import Table, Value, csv_text

REACH = ("prompts_reached", "reach_edits")
MATCHED_COLUMNS = (EFFECT, *MATCHED_MEASURES)
Row = dict[str, Any]
Tables = Mapping[str, Table]  # of the run, by name


def columns(run: Run) -> dict[str, dict[str, Any]]:
    """Column -> ``label``, ``digits``, ``better`` (1 more, -1 less, 0 neither), for every number of the page."""
    frechet = run.manifest["frechet_name"]
    known = [record for record in metrics().values() if record.kind in (CELL, DERIVED) and not record.per_factor]
    found = {record.name: described(record.title, record.digits, record.sign) for record in known}
    found |= {
        "prompts_mastered": described(f"prompts mastered (of {len(run.prompts)})", 0, 1),
        "prompts_reached": described(f"prompts reached (of {len(run.prompts)})", 0, 1),
        "reach_edits": described("edits that attain it", 2, 1),
        frechet: described(frechet.upper() if "_" not in frechet else f"FD ({frechet.split('_', 1)[1]})", 2, -1),
    }
    return found


def described(heading: str, digits: int, better: int) -> dict[str, Any]:
    """What the page knows of a column; arrows leave the heading."""
    label = heading.replace(" ↑", "").replace(" ↓", "")
    return {"label": label, "digits": digits, "better": better}


def tables(
    choices: Choices, means: dict[str, Any], pairs: dict[str, dict[str, Any]], written: Tables
) -> dict[str, dict[str, dict[str, Any]]]:
    """Stop -> scope -> ``columns``, ``rows`` (``editor``, ``role``, ``values``: column -> mean, low, high, letters).

    Args:
        choices: of a run.
        means: of ``reports.explorer.numbers.numbers``.
        pairs: of ``reports.explorer.pairs.comparisons``.
        written: the run's tables.
    """
    scopes = [scope.name for scope in choices.scopes if scope.name not in (EVERY, COMMON)]
    found = {}
    for stop in choices.stops:
        if stop.goal is not None:
            whole = _matched_table(choices, stop, written["matched"])
        else:
            whole = _main_table(choices.run, stop, pairs, written["main"])
        found[stop.name] = {EVERY: whole} | {
            scope: _computed_table(choices, stop, scope, means[stop.name][scope]) for scope in scopes
        }
    return found


def _matched_name(row: Mapping[str, Value]) -> str:
    """The stop of a row of the table ``matched``."""
    return f"matched-{float(row['goal'] or 0):g}"


def _main_table(run: Run, stop: Stop, pairs: dict[str, dict[str, Any]], main: Table) -> dict[str, Any]:
    frechet = run.manifest["frechet_name"]
    names = [*(measure.name for measure in measures()), frechet, "prompts_mastered"]
    letters = pairs.get(stop.name, {}).get("letters", {})
    rows = []
    for row in main.data:
        if row["kind"] == "reference" or of_stop(row, stop):
            values = row_values(row, names, {name: letters.get(name, {}).get(row["editor"], "") for name in names})
            rows.append({"editor": row["editor"], "role": role_of(row), "values": values})
    return {"columns": _known(names, rows), "rows": rows, "tested": bool(letters), "prompts": len(run.prompts)}


def _matched_table(choices: Choices, stop: Stop, matched: Table) -> dict[str, Any]:
    names = [*REACH, *MATCHED_COLUMNS]
    rows = []
    for row in (row for row in matched.data if _matched_name(row) == stop.name):
        letters = {name: str(row.get(f"{name}_group") or "") for name in names}
        reference = row["role"] == ORACLE
        found: Row = {"editor": row["editor"], "role": "reference" if reference else row["role"]}
        rows.append(found | {"values": row_values(row, names, letters), "at_ceiling": row.get("at_ceiling") is True})
    level = next(level for level in choices.matched.levels if level.goal == stop.goal)
    tested = any(value[3] for row in rows for value in row["values"].values())
    return {"columns": _known(names, rows), "rows": rows, "tested": tested, "met": list(level.prompts)}


def of_stop(row: Mapping[str, Value], stop: Stop) -> bool:
    """Whether a row of a table by editor, kind and strength is of this stop, which is no matched one."""
    return row["kind"] == stop.kind and (stop.kind != "given" or f"given-{float(row['strength'] or 0):g}" == stop.name)


def role_of(row: Mapping[str, Value]) -> str:
    """``reference``, ``floor`` for a control, ``compared`` for an editor."""
    return "reference" if row["kind"] == "reference" else _role(str(row["editor"]))


def row_values(
    row: Mapping[str, Value], names: Sequence[str], letters: Mapping[str, str] | None = None
) -> dict[str, list[Any]]:
    """Column -> mean, low, high and letters, for the columns that the row has."""
    return {
        name: [
            *(_number(row.get(column)) for column in (name, f"{name}_low", f"{name}_high")),
            (letters or {}).get(name, ""),
        ]
        for name in names
        if csv_text(row.get(name))
    }


def _number(value: Value) -> Any:
    """None for a blank and for "n/a"."""
    return None if value is None or isinstance(value, str) else rounded(float(value))


def _computed_table(choices: Choices, stop: Stop, scope: str, means: dict[str, Any]) -> dict[str, Any]:
    """Over the cells of these prompts; an editor that does not reach the effect there is named so."""
    if stop.kind == "matched":
        names = list(MATCHED_COLUMNS)
        picked = {editor: found["over_eligible"] for editor, found in means.items()}
    else:
        names = [measure.name for measure in measures()]
        picked = {editor: _as_main(found) for editor, found in means.items()}
    rows = [
        {
            "editor": editor,
            "role": _role_here(choices, stop, scope, editor),
            "values": {name: [*value, ""] for name, value in picked[editor].items() if name in names},
        }
        for editor in picked
    ]
    return {"columns": _known(names, rows), "rows": rows, "tested": False}


def _as_main(found: dict[str, Any]) -> dict[str, list[Any]]:
    picked = {}
    for measure in measures():
        values = found["over_eligible" if measure.eligible_only else "over_all"]
        if measure.name in values:
            picked[measure.name] = values[measure.name]
    return picked


def _role(editor: str) -> str:
    return "floor" if is_control(editor) else "compared"


def _role_here(choices: Choices, stop: Stop, scope: str, editor: str) -> str:
    """At a matched strength: whether it meets the effect for all these prompts, on the calibration images."""
    level = next((level for level in choices.matched.levels if level.goal == stop.goal), None)
    if level is None or is_control(editor):
        return _role(editor)
    reach = level.reach[editor]
    prompts = scope_of(choices, scope).prompts
    if all(name in reach.met for name in prompts):
        return "compared"
    reached = all(name in reach.prompts for name in prompts)
    return "overshoots" if reached else "out of reach"


def _known(names: list[str], rows: list[Row]) -> list[str]:
    return [name for name in names if any(name in row["values"] for row in rows)]
