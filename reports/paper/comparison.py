"""The main comparison of a paper: one row an editor and kind of strength, then the table at equal effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eval.runs.reader import Run
from eval.statistics import Interval, overlap
from reports.equal_effect.prompts import is_control
from reports.paper.parts import TablePart, counted, sentence_list
from reports.paper.published import MARK, published_text
from reports.writers.layout import NOT_AVAILABLE, Block, Table, Value, interval_text, number

Row = Mapping[str, Value]
FRECHET = "frechet"  # stands for the run's own name of the distance
REFERENCE = "reference"


class Measure(NamedTuple):
    """A column: its name in ``main`` or ``counterfactual``, heading, decimals, whether more is better."""

    column: str
    heading: str
    digits: int
    more_is_better: bool


MEASURES = (
    Measure("success", "success ↑", 2, True),
    Measure("preservation", "preservation ↑", 2, True),
    Measure(FRECHET, "{} ↓", 2, False),
    Measure("counterfactual_psnr_db", "PSNR ↑ (dB)", 1, True),
    Measure("identity", "IDS ↑", 2, True),
    Measure("clip_score_judge", "CLIP score ↑", 1, True),
    Measure("directional_judge", "CLIP direction ↑", 3, True),
    Measure("error", "error ↓ (10³ MSE)", 2, False),
)
BLOCKS = {
    "Effect and preservation": ("success", "preservation", "identity", "clip_score_judge", "directional_judge"),
    "Distance to the counterfactual": (FRECHET, "counterfactual_psnr_db", "error"),
}


class Line(NamedTuple):
    """One row: an editor at a kind of strength, or a reference, with its numbers by column of ``MEASURES``."""

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
    shown = [measure for measure in MEASURES if any(row.values[measure.column].mean is not None for row in rows)]
    fid = [published_text(row.editor, FRECHET) for row in rows]
    blocks = tuple(
        _block(title, rows, [m for m in shown if m.column in columns], name, fid if FRECHET in columns else [])
        for title, columns in BLOCKS.items()
    )
    columns = ("editor", "kind", "strength", *(c for m in MEASURES for c in _names(m, name)), "published_fid")
    data = tuple(_data(row, name, text) for row, text in zip(rows, fid, strict=True))
    table = Table(
        "comparison",
        "Which editor changes what the text asks, and only that?",
        columns,
        data,
        blocks,
    )
    return TablePart(table, _caption(run, main, rows, shown, any(fid)))


def _block(title: str, rows: Sequence[Line], shown: Sequence[Measure], frechet: str, fid: Sequence[str]) -> Block:
    """Some columns of all rows that have a number there; published FIDs at the end where there are any."""
    claims = [text.removesuffix(f" {MARK}") for text in fid] if any(fid) else []
    header = ("editor", "strength", *(measure.heading.format(frechet) for measure in shown))
    header += (f"FID, published {MARK}",) if claims else ()
    lines = []
    for number_, row in enumerate(rows):
        cells = [_cell(row, measure, rows) for measure in shown]
        if any(cells):
            lines.append((row.editor, _strength(row), *cells, *claims[number_ : number_ + 1]))
    return Block(title, header, tuple(lines), texts=2)


def _joined(run: Run, tables: Mapping[str, Table]) -> list[Line]:
    errors = {_key(row): row for row in tables["counterfactual"].data}
    distances = {_key(row): row for row in tables["frechet"].data} if "frechet" in tables else {}
    name = str(run.manifest["frechet_name"])
    rows = []
    for row in tables["main"].data:
        values = {measure.column: interval_of(row, measure.column) for measure in MEASURES}
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


def _names(measure: Measure, frechet: str) -> tuple[str, str, str]:
    stem = frechet if measure.column == FRECHET else measure.column
    return stem, f"{stem}_low", f"{stem}_high"


def _data(row: Line, frechet: str, fid: str) -> dict[str, Value]:
    found: dict[str, Value] = {"editor": row.editor, "kind": row.kind, "strength": row.strength}
    for measure in MEASURES:
        value = row.values[measure.column]
        found |= dict(zip(_names(measure, frechet), (value.mean, value.low, value.high), strict=True))
    return found | {"published_fid": fid.removesuffix(f" {MARK}") or None}


def _strength(row: Line) -> str:
    return {"given": row.strength, REFERENCE: ""}.get(row.kind, row.kind)


def _cell(row: Line, measure: Measure, rows: Sequence[Line]) -> str:
    value = row.values[measure.column]
    text = number(value.mean, measure.digits) if value.low is None else interval_text(value, measure.digits)
    return f"**{text}**" if stands_out(row, measure, rows) else text


def stands_out(row: Line, measure: Measure, rows: Sequence[Line]) -> bool:
    """Best of its kind of strength, controls apart, with an interval that overlaps no other editor's."""
    own = row.values[measure.column]
    if is_control(row.editor) or row.kind == REFERENCE or own.mean is None:
        return False
    same = [r for r in rows if r.kind == row.kind and r.editor != row.editor]
    rivals = [r.values[measure.column] for r in same if not is_control(r.editor)]
    sign = 1 if measure.more_is_better else -1
    best = all(rival.mean is not None and sign * own.mean > sign * rival.mean for rival in rivals)
    return bool(rivals) and best and not any(overlap(own, rival) for rival in rivals)


