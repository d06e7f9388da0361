"""Edits of a run to be looked at blind: source, edit and text are shown, editor, strength and verdicts are not."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.errors import UsageError
from eval.labelling.labels import READ, WRITTEN, Answer, Labels
from eval.labelling.sheets import Item
from eval.runs.reader import Run

if TYPE_CHECKING:
    from pandas import DataFrame

QUESTION = "accepted"
TEXT = "what the text asks for, in a picture that is not damaged"
FOLDER = "labels"  # of a run, a file a rater
KEY = "edit"
COLUMNS = ("editor", "prompt", "strength", "image", "rater", QUESTION)  # of an export
CELL = COLUMNS[:4]  # name an edit in whatever run
MADE_BY = "`deltabench label RUN --export FILE` writes such a file"
ENLARGED = 3
GAP_PX, LINE_PX = 8, 22


Cell = tuple[str, ...]  # an edit, as ``CELL`` names it; the strength as text


@dataclass(frozen=True)
class Labelled:
    """One answer: which edit, who looked, and what was said."""

    cell: Cell
    rater: str
    answer: Answer


def name_of(cell: Sequence[object]) -> str:
    """A name that tells nothing: twelve digits of the sha256 of editor, prompt, strength and image.

    >>> name_of(("deltaedit", "smile", "1", "test-0003"))
    '2f411367b416'
    """
    return hashlib.sha256("|".join(map(str, cell)).encode()).hexdigest()[:12]


def shown_cells(run: Run) -> DataFrame:
    """The eligible cells whose pictures the run keeps, each once, in random order, with ``CELL`` as text and ``name``.

    The order is that of the names, so that a longer list begins with the shorter one.
    """
    kept = run.rows[run.rows["eligible"].astype(bool)]
    stored = {chunk["id"]: set(run.chunk_array(chunk["id"], "kept").tolist()) for chunk in run.chunks}
    kept = kept[[source in stored[chunk] for source, chunk in zip(kept["source"], kept["chunk"], strict=True)]]
    kept = kept.assign(strength=[f"{strength:g}" for strength in kept["strength"]])
    kept = kept.assign(name=[name_of(cell) for cell in kept[list(CELL)].itertuples(index=False)])
    return kept.drop_duplicates("name").sort_values("name").reset_index(drop=True)


def edit_items(run: Run, count: int) -> list[Item]:
    """The first ``count`` edits to look at; fewer where the run keeps fewer pictures."""
    texts = {prompt["name"]: prompt["target"] for prompt in run.prompts}
    rows = shown_cells(run).head(count)
    return [
        Item(name, (QUESTION,), partial(_picture, run, chunk, source, texts[prompt]))
        for name, chunk, source, prompt in zip(*(rows[c] for c in ("name", "chunk", "source", "prompt")), strict=True)
    ]


def _picture(run: Run, chunk: str, source: int, text: str) -> bytes:
    place = run.chunk_array(chunk, "kept").tolist().index(source)
    return pair(run.sources("images")[source], run.chunk_array(chunk, "images")[place], text)


def pair(before: np.ndarray, after: np.ndarray, text: str) -> bytes:
    """Source and edit side by side over the text: uint8 [H, W, 3] each -> a PNG file."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = before.shape[:2]
    scale = max(1, ENLARGED * 64 // height)
    canvas = Image.new("RGB", (2 * width * scale + GAP_PX, height * scale + LINE_PX), "white")
    for place, pixels in enumerate((before, after)):
        large = Image.fromarray(pixels).resize((width * scale, height * scale), Image.Resampling.NEAREST)
        canvas.paste(large, (place * (width * scale + GAP_PX), 0))
    font = ImageFont.load_default(15)
    ImageDraw.Draw(canvas).text((4, height * scale + 2), text, fill="black", font=font)
    file = io.BytesIO()
    canvas.save(file, "PNG", compress_level=1)
    return file.getvalue()


def rater_labels(run: Run, rater: str) -> Labels:
    """What a rater said so far; the file is made with the first answer.

    Raises:
        UsageError: the name would be no file's name, or the file holds no labels.
    """
    if not rater.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"'{rater}' is no name of a rater; use letters, digits, - and _.")
    return Labels(run.folder / FOLDER / f"{rater}.csv", KEY, (QUESTION,))


def labels_of(run: Run) -> list[Labelled]:
    """What all raters of a run said, by rater, then edit."""
    rows = shown_cells(run)
    cells = dict(zip(rows["name"], rows[list(CELL)].itertuples(index=False, name=None), strict=True))
    found = []
    for path in sorted((run.folder / FOLDER).glob("*.csv")):
        answers = rater_labels(run, path.stem)[QUESTION]
        found += [Labelled(cells[name], path.stem, answers[name]) for name in sorted(answers) if name in cells]
    return found


def write_export(path: Path, labels: Sequence[Labelled]) -> None:
    """All answers in one table, with the columns ``COLUMNS``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows((*label.cell, label.rater, WRITTEN[label.answer]) for label in labels)


def read_export(path: Path) -> list[Labelled]:
    """What ``write_export`` wrote.

    Raises:
        UsageError: it is no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{path} cannot be read as labels ({error}); `deltabench label RUN --export` writes such a file."
        ) from None
    for number, row in enumerate(rows, 2):
        if set(row) != set(COLUMNS) or row[QUESTION] not in READ:
            raise UsageError(
                f"{path}, line {number}: the columns must be {', '.join(COLUMNS)}, and a label 1, 0 or nan; {MADE_BY}."
            )
    return [Labelled(tuple(row[name] for name in CELL), row["rater"], READ[row[QUESTION]]) for row in rows]


def majority(labels: Sequence[Labelled]) -> Mapping[Cell, bool]:
    """What most raters say of an edit; it is left out where as many accept as reject it, or nobody can tell."""
    votes: dict[Cell, int] = {}
    for label in labels:
        votes[label.cell] = votes.get(label.cell, 0) + (0 if label.answer is None else 1 if label.answer else -1)
    return {cell: count > 0 for cell, count in votes.items() if count}
