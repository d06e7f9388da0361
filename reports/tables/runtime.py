"""What does each editor cost, and when does its preparation pay?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from eval.runs.reader import Run
from reports.equal_effect.prompts import CONTROLS
from reports.tables.columns import EDITOR, cost, label, names
from reports.writers.layout import Block, Table, Value, number

COLUMNS = {
    "editor": EDITOR,
    "set_up_s": cost("seconds of preparing, where it was computed"),
    "set_up_here_s": cost("seconds of preparing that this run waited"),
    "per_prompt_s": cost("median over prompts of the seconds of fitting, where it was computed"),
    "per_prompt_q1_s": cost("first quartile of these"),
    "per_prompt_q3_s": cost("third quartile of these"),
    "per_prompt_here_s": cost("median over prompts of the seconds of fitting that this run waited"),
    "per_edit_s": cost("median over chunks of the seconds an image of editing and synthesis"),
    "per_edit_q1_s": cost("first quartile of these"),
    "per_edit_q3_s": cost("third quartile of these"),
    "edit_s": cost("median over chunks of the editing seconds an image, without synthesis"),
    "synthesis_s": cost("median over chunks of the synthesis seconds an image"),
    "judge_s": cost("median over chunks of the judging seconds an image"),
    "peak_memory_mib": cost("largest over chunks of the process's peak memory"),
    "load": cost("median over chunks of the machine's load average of one minute"),
    "amortised_s": cost("set-up / (prompts · images) + per prompt / images + per edit"),
    "break_even_edits": cost(
        "number of edits of one prompt from which set-up + per prompt + edits · per edit is below that of the "
        "editor with the quickest first edit"
    ),
    "break_even_prompts": cost(
        "number of prompts from which set-up + prompts · (per prompt + the run's images · per edit) is below that of "
        "the editor with the quickest first edit"
    ),
    "break_even_against": label("the editor, apart from controls, with the quickest first edit"),
    "hardware": label("what set-up and fitting were computed on"),
    "hardware_here": label("what this run was made on"),
}
ALWAYS, NEVER = "always", "never"
QUARTILES = (0.25, 0.5, 0.75)
FEWEST = 4  # durations of which quartiles are told


@dataclass(frozen=True)
class Cost:
    """Seconds of one editor; None: not measured.

    Attributes:
        set_up: once per generator, where it was computed.
        per_prompt: median over prompts, where it was computed, so that one disturbed prompt decides nothing.
        per_edit: median over chunks of the time an image, synthesis included.
    """

    set_up: float | None
    per_prompt: float | None
    per_edit: float | None

    @property
    def known(self) -> bool:
        """Whether every part was measured."""
        return None not in (self.set_up, self.per_prompt, self.per_edit)

    def first_edit(self) -> float:
        """Seconds until the first edit of the first prompt exists."""
        return sum(part or 0.0 for part in (self.set_up, self.per_prompt, self.per_edit))


class Cheaper(NamedTuple):
    """For how many edits or prompts an editor has cost less in total than another: from ``first`` to ``last``.

    Both counted; ``first`` is infinite if it never has, ``last`` if it goes on.
    """

    first: float
    last: float

    @property
    def text(self) -> str:
        """For a table.

        >>> [Cheaper(*ends).text for ends in ((1, math.inf), (math.inf, math.inf), (51, math.inf), (1, 7))]
        ['always', 'never', 'from 51', 'up to 7']
        """
        if math.isinf(self.first):
            return NEVER
        if math.isinf(self.last):
            return ALWAYS if self.first <= 1 else f"from {self.first:,.0f}"
        return f"up to {self.last:,.0f}"

    @property
    def value(self) -> Value:
        """For a csv: the first count of those that go on, otherwise the text."""
        return self.first if math.isinf(self.last) and not math.isinf(self.first) else self.text


def cost_of(run: Run, editor: str) -> Cost:
    """The costs of an editor, from ``costs/`` and the chunks' timings."""
    cost = run.costs.get(editor, {})
    return Cost(cost.get("prepare_s"), median(fits_of(run, editor)), median(edits_of(run, editor)))


