"""Which editor changes what the text asks, and only that?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eval.metrics.book import ALL, ELIGIBLE, GROUPS, VERDICT_GROUP, Metric, grouped, metric_of
from eval.metrics.cells.clean import PRESERVED
from eval.runs.reader import Run, Setting
from eval.statistics import Interval, overlap
from reports.equal_effect.prompts import is_control
from reports.means import eligible, interval_of, mean_of, means_of, over_fewer
from reports.pool import COUNTERFACTUAL, INVERSION, Pool
from reports.tables.columns import BY_IMAGE, EDITOR, KIND, MEAN, STRENGTH, Column, count, mean, names
from reports.tables.prompts import MASTERED, MASTERED_PRESERVATION, MASTERED_SUCCESS, count_mastered
from reports.tables.strengths import chosen_on
from reports.verdicts import VERDICTS, disagreement, orders
from reports.writers.layout import Block, Table, Value, interval_columns, interval_text, number

QUESTION = "Which editor changes what the text asks, and only that?"
FIRST = ("clean_success", "success", "preservation")  # of the first block: the headline, then its parts
DISAGREE = "judges_disagree"
DISAGREE_FORMULA = "share of eligible cells that some verdicts call right and others wrong"
VERDICTS_SOURCE = metric_of(VERDICTS[0]).source
REFERENCE = "mean cosine of {} (manifest)"


CLEAN = (
    f"Clean success: the value asked for, at least {PRESERVED:.0%} of the other visible attributes preserved, and the "
    "same person; blank where the domain states no cosine of one person, and in runs made before there was one."
)


def measures() -> tuple[Metric, ...]:
    """The metrics of the table, block by block; in the first what an edit is for comes first."""
    return tuple(record for group in GROUPS for record in block_measures(group))


def block_measures(group: str) -> tuple[Metric, ...]:
    """The metrics of a block: what an edit is for, then the rest as the book has them."""
    order = {name: place for place, name in enumerate(FIRST)}
    return tuple(sorted(grouped(group), key=lambda record: order.get(record.name, len(FIRST))))


def columns() -> dict[str, Column]:
    """What the columns are; those of the Fréchet distance are named after the domain's network."""
    return {
        "editor": EDITOR,
        "kind": KIND,
        "strength": STRENGTH,
        "cells": count("number of finished cells", ALL),
        "eligible": count("number of eligible cells", ELIGIBLE, ("eligible",)),
        "prompts_mastered": count(f"number of prompts with {MASTERED}", ELIGIBLE, ("success", "preservation")),
        "prompts": count("number of prompts of the run"),
        **{record.name: mean(record.name, record.population) for record in measures()},
        DISAGREE: Column(MEAN, DISAGREE_FORMULA, VERDICTS_SOURCE, over=ELIGIBLE, recipes=VERDICTS, interval=BY_IMAGE),
        "identity_floor": _of_identity("two different persons"),
        "identity_ceiling": _of_identity("two pictures of one person"),
    }


def _of_identity(pair: str) -> Column:
    return Column(MEAN, REFERENCE.format(pair), metric_of("identity").source, recipes=("identity",))


class Line(NamedTuple):
    """One row of the table before it is printed."""

    editor: str
    kind: str
    strength: str
    values: dict[str, Interval]
    distance: float | None
    cells: int | None
    eligible: int | None
    prompts_mastered: int | None


def main_table(run: Run, pool: Pool) -> Table:
    """One row an editor and kind of strength, and two references: the inversion's own error and the counterfactual.

    Edits at matched strength have a table of their own (``reports.tables.matched``).
    """
    lines = [_editor_line(run, setting, pool.distance(setting)) for setting in run.settings]
    references = [_inversion_line(run, pool.unedited()), *_exact_lines(run, pool)]
    data = tuple(_data(run, line, pool) for line in [*lines, *references])
    groups = [group for group in GROUPS if group != VERDICT_GROUP or _judged(lines)]
    blocks = tuple(_block(run, group, lines, references, pool) for group in groups)
    return Table("main", QUESTION, _columns(run), data, blocks, (*_notes(pool), *orders(data)))


def _judged(lines: list[Line]) -> bool:
    """Whether there is any verdict besides success: not in runs made before there were several."""
    return any(line.values[record.name].mean is not None for line in lines for record in grouped(VERDICT_GROUP))


def _editor_line(run: Run, setting: Setting, distance: float | None) -> Line:
    cells = run.rows.loc[setting.rows]
    names = {only: [record.name for record in measures() if record.eligible_only == only] for only in (True, False)}
    values = means_of(eligible(cells), names[True]) | means_of(cells, names[False])
    values[DISAGREE] = disagreement(cells)
    mastered = count_mastered(cells)
    count = int(cells["eligible"].sum())
    return Line(setting.editor, setting.kind, setting.strength, values, distance, len(cells), count, mastered)


def _inversion_line(run: Run, distance: float | None) -> Line:
    """The reconstruction against the original (PSNR, SSIM) and against the counterfactuals (Fréchet distance)."""
    once = run.rows.drop_duplicates("source")
    values = {
        "counterfactual_psnr_db": mean_of(once, "inversion_psnr_db"),
        "counterfactual_ssim": mean_of(once, "inversion_ssim"),
    }
    return Line(INVERSION, "reference", "", values, distance, None, None, None)


