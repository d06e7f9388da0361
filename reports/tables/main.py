"""Which editor changes what the text asks, and only that?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eval.runs.reader import Run, Setting
from reports.equal_effect.prompts import is_control
from reports.tables.bar import KEPT_BAR, SUCCESS_BAR, eligible_mean, mean_of, prompt_results
from reports.tables.frechet import EXACT, INVERSION, Pool, SetDistances
from reports.writers.intervals import Interval, interval, overlap
from reports.writers.layout import Block, Table, Value, interval_columns, interval_text, number

QUESTION = "Which editor changes what the text asks, and only that?"


class Measure(NamedTuple):
    """A column: its name, heading, decimals, whether more is better, whether over eligible cells only, its block."""

    column: str
    heading: str
    digits: int
    more_is_better: bool
    eligible_only: bool
    block: int


BLOCKS = ("Asked and kept", "Likeness and text", "Against the exact answer")
MEASURES = (
    Measure("success", "success ↑", 2, True, True, 0),
    Measure("kept", "kept ↑", 2, True, True, 0),
    Measure("target_effect", "target effect ↑ (σ)", 2, True, True, 0),
    Measure("ad_mean", "AD mean ↓ (σ)", 2, False, True, 0),
    Measure("ad_max", "AD max ↓ (σ)", 2, False, True, 0),
    Measure("identity", "identity ↑", 2, True, False, 1),
    Measure("clip_score_editing", "CLIP score, editing CLIP ↑", 1, True, False, 1),
    Measure("clip_score_judge", "CLIP score, judge CLIP ↑", 1, True, False, 1),
    Measure("directional_editing", "directional, editing CLIP ↑", 3, True, False, 1),
    Measure("directional_judge", "directional, judge CLIP ↑", 3, True, False, 1),
    Measure("counterfactual_psnr_db", "PSNR ↑ (dB)", 1, True, False, 2),
    Measure("counterfactual_ssim", "SSIM ↑", 3, True, False, 2),
    Measure("counterfactual_identity", "identity to it ↑", 2, True, False, 2),
    Measure("outside_psnr_db", "outside PSNR ↑ (dB)", 1, True, False, 2),
)


class Line(NamedTuple):
    """One row of the table before it is printed."""

    editor: str
    kind: str
    strength: str
    values: dict[str, Interval]
    distance: float | None
    cells: int | None
    eligible: int | None
    prompts_at_bar: int | None


def main_table(run: Run, pool: Pool, distances: SetDistances) -> Table:
    """One row an editor and kind of strength, and two references: the inversion's own error and the exact answer.

    Edits at matched strength have a table of their own (``reports.tables.matched``).
    """
    lines = [_editor_line(run, setting, pool.distance(setting, distances)) for setting in run.settings]
    references = [_inversion_line(run, pool.unedited(distances)), *_exact_lines(run, pool)]
    return Table(
        "main",
        QUESTION,
        _columns(run),
        tuple(_data(run, line, pool) for line in [*lines, *references]),
        tuple(_block(run, number, lines, references, pool) for number in range(len(BLOCKS))),
        _notes(pool),
    )


def _editor_line(run: Run, setting: Setting, distance: float | None) -> Line:
    cells = run.rows.loc[setting.rows]
    values = {
        measure.column: (eligible_mean if measure.eligible_only else mean_of)(run, cells, measure.column)
        for measure in MEASURES
    }
    at_bar = sum(bool(result.at_bar) for result in prompt_results(run, setting))
    eligible = int(cells["eligible"].sum())
    return Line(setting.editor, setting.kind, setting.strength, values, distance, len(cells), eligible, at_bar)


def _inversion_line(run: Run, distance: float | None) -> Line:
    """The reconstruction against the original (PSNR, SSIM) and against the exact answers (Fréchet distance)."""
    once = run.rows.drop_duplicates("source")
    values = {
        "counterfactual_psnr_db": mean_of(run, once, "inversion_psnr_db"),
        "counterfactual_ssim": mean_of(run, once, "inversion_ssim"),
    }
    return Line(INVERSION, "reference", "", values, distance, None, None, None)


def _exact_lines(run: Run, pool: Pool) -> list[Line]:
    """The exact answer's identity to the original; no line where it is not known."""
    originals, cosines = run.sources("identity"), []
    for prompt in run.prompts:
        answers = run.reference(prompt["name"], "identity")
        if answers is None:
            return []
        lengths = np.linalg.norm(answers, axis=1) * np.linalg.norm(originals, axis=1)
        cosines.append((answers * originals).sum(axis=1, dtype=np.float64) / lengths)
    sources = np.tile(np.arange(len(originals)), len(cosines))
    values = {"identity": interval(np.concatenate(cosines), sources, len(originals))}
    return [Line(EXACT, "reference", "", values, 0.0 if pool.known else None, None, None, None)]


