"""What does each editor cost, and when does its preparation pay?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.runs.reader import Run
from reports.equal_effect.prompts import CONTROLS
from reports.tables.columns import EDITOR, cost, label, names
from reports.writers.layout import Block, Table, Value, number

COLUMNS = {
    "editor": EDITOR,
    "set_up_s": cost("seconds of preparing, where it was computed"),
    "set_up_here_s": cost("seconds of preparing that this run waited"),
    "per_prompt_s": cost("mean over prompts of the seconds of fitting, where it was computed"),
    "per_prompt_here_s": cost("mean over prompts of the seconds of fitting that this run waited"),
    "per_edit_s": cost("median over chunks of the editing seconds an image"),
    "synthesis_s": cost("median over chunks of the synthesis seconds an image"),
    "judge_s": cost("median over chunks of the judging seconds an image"),
    "peak_memory_mib": cost("largest over chunks of the process's peak memory"),
    "amortised_s": cost("(set-up + sum over prompts of fitting) / (prompts · images) + per edit"),
    "break_even_edits": cost(
        "smallest number of edits of one prompt from which set-up + per prompt + edits · per edit is below that of the "
        "editor with the quickest first edit"
    ),
    "break_even_against": label("the editor, apart from controls, with the quickest first edit"),
    "hardware": label("what set-up and fitting were computed on"),
    "hardware_here": label("what this run was made on"),
}
NEVER = "never"


@dataclass(frozen=True)
class Cost:
    """Seconds of one editor; None: not measured.

    Attributes:
        set_up: once per generator, where it was computed.
        per_prompt: mean over prompts, where it was computed.
        per_edit: median over chunks of the time an image.
        all_prompts: sum over the prompts of the run.
    """

    set_up: float | None
    per_prompt: float | None
    per_edit: float | None
    all_prompts: float | None

    def first_edit(self) -> float:
        """Seconds until the first edit of the first prompt exists."""
        return sum(part or 0.0 for part in (self.set_up, self.per_prompt, self.per_edit))


def cost_of(run: Run, editor: str) -> Cost:
    """The costs of an editor, from ``costs/`` and the chunks' timings."""
    cost = run.costs.get(editor, {})
    fits = [cost.get("fit_s", {}).get(prompt["name"]) for prompt in run.prompts]
    known = [seconds for seconds in fits if seconds is not None]
    mean = float(np.mean(known)) if known else None
    return Cost(cost.get("prepare_s"), mean, _per_image(run, editor, "edit_s"), float(sum(known)) if known else None)


def break_even(cost: Cost, other: Cost) -> float | None:
    """How many edits of one prompt it takes until ``cost`` has spent less in total than ``other``.

    Returns:
        At least 0, a whole number; infinity if it never does; None where a time is missing.

    >>> break_even(Cost(100.0, 0.0, 1.0, 0.0), Cost(0.0, 0.0, 3.0, 0.0))
    51.0
    >>> break_even(Cost(100.0, 0.0, 3.0, 0.0), Cost(0.0, 0.0, 3.0, 0.0))
    inf
    """
    parts = (cost.set_up, cost.per_prompt, cost.per_edit, other.set_up, other.per_prompt, other.per_edit)
    if any(part is None for part in parts):
        return None
    set_up, per_prompt, per_edit, other_set_up, other_per_prompt, other_per_edit = (float(part or 0) for part in parts)
    more_before, less_each = set_up + per_prompt - other_set_up - other_per_prompt, other_per_edit - per_edit
    if more_before < 0:
        return 0.0
    return math.floor(more_before / less_each) + 1.0 if less_each > 0 else math.inf


def runtime_table(run: Run) -> Table:
    """Set-up, per prompt, per edit, memory; amortised over this run; edits until it pays against the quickest start."""
    costs = {editor: cost_of(run, editor) for editor in run.editors}
    rivals = [editor for editor in costs if editor.split("[")[0] not in CONTROLS] or list(costs)
    quickest = min(rivals, key=lambda editor: costs[editor].first_edit())
    data = tuple(_data(run, editor, costs, quickest) for editor in run.editors)
    header = (
        *("editor", "set-up ↓ (s)", "per prompt ↓ (s)", "per edit ↓ (ms)", "synthesis (ms)", "peak memory ↓ (MiB)"),
        *("amortised ↓ (ms an edit)", "pays after (edits)", "measured on"),
    )
    prompts, images = len(run.prompts), len(run.names)
    notes = (
        "Set-up (once per generator) and per prompt are the cost where it was computed, also for shipped artefacts; "
        "per edit is the median over chunks of the time an image, without synthesis.",
        f"Amortised: all three over this run's {prompts} prompts × {images} images. Pays after: edits of one prompt "
        f"until the total is below that of {quickest}, the editor with the quickest first edit.",
    )
    block = Block("", header, tuple(_printed(row, quickest) for row in data))
    return Table("runtime", "What does each editor cost?", names(COLUMNS), data, (block,), notes)


def _data(run: Run, editor: str, costs: dict[str, Cost], quickest: str) -> dict[str, Value]:
    cost, record = costs[editor], run.costs.get(editor, {})
    fits_here = [seconds for seconds in record.get("fit_here_s", {}).values() if seconds is not None]
    pays = break_even(cost, costs[quickest]) if editor != quickest else None
    memory = [chunk["peak_memory_mib"] for chunk in run.chunks if chunk["editor"] == editor]
    return {
        "editor": editor,
        "set_up_s": cost.set_up,
        "set_up_here_s": record.get("prepare_here_s"),
        "per_prompt_s": cost.per_prompt,
        "per_prompt_here_s": float(np.mean(fits_here)) if fits_here else None,
        "per_edit_s": cost.per_edit,
        "synthesis_s": _per_image(run, editor, "synthesis_s"),
        "judge_s": _per_image(run, editor, "judge_s"),
        "peak_memory_mib": max((peak for peak in memory if peak is not None), default=None),
        "amortised_s": _amortised(cost, len(run.prompts) * len(run.names)),
        "break_even_edits": NEVER if pays == math.inf else pays,
        "break_even_against": None if pays is None else quickest,
        "hardware": _text(record.get("hardware")),
        "hardware_here": _text(run.manifest.get("hardware")),
    }


def _amortised(cost: Cost, edits: int) -> float | None:
    if cost.set_up is None or cost.all_prompts is None or cost.per_edit is None or not edits:
        return None
    return (cost.set_up + cost.all_prompts) / edits + cost.per_edit


def _per_image(run: Run, editor: str, field: str) -> float | None:
    """Median over chunks of the seconds an image."""
    mine = [chunk for chunk in run.chunks if chunk["editor"] == editor and chunk.get(field) is not None]
    return float(np.median([chunk[field] / chunk["count"] for chunk in mine])) if mine else None


def _printed(row: dict[str, Any], quickest: str) -> tuple[str, ...]:
    def milliseconds(field: str) -> str:
        return number(None if row[field] is None else 1000 * row[field], 2)

    pays = "reference" if row["editor"] == quickest else row["break_even_edits"]
    return (
        row["editor"],
        number(row["set_up_s"], 1),
        number(row["per_prompt_s"], 2),
        milliseconds("per_edit_s"),
        milliseconds("synthesis_s"),
        number(row["peak_memory_mib"], 0),
        milliseconds("amortised_s"),
        pays if isinstance(pays, str) else number(pays, 0),
        row["hardware"] or "",
    )


def _text(value: object) -> str | None:
    """Hardware as one line, whether it is stored as a text or as fields."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return None if value is None else str(value)