def _exact_lines(run: Run, pool: Pool) -> list[Line]:
    """The counterfactual's identity to the original; no line where it is not known."""
    originals, cosines = run.sources("identity"), []
    names = [prompt["name"] for prompt in run.prompts]
    for prompt in names:
        counterfactuals = run.counterfactual(prompt, "identity")
        if counterfactuals is None:
            return []
        lengths = np.linalg.norm(counterfactuals, axis=1) * np.linalg.norm(originals, axis=1)
        cosines.append((counterfactuals * originals).sum(axis=1, dtype=np.float64) / lengths)
    import pandas

    each = {"source": np.tile(np.arange(len(originals)), len(cosines)), "prompt": np.repeat(names, len(originals))}
    values = {"identity": interval_of(np.concatenate(cosines), pandas.DataFrame(each), share=False)}
    return [Line(COUNTERFACTUAL, "reference", "", values, 0.0 if pool.known else None, None, None, None)]


def _columns(run: Run) -> tuple[str, ...]:
    name = run.manifest["frechet_name"]
    return (*names(columns()), name, f"{name}_n")


def _data(run: Run, line: Line, pool: Pool) -> dict[str, Value]:
    name = run.manifest["frechet_name"]
    row: dict[str, Value] = {
        "editor": line.editor,
        "kind": line.kind,
        "strength": line.strength,
        "cells": line.cells,
        "eligible": line.eligible,
        "prompts_mastered": line.prompts_mastered,
        "prompts": None if line.cells is None else len(run.prompts),
        "identity_floor": run.manifest.get("identity_floor"),
        "identity_ceiling": run.manifest.get("identity_ceiling"),
        name: line.distance,
        f"{name}_n": None if line.distance is None else len(pool.cells),
    }
    for column, value in line.values.items():
        row |= interval_columns(column, value)
    return row


def _block(run: Run, group: str, lines: list[Line], references: list[Line], pool: Pool) -> Block:
    records = block_measures(group)
    last = {
        GROUPS[0]: (f"prompts mastered ↑ (of {len(run.prompts)})", _mastered),
        VERDICT_GROUP: ("judges disagree", _disagree),
        GROUPS[-1]: (f"{run.manifest['frechet_name']} ↓ (N {len(pool.cells)})", _distance),
    }.get(group)
    header = ["editor", "strength", *(_heading(run, record) for record in records), *(last[:1] if last else ())]
    rows = []
    for line in [*lines, *references]:
        cells = [_cell(line, record, lines) for record in records] + ([last[1](line)] if last else [])
        if line in lines or any(cells):
            strength = {"given": line.strength, "reference": ""}.get(line.kind, line.kind)
            rows.append((line.editor, strength, *cells))
    return Block(group, tuple(header), tuple(rows), texts=2)


def _heading(run: Run, record: Metric) -> str:
    floor, ceiling = run.manifest.get("identity_floor"), run.manifest.get("identity_ceiling")
    if record.name == "identity" and floor is not None and ceiling is not None:
        return f"{record.title} (floor {number(floor, 2)}, ceiling {number(ceiling, 2)})"
    return record.title


def _mastered(line: Line) -> str:
    return "" if line.prompts_mastered is None else str(line.prompts_mastered)


def _disagree(line: Line) -> str:
    return interval_text(line.values[DISAGREE], 2) if DISAGREE in line.values else ""


def _distance(line: Line) -> str:
    return number(line.distance, 1)


def _cell(line: Line, record: Metric, lines: list[Line]) -> str:
    value = line.values.get(record.name)
    if value is None:
        return ""
    text = interval_text(value, record.digits)
    return f"**{text}**" if line in lines and _stands_out(line, record, lines) else text


def _stands_out(line: Line, record: Metric, lines: list[Line]) -> bool:
    """Best of its kind, and its interval shares no value with any other editor's: never a rank within noise."""
    rivals = [o for o in lines if (o.kind, o.editor) != (line.kind, line.editor) and o.kind == line.kind]
    rivals = [rival for rival in rivals if not is_control(rival.editor)]
    own = line.values[record.name]
    if is_control(line.editor) or not rivals or own.mean is None or not record.sign:
        return False
    others = [rival.values[record.name] for rival in rivals]
    return all(
        o.mean is not None and record.sign * own.mean > record.sign * o.mean and not overlap(own, o) for o in others
    )


def _notes(pool: Pool) -> tuple[str, ...]:
    fewer = over_fewer(pool.run.rows, [record.name for record in measures() if not record.eligible_only])
    notes = [
        "±: half of the 95 % interval over source images; bold: best of its kind of strength, apart from controls, and "
        "its interval overlaps no other's. The target effect is to be matched, not maximised: the table matched "
        "compares editors at equal effect.",
        CLEAN,
        "Success: the judge reads the value asked for, and the counterfactual confirms it or, where none is known, the "
        "picture looks real. By counterfactual: of the right pictures for all values, that of the value asked for is "
        "nearest, and the edit is like it; no network.",
        "Clean success, success, preservation, target effect and AD are over eligible cells (the reconstruction lacks "
        f"the value and the counterfactual shows it), the rest over all cells{fewer and f' that have it: {fewer}'}.",
        f"A prompt is mastered with success ≥ {MASTERED_SUCCESS:.2f} and preservation ≥ {MASTERED_PRESERVATION:.2f}.",
        "Row inversion: the reconstruction against the original (PSNR, SSIM), and what doing nothing scores (Fréchet).",
        *chosen_on(pool.run),
    ]
    if pool.known:
        notes.append(
            "Fréchet distance: edits pooled over prompts against the counterfactuals of the same cells; doing nothing "
            "(row inversion) may score better than an edit does. Its interval, its scale and its dependence on N are "
            "in the table frechet."
        )
    return tuple(notes)
