"""The run-time table from ``costs/`` and the chunks' timings, a second time."""

from __future__ import annotations

import math
from typing import Any

from tests.reports.why.second.files import ORACLE, Files
from tests.reports.why.second.goals import CONTROLS

Found = float | str | None


def second_cost(files: Files, editor: str, column: str) -> tuple[Found, str]:
    """The value of a column of the table ``runtime`` and how it was found."""
    record = _record(files, editor)
    if column in ("set_up_s", "set_up_here_s"):
        return record.get("prepare_s" if column == "set_up_s" else "prepare_here_s"), "read from costs/"
    if column == "per_prompt_s":
        return _mean(_fits(files, record)), "a plain mean over costs/"
    if column == "per_prompt_here_s":
        return _mean([s for s in record.get("fit_here_s", {}).values() if s is not None]), "a plain mean over costs/"
    if column in ("per_edit_s", "synthesis_s", "judge_s"):
        field = "edit_s" if column == "per_edit_s" else column
        return _per_image(files, editor, field), "the median over the chunks' files"
    if column == "peak_memory_mib":
        peaks = [info[column] for info in _chunks(files, editor) if info.get(column) is not None]
        return max(peaks, default=None), "the largest of the chunks' files"
    if column == "amortised_s":
        return _amortised(files, editor), "from costs/ and the chunks' files"
    if column.startswith("break_even"):
        rival = _quickest(files)
        edits = _break_even(files, editor, rival)
        if column == "break_even_against":
            return (None if edits is None else rival), "the quickest first edit by costs/ and the chunks' files"
        return edits, "from costs/ and the chunks' files"
    place = record.get("hardware") if column == "hardware" else files.manifest.get("hardware")
    return _text(place), "read from costs/" if column == "hardware" else "read from the manifest"


def _record(files: Files, editor: str) -> dict[str, Any]:
    found = [cost for cost in files.costs if cost["editor"] == editor]
    return found[-1] if found else {}


def _fits(files: Files, record: dict[str, Any]) -> list[float]:
    seconds = [record.get("fit_s", {}).get(prompt["name"]) for prompt in files.prompts]
    return [second for second in seconds if second is not None]


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _chunks(files: Files, editor: str) -> list[dict[str, Any]]:
    return [info for info in files.infos if info["editor"] == editor and info["kind"] != ORACLE]


def _per_image(files: Files, editor: str, field: str) -> float | None:
    from statistics import median

    seconds = [info[field] / info["count"] for info in _chunks(files, editor) if info.get(field) is not None]
    return median(seconds) if seconds else None


def _amortised(files: Files, editor: str) -> float | None:
    record = _record(files, editor)
    fits, each = _fits(files, record), _per_image(files, editor, "edit_s")
    edits = len(files.prompts) * len(files.names)
    if record.get("prepare_s") is None or not fits or each is None or not edits:
        return None
    return float((record["prepare_s"] + math.fsum(fits)) / edits + each)


def _parts(files: Files, editor: str) -> tuple[float | None, float | None, float | None]:
    record = _record(files, editor)
    return record.get("prepare_s"), _mean(_fits(files, record)), _per_image(files, editor, "edit_s")


def _editors(files: Files) -> list[str]:
    asked = list(files.manifest.get("arguments", {}).get("methods", []))
    found = {info["editor"] for info in files.infos if info["kind"] != ORACLE}
    return sorted(found, key=lambda name: (asked.index(name) if name in asked else len(asked), name))


def _quickest(files: Files) -> str:
    rivals = [name for name in _editors(files) if name.split("[")[0] not in CONTROLS] or _editors(files)
    return min(rivals, key=lambda name: sum(part or 0.0 for part in _parts(files, name)))


def _break_even(files: Files, editor: str, rival: str) -> Found:
    """The count of edits where the totals cross; the next whole one."""
    if editor == rival:
        return None
    mine, theirs = _parts(files, editor), _parts(files, rival)
    if any(part is None for part in (*mine, *theirs)):
        return None
    (set_up, prompt, each), (other_set_up, other_prompt, other_each) = (
        tuple(float(part or 0) for part in parts) for parts in (mine, theirs)
    )
    ahead = (set_up + prompt) - (other_set_up + other_prompt)
    if ahead < 0:
        return 0.0
    return math.floor(ahead / (other_each - each)) + 1.0 if other_each > each else "never"


def _text(value: Any) -> str | None:
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return None if value is None else str(value)