def fits_of(run: Run, editor: str, field: str = "fit_s") -> list[float]:
    """Seconds of fitting each prompt, where they are known."""
    known = run.costs.get(editor, {}).get(field, {})
    return [known[prompt["name"]] for prompt in run.prompts if known.get(prompt["name"]) is not None]


def edits_of(run: Run, editor: str, fields: Sequence[str] = ("edit_s", "synthesis_s")) -> list[float]:
    """Seconds an image of every chunk, the fields together."""
    mine = [chunk for chunk in run.chunks if chunk["editor"] == editor]
    return [
        sum(chunk[field] for field in fields) / chunk["count"]
        for chunk in mine
        if all(chunk.get(field) is not None for field in fields)
    ]


def median(seconds: Sequence[float]) -> float | None:
    """The middle of what was measured; None of nothing."""
    return float(np.median(seconds)) if len(seconds) else None


def middle_half(seconds: Sequence[float]) -> tuple[float, float] | None:
    """First and third quartile; None for fewer than four durations."""
    if len(seconds) < FEWEST:
        return None
    low, _, high = np.quantile(seconds, QUARTILES)
    return float(low), float(high)


def amortised_s(cost: Cost, prompts: int, images: int) -> float | None:
    """Seconds an edit when every prompt edits every image; None where a time is missing.

    >>> amortised_s(Cost(100.0, 10.0, 0.5), 2, 10)
    6.5
    """
    if cost.set_up is None or cost.per_prompt is None or cost.per_edit is None or not prompts * images:
        return None
    return (cost.set_up / prompts + cost.per_prompt) / images + cost.per_edit


def cheaper(cost: Cost, other: Cost, prompts: int) -> Cheaper | None:
    """For how many images of each prompt ``cost`` is less in total than ``other``; None where a time is missing.

    >>> cheaper(Cost(100.0, 0.0, 1.0), Cost(0.0, 0.0, 3.0), 1)
    Cheaper(first=51.0, last=inf)
    >>> cheaper(Cost(0.0, 0.0, 3.0), Cost(100.0, 0.0, 1.0), 1)
    Cheaper(first=1.0, last=49.0)
    """
    if not (cost.known and other.known):
        return None
    before = [(one.set_up or 0.0) / prompts + (one.per_prompt or 0.0) for one in (cost, other)]
    return _crossing(before[0] - before[1], (other.per_edit or 0.0) - (cost.per_edit or 0.0))


def cheaper_by_prompts(cost: Cost, other: Cost, images: int) -> Cheaper | None:
    """For how many prompts of so many images ``cost`` is less in total than ``other``; None where a time is missing.

    >>> cheaper_by_prompts(Cost(500.0, 0.0, 0.1), Cost(0.0, 30.0, 0.1), 10)
    Cheaper(first=17.0, last=inf)
    """
    if not (cost.known and other.known):
        return None
    each = [(one.per_prompt or 0.0) + images * (one.per_edit or 0.0) for one in (cost, other)]
    return _crossing((cost.set_up or 0.0) - (other.set_up or 0.0), each[1] - each[0])


def _crossing(before: float, each: float) -> Cheaper:
    """Of an editor that has spent ``before`` more at the start and gains ``each`` every time."""
    if before < 0:
        if each >= 0:
            return Cheaper(1.0, math.inf)
        last = math.ceil(before / each) - 1.0  # the last whole number with before < each · n
        return Cheaper(1.0, last) if last >= 1 else Cheaper(math.inf, math.inf)
    if each <= 0:
        return Cheaper(math.inf, math.inf)
    return Cheaper(max(math.floor(before / each) + 1.0, 1.0), math.inf)


