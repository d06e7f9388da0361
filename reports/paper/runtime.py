"""What editors cost over many prompts and images: amortised times, and from where on one is cheaper than another."""

from __future__ import annotations

import math
from collections.abc import Mapping

from eval.runs.reader import Run
from reports.equal_effect.prompts import is_control
from reports.figures.runtime import spoken
from reports.paper.parts import FigurePart, TablePart
from reports.tables.runtime import NEVER, Cheaper, Cost, amortised_s, cheaper, cheaper_by_prompts, cost_of
from reports.writers.layout import Block, Table, Value, number

PROMPTS = (1, 16)  # P of the grid
IMAGES = (1, 10, 100, 1000, 10000)  # I of the grid
STAGES = (
    # column of the runtime table, heading
    ("set_up_s", "set-up ↓"),
    ("per_prompt_s", "per prompt ↓"),
    ("per_edit_s", "per edit ↓"),
    ("edit_s", "of it the editor"),
    ("peak_memory_mib", "peak memory (MiB)"),
)


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
        parts.append(_break_even(charged, len(run.names)))
    parts.append(FigurePart("runtime", _bars_caption(run, costs), lambda: runtime_figure(run)))
    parts.append(FigurePart("runtime_amortised", AMORTISED_CAPTION, lambda: amortised_figure(costs, PROMPTS)))
    return parts


AMORTISED_CAPTION = (
    f"Time an edit over the number of images that each prompt edits, for {PROMPTS[0]} prompt and for "
    f"{PROMPTS[1]}: set-up and "
    "the costs of a prompt are spread over the edits. Where two lines cross, the lower one has become the cheaper "
    "choice. "
    "Synthesis is included."
)


def _measured(run: Run, runtime: Table) -> TablePart:
    """The runtime table's numbers."""
    header = ("editor", *(heading for _, heading in STAGES))
    rows = [(str(row["editor"]), *(stage_text(row, column) for column, _ in STAGES)) for row in runtime.data]
    machines = sorted({str(row["hardware"]) for row in runtime.data if row.get("hardware")})
    where = f" on {' and on '.join(machines)}" if machines else ""
    caption = (
        f"Cost of each editor{where}: once per generator, once per prompt (median of {len(run.prompts)}), and per "
        "image (median "
        "over chunks, with synthesis). Shipped artefacts count with what computing "
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
        "(P × I) + per edit."
    )
    return TablePart(
        Table("runtime_grid", question, ("editor", "prompts", "images", "amortised_s"), tuple(data), tuple(blocks)),
        caption,
    )


def _break_even(costs: Mapping[str, Cost], images: int) -> TablePart:
    data: list[dict[str, Value]] = []
    blocks = []
    for prompts in (*PROMPTS, None):  # None: the prompts are what is counted
        rows = []
        for editor, cost in costs.items():
            cells = []
            for rival, other in costs.items():
                if rival == editor:
                    cells.append("")
                    continue
                found = cheaper_by_prompts(cost, other, images) if prompts is None else cheaper(cost, other, prompts)
                cells.append("" if found is None else found.text)
                data.append(_break_even_row(editor, rival, prompts, images, found))
            rows.append((editor, *cells))
        title = f"{prompts} prompt{'s' * (prompts != 1)}: images of each" if prompts else f"prompts of {images} images"
        blocks.append(Block(title, ("cheaper than →", *costs), tuple(rows)))
    question = "From how many images, and from how many prompts, has an editor cost less in total than another?"
    columns = ("editor", "against", "counted", "prompts", "images", "cheaper_from", "cheaper_to")
    caption = (
        "Break-even counts: for how many images of each prompt the editor of the row has cost less in total (set-up, "
        f"prompts and edits) than that of the column, for {PROMPTS[0]} prompt and for {PROMPTS[1]}; and for how many "
        f"prompts of {images} images."
    )
    return TablePart(Table("runtime_break_even", question, columns, tuple(data), tuple(blocks)), caption)


def _break_even_row(
    editor: str, rival: str, prompts: int | None, images: int, found: Cheaper | None
) -> dict[str, Value]:
    first = None if found is None else NEVER if math.isinf(found.first) else found.first
    last = None if found is None or math.isinf(found.first) or math.isinf(found.last) else found.last
    row: dict[str, Value] = {"editor": editor, "against": rival, "cheaper_from": first, "cheaper_to": last}
    if prompts:
        return row | {"counted": "images", "prompts": prompts}
    return row | {"counted": "prompts", "images": images}


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
