"""The main comparison of a paper: one row an editor and kind of strength, then the table at equal effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eval.metrics.book import metric_of
from eval.runs.reader import Run
from eval.statistics import Interval, overlap
from reports.equal_effect.prompts import is_control
from reports.paper.parts import TablePart, counted, sentence_list
from reports.tables.main import CLEAN
from reports.tables.real.values import MEAN
from reports.writers.layout import NOT_AVAILABLE, Block, Table, Value, interval_text, number

Row = Mapping[str, Value]
FRECHET = "frechet"  # in the table main under the run's own name of the distance
REFERENCE = "reference"


BLOCKS = {
    "Effect and preservation": (
        *("clean_success", "success", "preservation", "identity", "clip_score_judge", "directional_judge"),
    ),
    "Distance to the counterfactual": (FRECHET, "counterfactual_psnr_db", "error"),
}
COLUMNS = tuple(column for columns in BLOCKS.values() for column in columns)  # records of eval.metrics.book


class Line(NamedTuple):
    """One row: an editor at a kind of strength, or a reference, with its numbers by column of ``COLUMNS``."""

    editor: str
    kind: str
    strength: str
    values: dict[str, Interval]


def comparison_part(run: Run, tables: Mapping[str, Table]) -> TablePart:
    """The table and its caption.

    Args:
        run: opened.
        tables: by name; from ``main``, from ``counterfactual`` the error, and from ``frechet``, if it is there, the
            interval of the distance. Columns that they lack are blank.
    """
    main = tables["main"]
    rows = _joined(run, tables)
    name = str(run.manifest["frechet_name"])
    shown = [column for column in COLUMNS if any(row.values[column].mean is not None for row in rows)]
    blocks = tuple(_block(title, rows, [c for c in shown if c in own], name) for title, own in BLOCKS.items())
    columns = ("editor", "kind", "strength", *(part for column in COLUMNS for part in _names(column, name)))
    data = tuple(_data(row, name) for row in rows)
    table = Table("comparison", "Which editor changes what the text asks, and only that?", columns, data, blocks)
    return TablePart(table, _caption(run, main, rows, shown))


def _block(title: str, rows: Sequence[Line], shown: Sequence[str], frechet: str) -> Block:
    """Some columns of all rows that have a number there."""
    header = ("editor", "strength", *(_heading(column, frechet, "title") for column in shown))
    lines = []
    for row in rows:
        cells = [_cell(row, column, rows) for column in shown]
        if any(cells):
            lines.append((row.editor, _strength(row), *cells))
    return Block(title, header, tuple(lines), texts=2)


def _heading(column: str, frechet: str, form: str = "heading") -> str:
    """``heading`` or ``title`` of the book of metrics; the Fréchet distance under the name that the run gives it."""
    text: str = getattr(metric_of(column), form)
    return text.replace(metric_of(FRECHET).heading, frechet) if column == FRECHET else text


def _joined(run: Run, tables: Mapping[str, Table]) -> list[Line]:
    errors = {_key(row): row for row in tables["counterfactual"].data}
    distances = {_key(row): row for row in tables["frechet"].data} if "frechet" in tables else {}
    name = str(run.manifest["frechet_name"])
    rows = []
    for row in tables["main"].data:
        values = {column: interval_of(row, column) for column in COLUMNS}
        values["error"] = interval_of(errors.get(_key(row), {}), "error")
        values[FRECHET] = interval_of(distances.get(_key(row), row), name)
        rows.append(Line(str(row["editor"]), str(row["kind"]), str(row.get("strength") or ""), values))
    return rows


def _key(row: Row) -> tuple[Value, ...]:
    return row.get("editor"), row.get("kind"), row.get("strength")


def interval_of(row: Row, column: str) -> Interval:
    """A number of a table's data with its bounds; None where it is missing or not available."""
    mean, low, high = (_float(row.get(column + end)) for end in ("", "_low", "_high"))
    return Interval(mean, low, high, 0, 0)


