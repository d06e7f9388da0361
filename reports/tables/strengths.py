"""Which strength was chosen for each prompt, and what would the others have given?"""

from __future__ import annotations

from typing import Any

from eval.runs.reader import Run
from reports.tables.columns import EDITOR, MEAN, TABLES_DOC, Column, label, mean, names, verdict
from reports.writers.layout import Block, Table, Value, number

_IMAGES = "eligible calibration images"
_BOTH = ("success", "preservation")
COLUMNS = {
    "editor": EDITOR,
    "prompt": label("name of the prompt"),
    "strength": label("a strength that was tried"),
    "images": label("calibration images that were edited at it"),
    "clean_success": mean("clean_success", _IMAGES, ""),
    "success": mean("success", _IMAGES, ""),
    "preservation": mean("preservation", _IMAGES, ""),
    "effect": mean("target_effect", _IMAGES, ""),
    "harmonic_mean": Column(
        MEAN,
        "2·success·preservation / (success + preservation)",
        f"{TABLES_DOC}, strengths",
        over=_IMAGES,
        recipes=_BOTH,
    ),
    "chosen": verdict(
        "most clean success; the default where nothing is better by more than the noise",
        "strengths",
        _IMAGES,
        ("clean_success", *_BOTH),
    ),
}


def strengths_table(run: Run) -> Table:
    """The sweep on the calibration images, for each editor and prompt."""
    data = tuple(row for sweep in run.sweeps for row in _data(sweep))
    editors = dict.fromkeys(sweep["editor"] for sweep in run.sweeps)
    blocks = tuple(_block(editor, [sweep for sweep in run.sweeps if sweep["editor"] == editor]) for editor in editors)
    notes = (
        "Each cell: clean success, then success / preservation, on the calibration images at that strength. Chosen is "
        "the strength with most clean success, the default where nothing is better by more than the noise.",
        *chosen_on(run),
    )
    return Table("strengths", "Which strength was chosen for each prompt?", names(COLUMNS), data, blocks, notes)


def chosen_on(run: Run) -> tuple[str, ...]:
    """A sentence on how many images the strengths were chosen; none where nothing was calibrated or nobody counted."""
    edited = [max(point.get("images") or 0 for point in sweep["sweep"]) for sweep in run.sweeps if sweep["sweep"]]
    if not any(edited):
        return ()
    least, most = min(edited), max(edited)
    count = f"{most}" if least == most else f"{least} to {most}"
    return (f"Strengths were chosen on {count} calibration images a prompt and editor, none of them a test image.",)


def _data(sweep: dict[str, Any]) -> list[dict[str, Value]]:
    return [
        {
            "editor": sweep["editor"],
            "prompt": sweep["prompt"],
            "images": point.get("images"),
            "clean_success": point.get("clean"),
            **{name: point[name] for name in ("strength", "success", "preservation", "effect")},
            "harmonic_mean": harmonic_mean(point["success"], point["preservation"]),
            "chosen": point["strength"] == sweep["chosen"],
        }
        for point in sweep["sweep"]
    ]


def harmonic_mean(success: float | None, preservation: float | None) -> float | None:
    """What calibration maximised before there was clean success.

    >>> harmonic_mean(0.5, 1.0), harmonic_mean(0.0, 0.0)
    (0.6666666666666666, 0.0)
    """
    if success is None or preservation is None:
        return None
    return 2 * success * preservation / (success + preservation) if success + preservation > 0 else 0.0


def _block(editor: str, sweeps: list[dict[str, Any]]) -> Block:
    strengths = sorted({point["strength"] for sweep in sweeps for point in sweep["sweep"]})
    rows = []
    for sweep in sweeps:
        points = {point["strength"]: point for point in sweep["sweep"]}
        cells = [_pair(points.get(strength), strength == sweep["chosen"]) for strength in strengths]
        rows.append((sweep["prompt"], "" if sweep["chosen"] is None else f"{sweep['chosen']:g}", *cells))
    return Block(editor, ("prompt", "chosen", *(f"{strength:g}" for strength in strengths)), tuple(rows))


def _pair(point: dict[str, Any] | None, chosen: bool) -> str:
    if point is None:
        return ""
    clean = "" if point.get("clean") is None else f"{number(point['clean'], 2)}, "
    text = f"{clean}{number(point['success'], 2)} / {number(point['preservation'], 2)}"
    return f"**{text}**" if chosen else text