def _columns(run: Run) -> tuple[str, ...]:
    name = run.manifest["frechet_name"]
    measured = [column for m in MEASURES for column in (m.column, f"{m.column}_low", f"{m.column}_high")]
    distances = (name, f"{name}_n")
    counts = ("cells", "eligible", "prompts_at_bar", "prompts")
    return ("editor", "kind", "strength", *counts, *measured, "identity_floor", "identity_ceiling", *distances)


def _data(run: Run, line: Line, pool: Pool) -> dict[str, Value]:
    name = run.manifest["frechet_name"]
    row: dict[str, Value] = {
        "editor": line.editor,
        "kind": line.kind,
        "strength": line.strength,
        "cells": line.cells,
        "eligible": line.eligible,
        "prompts_at_bar": line.prompts_at_bar,
        "prompts": None if line.cells is None else len(run.prompts),
        "identity_floor": run.manifest.get("identity_floor"),
        "identity_ceiling": run.manifest.get("identity_ceiling"),
        name: line.distance,
        f"{name}_n": None if line.distance is None else len(pool.cells),
    }
    for column, value in line.values.items():
        row |= interval_columns(column, value)
    return row


def _block(run: Run, block: int, lines: list[Line], references: list[Line], pool: Pool) -> Block:
    measures = [measure for measure in MEASURES if measure.block == block]
    header = ["editor", "strength", *(_heading(run, measure) for measure in measures)]
    extra = {0: _bar_cells, 2: _distance_cells}.get(block)
    last = {
        0: [f"prompts at the bar ↑ (of {len(run.prompts)})"],
        2: [f"{run.manifest['frechet_name']} ↓ (N {len(pool.cells)})"],
    }
    header += last.get(block, [])
    rows = []
    for line in [*lines, *references]:
        cells = [_cell(line, measure, lines) for measure in measures] + (extra(line) if extra else [])
        if line in lines or any(cells):
            strength = {"given": line.strength, "reference": ""}.get(line.kind, line.kind)
            rows.append((line.editor, strength, *cells))
    return Block(BLOCKS[block], tuple(header), tuple(rows), texts=2)


def _heading(run: Run, measure: Measure) -> str:
    floor, ceiling = run.manifest.get("identity_floor"), run.manifest.get("identity_ceiling")
    if measure.column == "identity" and floor is not None and ceiling is not None:
        return f"{measure.heading} (floor {number(floor, 2)}, ceiling {number(ceiling, 2)})"
    return measure.heading


def _bar_cells(line: Line) -> list[str]:
    return ["" if line.prompts_at_bar is None else str(line.prompts_at_bar)]


def _distance_cells(line: Line) -> list[str]:
    return [number(line.distance, 1)]


def _cell(line: Line, measure: Measure, lines: list[Line]) -> str:
    value = line.values.get(measure.column)
    if value is None:
        return ""
    text = interval_text(value, measure.digits)
    return f"**{text}**" if line in lines and _stands_out(line, measure, lines) else text


def _stands_out(line: Line, measure: Measure, lines: list[Line]) -> bool:
    """Best of its kind, and its interval shares no value with any other editor's: never a rank within noise."""
    rivals = [o for o in lines if (o.kind, o.editor) != (line.kind, line.editor) and o.kind == line.kind]
    rivals = [rival for rival in rivals if not is_control(rival.editor)]
    own = line.values[measure.column]
    if is_control(line.editor) or not rivals or own.mean is None:
        return False
    sign = 1 if measure.more_is_better else -1
    others = [rival.values[measure.column] for rival in rivals]
    return all(o.mean is not None and sign * own.mean > sign * o.mean and not overlap(own, o) for o in others)


def _notes(pool: Pool) -> tuple[str, ...]:
    notes = [
        "Intervals (±) are half of the 95 % bootstrap interval over source images; bold: best of its kind of strength, "
        "apart from controls, and its interval overlaps no other's.",
        "Success, kept, target effect and AD are over eligible cells (the reconstruction lacks the value and the "
        "answer shows it), the rest over all cells.",
        f"A prompt is at the bar with success ≥ {SUCCESS_BAR:.2f} and kept ≥ {KEPT_BAR:.2f}.",
        "Row inversion: the reconstruction against the original (PSNR, SSIM), and what doing nothing scores (Fréchet).",
    ]
    if pool.known:
        notes.append(
            "Fréchet distance: edits pooled over prompts against the exact answers of the same cells; its interval, "
            "its scale and its dependence on N are in the table frechet."
        )
    return tuple(notes)