def _caption(run: Run, main: Table, rows: Sequence[Line], shown: Sequence[Measure], fid: bool) -> str:
    editors = [editor for editor in run.editors if not is_control(editor)]
    controls = [editor for editor in run.editors if is_control(editor)]
    cells = int(max(float(row.get("cells") or 0) for row in main.data))
    parts = [
        f"Main comparison on {run.manifest.get('domain')}: {counted(len(editors), 'editor')}"
        + (f" and {counted(len(controls), 'control')}" if controls else "")
        + f", {counted(len(run.prompts), 'prompt')} × {counted(len(run.names), 'image')}, "
        f"{counted(cells, 'cell')} an editor and kind of strength."
    ]
    parts += [sentence for measure in shown for sentence in _explained(run, main, measure.column)]
    parts.append("±: half of the 95 % interval over source images.")
    parts += _winners(rows, shown, str(run.manifest["frechet_name"]))
    if fid:
        parts.append(
            f"{MARK} Measured by others on other images and networks, with its source in the table of published "
            "numbers."
        )
    return " ".join(parts)


def _explained(run: Run, main: Table, column: str) -> list[str]:
    name = str(run.manifest["frechet_name"])
    if column == "success":
        return [
            "Success and preservation (share of the other visible attributes unchanged) are over eligible cells, all "
            "else over all cells."
        ]
    if column == FRECHET:
        pairs = next((row.get(f"{name}_n") for row in main.data if row.get(f"{name}_n")), None)
        idle = next((interval_of(row, name).mean for row in main.data if row.get("editor") == "inversion"), None)
        count = f", N = {int(float(pairs))}" if pairs else ""
        nothing = f"; doing nothing scores {number(idle, 2)}" if idle is not None else ""
        return [f"{name}: Fréchet distance of the edits to the counterfactuals{count}{nothing}."]
    if column == "identity":
        floor, ceiling = run.manifest.get("identity_floor"), run.manifest.get("identity_ceiling")
        known = floor is not None and ceiling is not None
        ends = f" (two persons {number(floor, 2)}, one person twice {number(ceiling, 2)})" if known else ""
        return [f"IDS: cosine of identity features of original and edit{ends}."]
    if column == "clip_score_judge":
        return ["CLIP score and direction are those of the judge's CLIP, which no editor sees."]
    if column == "error":
        return ["PSNR and error (squared, in thousandths of the squared pixel range) are to the counterfactual."]
    return []


def _winners(rows: Sequence[Line], shown: Sequence[Measure], frechet: str) -> list[str]:
    """What is bold, in words: for each kind of strength, who stands out in what."""
    sentences = []
    for kind in dict.fromkeys(row.kind for row in rows if row.kind != REFERENCE):
        won: dict[str, list[str]] = {}
        for row in rows:
            names = [_short(m, frechet) for m in shown if stands_out(row, m, rows)]
            if row.kind == kind and names:
                won[row.editor] = names
        where = f"At {kind} strength" if kind != "given" else "At given strengths"
        if won:
            text = "; ".join(f"{editor} in {sentence_list(names)}" for editor, names in won.items())
            sentences.append(f"{where}, best with an interval that overlaps no other editor's (bold): {text}.")
        else:
            sentences.append(f"{where}, no editor stands out beyond the intervals.")
    return sentences


def _short(measure: Measure, frechet: str) -> str:
    return measure.heading.format(frechet).split(" ↑")[0].split(" ↓")[0]


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


def matched_part(run: Run, matched: Table) -> TablePart:
    """The table at equal effect as it is, with a caption."""
    goals = sorted({float(row["goal"]) for row in matched.data if row.get("goal") is not None})  # type: ignore[arg-type]
    compared = {
        goal: sorted({str(r["editor"]) for r in matched.data if r.get("goal") == goal and r.get("role") == "compared"})
        for goal in goals
    }
    counts = {
        goal: max(int(float(r.get("prompts_compared") or 0)) for r in matched.data if r.get("goal") == goal)
        for goal in goals
    }
    said = "; ".join(
        f"{goal:g} σ: {counted(len(compared[goal]), 'editor')} on {counted(counts[goal], 'prompt')}" for goal in goals
    )
    caption = (
        "Equal target effect: every editor at the strength whose mean effect is the goal, compared on the "
        "prompts that all "
        f"compared editors meet, out of {len(run.prompts)} ({said}). Editors that share a letter cannot be told apart."
    )
    return TablePart(matched, caption)
