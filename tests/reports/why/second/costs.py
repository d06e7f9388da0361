"""The run-time table from ``costs/`` and the chunks' timings, a second time."""

from __future__ import annotations

import math
import statistics
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
        return _median(_fits(files, record)), "the median over costs/"
    if column == "per_prompt_here_s":
        return _median([s for s in record.get("fit_here_s", {}).values() if s is not None]), "the median over costs/"
    if column[-5:] in ("_q1_s", "_q3_s"):
        seconds = _fits(files, record) if column.startswith("per_prompt") else _edits(files, editor)
        return _quartile(seconds, column[-4:-2]), "the quartile over costs/ or the chunks' files"
    if column == "per_edit_s":
        return _median(_edits(files, editor)), "the median over the chunks' files"
    if column in ("edit_s", "synthesis_s", "judge_s"):
        return _median(_edits(files, editor, column)), "the median over the chunks' files"
    if column == "load":
        return _median([info[column] for info in _chunks(files, editor) if info.get(column) is not None]), "the median"
    if column == "peak_memory_mib":
        peaks = [info[column] for info in _chunks(files, editor) if info.get(column) is not None]
        return max(peaks, default=None), "the largest of the chunks' files"
    if column == "amortised_s":
        return _amortised(files, editor), "from costs/ and the chunks' files"
    if column.startswith("break_even"):
        rival = _quickest(files)
        edits = _break_even(files, editor, rival, by_prompts=column == "break_even_prompts")
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


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _quartile(values: list[float], which: str) -> float | None:
    """By the standard library; of at least four values."""
    return statistics.quantiles(values, n=4, method="inclusive")[0 if which == "q1" else 2] if len(values) > 3 else None


def _chunks(files: Files, editor: str) -> list[dict[str, Any]]:
    return [info for info in files.infos if info["editor"] == editor and info["kind"] != ORACLE]


def _edits(files: Files, editor: str, *fields: str) -> list[float]:
    names = fields or ("edit_s", "synthesis_s")
    infos = [info for info in _chunks(files, editor) if all(info.get(name) is not None for name in names)]
    return [math.fsum(info[name] for name in names) / info["count"] for info in infos]


def _amortised(files: Files, editor: str) -> float | None:
    set_up, prompt, each = _parts(files, editor)
    prompts, images = len(files.prompts), len(files.names)
    if set_up is None or prompt is None or each is None or not prompts * images:
        return None
    return (set_up + prompts * (prompt + images * each)) / (prompts * images)


def _parts(files: Files, editor: str) -> tuple[float | None, float | None, float | None]:
    record = _record(files, editor)
    return record.get("prepare_s"), _median(_fits(files, record)), _median(_edits(files, editor))


def _editors(files: Files) -> list[str]:
    asked = list(files.manifest.get("arguments", {}).get("methods", []))
    found = {info["editor"] for info in files.infos if info["kind"] != ORACLE}
    return sorted(found, key=lambda name: (asked.index(name) if name in asked else len(asked), name))


def _quickest(files: Files) -> str:
    rivals = [name for name in _editors(files) if name.split("[")[0] not in CONTROLS] or _editors(files)
    return min(rivals, key=lambda name: sum(part or 0.0 for part in _parts(files, name)))


def _break_even(files: Files, editor: str, rival: str, by_prompts: bool) -> Found:
    """The count from which, or up to which, the total is smaller, by the two straight lines."""
    if editor == rival:
        return None
    mine, theirs = _parts(files, editor), _parts(files, rival)
    if any(part is None for part in (*mine, *theirs)):
        return None
    lines = []
    for set_up, prompt, each in (mine, theirs):
        s, p, e = float(set_up or 0), float(prompt or 0), float(each or 0)
        lines.append((s, p + len(files.names) * e) if by_prompts else (s + p, e))
    (start, slope), (other_start, other_slope) = lines
    if slope == other_slope or (start < other_start) == (slope < other_slope):
        return 1.0 if start < other_start else "never"
    crossing = (start - other_start) / (other_slope - slope)
    if start < other_start:  # cheaper below the crossing
        last = math.ceil(crossing) - 1
        return f"up to {last:,}" if last >= 1 else "never"
    return max(math.floor(crossing) + 1.0, 1.0)


def _text(value: Any) -> str | None:
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return None if value is None else str(value)