def _float(value: Value) -> float | None:
    if value is None or value in ("", NOT_AVAILABLE) or value != value:
        return None
    return float(value)


def _names(column: str, frechet: str) -> tuple[str, str, str]:
    stem = frechet if column == FRECHET else column
    return stem, f"{stem}_low", f"{stem}_high"


def _data(row: Line, frechet: str) -> dict[str, Value]:
    found: dict[str, Value] = {"editor": row.editor, "kind": row.kind, "strength": row.strength}
    for column in COLUMNS:
        value = row.values[column]
        found |= dict(zip(_names(column, frechet), (value.mean, value.low, value.high), strict=True))
    return found


def _strength(row: Line) -> str:
    return {"given": row.strength, REFERENCE: ""}.get(row.kind, row.kind)


def _cell(row: Line, column: str, rows: Sequence[Line]) -> str:
    value, digits = row.values[column], metric_of(column).digits
    text = number(value.mean, digits) if value.low is None else interval_text(value, digits)
    return f"**{text}**" if stands_out(row, column, rows) else text


def stands_out(row: Line, column: str, rows: Sequence[Line]) -> bool:
    """Best of its kind of strength, controls apart, with an interval that overlaps no other editor's."""
    own, sign = row.values[column], metric_of(column).sign
    if is_control(row.editor) or row.kind == REFERENCE or own.mean is None or not sign:
        return False
    same = [r for r in rows if r.kind == row.kind and r.editor != row.editor]
    rivals = [r.values[column] for r in same if not is_control(r.editor)]
    best = all(rival.mean is not None and sign * own.mean > sign * rival.mean for rival in rivals)
    return bool(rivals) and best and not any(overlap(own, rival) for rival in rivals)


def _caption(run: Run, main: Table, rows: Sequence[Line], shown: Sequence[str]) -> str:
    editors = [editor for editor in run.editors if not is_control(editor)]
    controls = [editor for editor in run.editors if is_control(editor)]
    cells = int(max(float(row.get("cells") or 0) for row in main.data))
    parts = [
        f"Main comparison on {run.manifest.get('domain')}: {counted(len(editors), 'editor')}"
        + (f" and {counted(len(controls), 'control')}" if controls else "")
        + f", {counted(len(run.prompts), 'prompt')} × {counted(len(run.names), 'image')}, "
        f"{counted(cells, 'cell')} an editor and kind of strength."
    ]
    parts += [sentence for column in shown for sentence in _explained(run, main, column)]
    parts.append("±: half of the 95 % interval over source images.")
    parts += _winners(rows, shown, str(run.manifest["frechet_name"]))
    return " ".join(parts)


def _explained(run: Run, main: Table, column: str) -> list[str]:
    name = str(run.manifest["frechet_name"])
    if column == "clean_success":
        return [CLEAN]
    if column == "success":
        return ["Clean success, success and preservation are over eligible cells, all else over all cells."]
    if column == FRECHET:
        pairs = next((row.get(f"{name}_n") for row in main.data if row.get(f"{name}_n")), None)
        idle = next((interval_of(row, name).mean for row in main.data if row.get("editor") == "inversion"), None)
        count = f", N = {int(float(pairs))}" if pairs else ""
        nothing = f"; doing nothing scores {number(idle, 1)}, which an edit need not beat" if idle is not None else ""
        return [f"{name}: Fréchet distance of the edits to the counterfactuals{count}{nothing}."]
    if column == "identity":
        floor, ceiling = run.manifest.get("identity_floor"), run.manifest.get("identity_ceiling")
        known = floor is not None and ceiling is not None
        ends = f" (two persons {number(floor, 2)}, one person twice {number(ceiling, 2)})" if known else ""
        return [f"Identity: cosine of identity features of original and edit{ends}."]
    if column == "clip_score_judge":
        return ["CLIP score and direction are those of the judge's CLIP, which no editor sees."]
    if column == "error":
        return ["Error: squared, in thousandths of the squared pixel range, to the counterfactual."]
    return []