def runtime_table(run: Run) -> Table:
    """Set-up, per prompt, per edit, memory; amortised over this run; when it pays against the quickest start."""
    costs = {editor: cost_of(run, editor) for editor in run.editors}
    rivals = [editor for editor in costs if editor.split("[")[0] not in CONTROLS] or list(costs)
    quickest = min(rivals, key=lambda editor: costs[editor].first_edit())
    data = tuple(_data(run, editor, costs, quickest) for editor in run.editors)
    prompts, images = len(run.prompts), len(run.names)
    header = (
        *("editor", "set-up ↓ (s)", "per prompt ↓ (s)", "middle half", "per edit ↓ (ms)", "middle half"),
        *("of it the editor (ms)", "peak memory ↓ (MiB)", "load", "amortised ↓ (ms an edit)"),
        *("cheaper: edits of one prompt", f"cheaper: prompts of {images} images", "measured on"),
    )
    notes = (
        "Set-up (once per generator) and per prompt (median over prompts) are the cost where it was computed, also for "
        "shipped artefacts; per edit is the median over chunks of the time an image, with synthesis. Middle half: "
        "first to third quartile. The cost of making a training set counts where the artefact was computed with it.",
        "Load: the machine's load average while edits were timed; above the number of cores, other work ran beside "
        "them and the times are too long.",
        f"Amortised: all three over this run's {prompts} prompts × {images} images. Cheaper: from which number of "
        f"edits of one prompt, and of prompts, the total is below that of {quickest}, the editor with the quickest "
        "first edit.",
    )
    block = Block("", header, tuple(_printed(row, quickest) for row in data))
    return Table("runtime", "What does each editor cost?", names(COLUMNS), data, (block,), notes)


def _data(run: Run, editor: str, costs: dict[str, Cost], quickest: str) -> dict[str, Value]:
    cost, record = costs[editor], run.costs.get(editor, {})
    fits, edits = middle_half(fits_of(run, editor)), middle_half(edits_of(run, editor))
    mine = [chunk for chunk in run.chunks if chunk["editor"] == editor]
    memory, loads = ([c[name] for c in mine if c.get(name) is not None] for name in ("peak_memory_mib", "load"))
    rival = costs[quickest] if editor != quickest else None
    by_edits = None if rival is None else cheaper(cost, rival, 1)
    by_prompts = None if rival is None else cheaper_by_prompts(cost, rival, len(run.names))
    return {
        "editor": editor,
        "set_up_s": cost.set_up,
        "set_up_here_s": record.get("prepare_here_s"),
        "per_prompt_s": cost.per_prompt,
        "per_prompt_q1_s": fits[0] if fits else None,
        "per_prompt_q3_s": fits[1] if fits else None,
        "per_prompt_here_s": median(fits_of(run, editor, "fit_here_s")),
        "per_edit_s": cost.per_edit,
        "per_edit_q1_s": edits[0] if edits else None,
        "per_edit_q3_s": edits[1] if edits else None,
        **{name: median(edits_of(run, editor, (name,))) for name in ("edit_s", "synthesis_s", "judge_s")},
        "peak_memory_mib": max(memory, default=None),
        "load": median(loads),
        "amortised_s": amortised_s(cost, len(run.prompts), len(run.names)),
        "break_even_edits": None if by_edits is None else by_edits.value,
        "break_even_prompts": None if by_prompts is None else by_prompts.value,
        "break_even_against": None if by_edits is None else quickest,
        "hardware": _text(record.get("hardware")),
        "hardware_here": _text(run.manifest.get("hardware")),
    }


def _printed(row: dict[str, Any], quickest: str) -> tuple[str, ...]:
    def milliseconds(field: str) -> str:
        return number(None if row[field] is None else 1000 * row[field], 2)

    def spread(stem: str, scale: float) -> str:
        ends = [row[f"{stem}_{quartile}_s"] for quartile in ("q1", "q3")]
        return "" if None in ends else " to ".join(number(scale * end, 2) for end in ends)

    def pays(field: str) -> str:
        if row["editor"] == quickest:
            return "reference"
        return row[field] if isinstance(row[field], str) else number(row[field], 0)

    return (
        row["editor"],
        number(row["set_up_s"], 1),
        number(row["per_prompt_s"], 2),
        spread("per_prompt", 1),
        milliseconds("per_edit_s"),
        spread("per_edit", 1000),
        milliseconds("edit_s"),
        number(row["peak_memory_mib"], 0),
        number(row["load"], 1),
        milliseconds("amortised_s"),
        pays("break_even_edits"),
        pays("break_even_prompts"),
        row["hardware"] or "",
    )


def _text(value: object) -> str | None:
    """Hardware as one line, whether it is stored as a text or as fields."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return None if value is None else str(value)
