"""What `deltabench run --deterministic` found: its table, and the mark of editors that do not repeat themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from eval.runs.reader import Run
from reports.tables.columns import EDITOR, cost, count, label, names
from reports.writers.layout import Block, Table, Value

FILE = "determinism.json"
MARK = "†"
GOOD = "deterministic"
PASSES = ("repeat", "batch", "stored")  # twice as it was; in smaller batches; against the folder
PARTS = ("latents", "images", "metrics")
COLUMNS = {
    "editor": EDITOR,
    "verdict": label("docs/run_folder.md, determinism.json"),
    **{name: count(f"of the check: {name}") for name in ("images", "smaller_batch", "threads")},
    **{
        f"{which}_{part}": cost(f"largest |difference| of {part}: {words}")
        for which, words in (
            ("repeat", "the same chunk twice"),
            ("batch", "the same chunk in smaller batches"),
            ("stored", "the same chunk and that of the folder"),
        )
        for part in PARTS
    },
}


def read_determinism(run: Run) -> dict[str, Any] | None:
    """The file that the manifest names; None for a run that was not checked.

    Raises:
        ValueError: the file is not JSON.
    """
    path = run.folder / str(run.manifest.get("determinism", FILE))
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); delete it and give the same `deltabench run`.") from None
    return found


def unsteady(run: Run) -> dict[str, str]:
    """Editor -> verdict, of those that were checked and are not deterministic."""
    found = read_determinism(run)
    editors = {} if found is None else found["editors"]
    return {label: entry["verdict"] for label, entry in editors.items() if entry["verdict"] != GOOD}


def determinism_table(run: Run) -> Table | None:
    """One row an editor: verdict and largest differences; None for a run that was not checked."""
    found = read_determinism(run)
    if found is None:
        return None
    labels = [label for label in run.editors if label in found["editors"]]
    data = tuple(_data(label, found) for label in labels)
    sizes = found["batches"]
    other = f"batches of {sizes[1]}" if len(sizes) > 1 else "other batches"
    passes = ("twice", other, "folder")
    header = ("editor", "verdict", *(text for name in passes for text in (f"{name}: codes ↓", "images ↓", "metrics ↓")))
    rows = tuple(
        (str(row["editor"]), str(row["verdict"]), *(_text(row[name]) for name in tuple(COLUMNS)[5:])) for row in data
    )
    limit = found["tolerance"]
    notes = (
        f"Largest absolute differences over the first chunk of the prompt {found['prompt']} ({found['images']} images, "
        f"strength {found['strength']:g}): the same by a fresh editor, in {other}, and against what the folder "
        f"has. Codes are those of W+ and S, images lie in [-1, 1], metrics are the cells' numbers in their units. "
        f"{found['threads']} thread(s), torch {found['torch']}, {found['hardware']}.",
        "Deterministic: the second time equal to the last bit; other batches and the folder within "
        f"{limit['latents']:g} (codes) and {limit['images']:.2g} (images): sums in another order differ in their last "
        "digits.",
    )
    return Table(
        "determinism",
        "Does an editor make the same edits each time?",
        names(COLUMNS),
        data,
        (Block("", header, rows, 2),),
        notes,
    )


def _data(label: str, found: Mapping[str, Any]) -> dict[str, Value]:
    entry, sizes = found["editors"][label], found["batches"]
    row: dict[str, Value] = {"editor": label, "verdict": entry["verdict"], "images": found["images"]}
    row |= {"smaller_batch": sizes[1] if len(sizes) > 1 else None, "threads": found["threads"]}
    for which in PASSES:
        apart = entry.get(which) or {}
        row |= {f"{which}_{part}": apart.get(part) for part in PARTS}
    return row


def _text(value: Value) -> str:
    return "" if value is None else "0" if value == 0 else f"{float(value):.1e}"


def marked(run: Run, tables: Sequence[Table]) -> tuple[Table, ...]:
    """The tables with ``†`` behind every editor that is not deterministic, and a footnote; csv files stay."""
    verdicts = unsteady(run)
    if not verdicts:
        return tuple(tables)
    named = "; ".join(f"{label}: {verdict}" for label, verdict in verdicts.items())
    note = f"{MARK} does not repeat its edits, or could not be checked (table determinism): {named}."
    return tuple(_marked(table, verdicts, note) for table in tables)


def _marked(table: Table, verdicts: Mapping[str, str], note: str) -> Table:
    blocks = tuple(
        replace(
            block,
            title=_with_mark(block.title, verdicts, ":,"),
            rows=tuple((_with_mark(row[0], verdicts, " "), *row[1:]) for row in block.rows),
        )
        for block in table.blocks
    )
    return replace(table, blocks=blocks, notes=(*table.notes, note)) if blocks != table.blocks else table


def _with_mark(text: str, verdicts: Mapping[str, str], ends: str) -> str:
    """A text that begins with an editor's label, which ends there or with one of ``ends``.

    >>> _with_mark("tedigan, calibrated: 3 prompts", {"tedigan": "not repeatable"}, ":,")
    'tedigan †, calibrated: 3 prompts'
    """
    for editor in verdicts:
        rest = text.removeprefix(editor)
        if rest != text and (not rest or rest[0] in ends):
            return f"{editor} {MARK}{rest}"
    return text
