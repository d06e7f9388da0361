"""What editors cost over many prompts and images: amortised times, and from where on one is cheaper than another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from eval.runs.reader import Run
from reports.equal_effect.prompts import is_control
from reports.figures.runtime import spoken
from reports.paper.parts import FigurePart, TablePart
from reports.tables.runtime import Cost, cost_of
from reports.writers.layout import Block, Table, Value, number

PROMPTS = (1, 16)  # P of the grid
IMAGES = (1, 10, 100, 1000, 10000)  # I of the grid
ALWAYS, NEVER = "always", "never"
STAGES = (
    # column of the runtime table, heading
    ("set_up_s", "set-up ↓"),
    ("per_prompt_s", "per prompt ↓"),
    ("per_edit_s", "per edit ↓"),
    ("synthesis_s", "synthesis"),
    ("peak_memory_mib", "peak memory (MiB)"),
)


class Cheaper(NamedTuple):
    """For how many images an editor has cost less in total than another: from ``first`` to ``last``, both counted.

    ``first`` is infinite if it never has; ``last`` is infinite if it goes on.
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


def amortised_s(cost: Cost, prompts: int, images: int) -> float | None:
    """Seconds an edit when every prompt edits every image; None where a time is missing.

    >>> amortised_s(Cost(100.0, 10.0, 0.5, None), 2, 10)
    6.5
    """
    if cost.set_up is None or cost.per_prompt is None or cost.per_edit is None:
        return None
    return (cost.set_up / prompts + cost.per_prompt) / images + cost.per_edit


def cheaper(cost: Cost, other: Cost, prompts: int) -> Cheaper | None:
    """For how many images a prompt ``cost`` is less in total than ``other``; None where a time is missing.

    >>> cheaper(Cost(100.0, 0.0, 1.0, None), Cost(0.0, 0.0, 3.0, None), 1)
    Cheaper(first=51.0, last=inf)
    >>> cheaper(Cost(0.0, 0.0, 3.0, None), Cost(100.0, 0.0, 1.0, None), 1)
    Cheaper(first=1.0, last=49.0)
    """
    parts = (cost.set_up, cost.per_prompt, cost.per_edit, other.set_up, other.per_prompt, other.per_edit)
    if any(part is None for part in parts):
        return None
    set_up, fit, edit, other_set_up, other_fit, other_edit = (float(part or 0.0) for part in parts)
    before = (set_up - other_set_up) / prompts + fit - other_fit  # more spent before the first edit
    each = other_edit - edit  # gained with every edit
    if before < 0:
        if each >= 0:
            return Cheaper(1.0, math.inf)
        last = math.ceil(before / each) - 1.0  # the last whole number with before < each · n
        return Cheaper(1.0, last) if last >= 1 else Cheaper(math.inf, math.inf)
    if each <= 0:
        return Cheaper(math.inf, math.inf)
    return Cheaper(max(math.floor(before / each) + 1.0, 1.0), math.inf)


def runtime_parts(run: Run, runtime: Table) -> list[TablePart | FigurePart]:
    """What was measured, the grid of amortised times, break-even counts, and two figures."""
    from reports.figures.amortised import amortised_figure
    from reports.figures.runtime import runtime_figure

    costs = {editor: cost_of(run, editor) for editor in run.editors}
    charged = {editor: cost for editor, cost in costs.items() if not is_control(editor)} or costs
    parts: list[TablePart | FigurePart] = [
        _measured(run, runtime),
        _grid(costs),
    ]
    if len(charged) > 1:
        parts.append(_break_even(charged))
    parts.append(FigurePart("runtime", _bars_caption(run, costs), lambda: runtime_figure(run)))
    parts.append(FigurePart("runtime_amortised", AMORTISED_CAPTION, lambda: amortised_figure(costs, PROMPTS)))
    return parts


AMORTISED_CAPTION = (
    f"Time an edit over the number of images that each prompt edits, for {PROMPTS[0]} prompt and for "
    f"{PROMPTS[1]}: set-up and "
    "the costs of a prompt are spread over the edits. Where two lines cross, the lower one has become the cheaper "
    "choice. "
    "Synthesis is left out, as it is the same for all."
)