def _winners(rows: Sequence[Line], shown: Sequence[str], frechet: str) -> list[str]:
    """What is bold, in words: for each kind of strength, who stands out in what."""
    sentences = []
    for kind in dict.fromkeys(row.kind for row in rows if row.kind != REFERENCE):
        won: dict[str, list[str]] = {}
        for row in rows:
            names = [_heading(column, frechet) for column in shown if stands_out(row, column, rows)]
            if row.kind == kind and names:
                won[row.editor] = names
        where = f"At {kind} strength" if kind != "given" else "At given strengths"
        if won:
            text = "; ".join(f"{editor} in {sentence_list(names)}" for editor, names in won.items())
            sentences.append(f"{where}, best with an interval that overlaps no other editor's (bold): {text}.")
        else:
            sentences.append(f"{where}, no editor stands out beyond the intervals.")
    return sentences


def frechet_part(run: Run, frechet: Table) -> TablePart:
    """The table of distances between sets as it is, with a caption."""
    name = str(run.manifest["frechet_name"])
    floor = next((_float(row.get(f"{name}_floor")) for row in frechet.data), None)
    scale = (
        f" Two sets of counterfactuals of different persons score {number(floor, 1)} at this N."
        if floor is not None
        else ""
    )
    return TablePart(frechet, f"Distances between the edits and the counterfactuals, as sets.{scale}")


def originals_part(run: Run, originals: Table) -> TablePart:
    """The table of distances to the original images as it is, with a caption; of runs that know no counterfactuals."""
    idle = next(row for row in originals.data if row["kind"] == REFERENCE)
    same, others, floor = (_float(idle[column]) for column in ("same", "others", "floor"))
    parts = [
        f"{run.manifest['frechet_name']}: Fréchet distance of the edits to the original images, as sets; "
        f"{run.manifest.get('domain')} knows no counterfactuals.",
        f"To the same persons (N = {idle['n']}) it rewards not editing: doing nothing scores {number(same, 1)}.",
    ]
    if floor is not None:
        parts.append(
            f"To other persons (N = {idle['others_n']}) doing nothing scores {number(others, 1)}, and the originals "
            f"themselves {number(floor, 1)}, the floor."
        )
    return TablePart(originals, " ".join([*parts, "No interval: small differences may be chance."]))


def real_values_part(run: Run, values: Table) -> TablePart:
    """The table of distances to real pictures that show the value as it is, with a caption."""
    means = [row for row in values.data if row["prompt"] == MEAN]
    there = next((row for row in means if row["distance"] is not None), None)
    parts = [
        f"{run.manifest['frechet_name']}: Fréchet distance of the edits of each prompt to as many real pictures that "
        "show the value, of other people."
    ]
    if there is not None:
        unedited, floor = (number(_float(there[column]), 1) for column in ("unedited", "floor"))
        parts.append(f"On average over the prompts doing nothing scores {unedited}, and real pictures {floor}.")
    return TablePart(values, " ".join([*parts, "No interval: small differences may be chance."]))


def matched_part(run: Run, matched: Table) -> TablePart:
    """The table at equal effect as it is, with a caption."""
    goals = sorted({float(row["goal"]) for row in matched.data if row.get("goal") is not None})  # type: ignore[arg-type]
    compared = {
        goal: sorted({str(r["editor"]) for r in matched.data if r.get("goal") == goal and r.get("role") == "compared"})
        for goal in goals
    }
    said = "; ".join(f"{goal:g} {run.effect_unit}: {counted(len(compared[goal]), 'editor')}" for goal in goals)
    caption = (
        "Equal target effect: every editor at the strength whose mean effect is the goal, over the prompts that it "
        f"meets, out of {len(run.prompts)} ({said}); pairs of editors on the prompts that both meet, which are named. "
        "Editors that share a letter cannot be told apart."
    )
    return TablePart(matched, caption)