def _measured(run: Run, runtime: Table) -> TablePart:
    """The runtime table's numbers."""
    header = ("editor", *(heading for _, heading in STAGES))
    rows = [(str(row["editor"]), *(stage_text(row, column) for column, _ in STAGES)) for row in runtime.data]
    machines = sorted({str(row["hardware"]) for row in runtime.data if row.get("hardware")})
    where = f" on {' and on '.join(machines)}" if machines else ""
    caption = (
        f"Cost of each editor{where}: once per generator, once per prompt (mean of {len(run.prompts)}), and per "
        "image (median "
        "over chunks; without synthesis, which stands beside it). Shipped artefacts count with what computing "
        "them cost."
    )
    return TablePart(
        Table(
            "runtime", "What does each editor cost?", runtime.columns, runtime.data, (Block("", header, tuple(rows)),)
        ),
        caption,
    )


def stage_text(row: Mapping[str, Value], column: str) -> str:
    """A number of the runtime table for readers; blank if it was not measured."""
    value = row.get(column)
    if value is None or value == "":
        return ""
    return spoken(float(value)) if column.endswith("_s") else number(float(value), 0)


def _grid(costs: Mapping[str, Cost]) -> TablePart:
    data: list[dict[str, Value]] = []
    blocks = []
    for prompts in PROMPTS:
        rows = []
        for editor, cost in costs.items():
            times = [amortised_s(cost, prompts, images) for images in IMAGES]
            rows.append((editor, *("" if seconds is None else spoken(seconds) for seconds in times)))
            data += [
                {"editor": editor, "prompts": prompts, "images": images, "amortised_s": seconds}
                for images, seconds in zip(IMAGES, times, strict=True)
            ]
        header = ("editor", *(f"{images:,} image{'s' * (images > 1)} ↓" for images in IMAGES))
        blocks.append(Block(f"{prompts} prompt{'s' * (prompts > 1)}", header, tuple(rows)))
    question = "What does an edit cost when set-up and training are spread over prompts and images?"
    caption = (
        "Time an edit with set-up and costs of the prompt spread over P prompts × I images: (set-up + P × per "
        "prompt) / "
        "(P × I) + per edit, without synthesis."
    )
    return TablePart(
        Table("runtime_grid", question, ("editor", "prompts", "images", "amortised_s"), tuple(data), tuple(blocks)),
        caption,
    )


def _break_even(costs: Mapping[str, Cost]) -> TablePart:
    data: list[dict[str, Value]] = []
    blocks = []
    for prompts in PROMPTS:
        rows = []
        for editor, cost in costs.items():
            cells = []
            for rival, other in costs.items():
                found = cheaper(cost, other, prompts) if rival != editor else None
                cells.append("" if found is None else found.text)
                if rival != editor:
                    data.append(_break_even_row(editor, rival, prompts, found))
            rows.append((editor, *cells))
        header = ("cheaper than →", *costs)
        blocks.append(Block(f"{prompts} prompt{'s' * (prompts > 1)}: images of each prompt", header, tuple(rows)))
    question = "From how many images on has an editor cost less in total than another?"
    columns = ("editor", "against", "prompts", "cheaper_from", "cheaper_to")
    caption = (
        "Break-even counts: for how many images of each prompt the editor of the row has cost less in total "
        "(set-up, prompts "
        f"and edits) than that of the column, for {PROMPTS[0]} prompt and for {PROMPTS[1]}."
    )
    return TablePart(Table("runtime_break_even", question, columns, tuple(data), tuple(blocks)), caption)


def _break_even_row(editor: str, rival: str, prompts: int, found: Cheaper | None) -> dict[str, Value]:
    first = None if found is None else NEVER if math.isinf(found.first) else found.first
    last = None if found is None or math.isinf(found.first) or math.isinf(found.last) else found.last
    return {"editor": editor, "against": rival, "prompts": prompts, "cheaper_from": first, "cheaper_to": last}


def _bars_caption(run: Run, costs: Mapping[str, Cost]) -> str:
    edits = {e: c.per_edit for e, c in costs.items() if c.per_edit is not None and not is_control(e)}
    if not edits:
        return "Cost of each editor on a logarithmic scale."
    low, high = min(edits, key=lambda e: edits[e] or 0.0), max(edits, key=lambda e: edits[e] or 0.0)
    return (
        "Cost of each editor on a logarithmic scale of seconds; lines: the middle half of prompts and of chunks. "
        "Per edit, controls apart, from "
        f"{spoken(edits[low] or 0.0)} ({low}) to {spoken(edits[high] or 0.0)} ({high})."
    )
