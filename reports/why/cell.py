"""One number of one cell: ``deltaedit/glasses/test-0003/identity``, found and explained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eval.metrics.book import known_metric
from eval.runs.reader import Run
from reports.why.explain import code, costs, determinism, editor, networks, strengths
from reports.why.rebuilt import agrees
from reports.why.stored import recomputed
from reports.why.value import listed, no_such
from reports.writers.layout import csv_text

if TYPE_CHECKING:
    from pandas import DataFrame, Series

TOLERANCE = 1e-5  # relative: the numbers of a cell are computed in float32
LABELS = ("editor", "prompt", "strength", "kind", "effect_goal", "image")
FORM = "a cell is written editor/prompt/image/column, for example deltaedit/glasses/test-0003/identity"


class Cell(NamedTuple):
    """A number of a cell.

    Attributes:
        row: of the chunk's parquet file, with the columns of ``Run.rows``.
        column: name.
    """

    row: Series
    column: str

    @property
    def name(self) -> str:
        """How to write it."""
        return f"{_place(self.row)}/{self.column}"


def _place(row: Series) -> str:
    goal = row["effect_goal"]
    kind = f"{row['kind']}/{row['strength'] if np.isnan(goal) else goal:g}"
    return f"{row['editor']}/{row['prompt']}/{kind}/{row['image']}"


def find_cell(run: Run, text: str) -> Cell:
    """The number of a cell that a text names.

    Raises:
        ValueError: nothing or more than one number fits; the sentence names the nearest ones.
    """
    cells = _every_cell(run)
    words = _parts(text, [str(name) for key in ("editor", "prompt") for name in cells[key].unique()])
    for key in ("editor", "prompt"):
        allowed = [str(name) for name in cells[key].unique()]
        word = next((word for word in words if word in allowed), None)
        if word is None:
            raise ValueError(no_such(key, words[0] if words else "", allowed, FORM))
        cells = cells[cells[key] == word]
        words.remove(word)
    image = next((word for word in words if word in run.names), None)
    if image is None:
        raise ValueError(no_such("image", words[0] if words else "", run.names, FORM))
    words.remove(image)
    return _one(cells[cells["image"] == image], image, words, text)


def _parts(text: str, names: Iterable[str]) -> list[str]:
    """The words between slashes; names that hold slashes themselves stay whole.

    >>> _parts("deltaedit/glasses/round/test-0003", ["deltaedit", "glasses/round"])
    ['glasses/round', 'deltaedit', 'test-0003']
    """
    rest, whole = f"/{text}/", []
    for name in sorted((name for name in names if "/" in name), key=len, reverse=True):
        if f"/{name}/" in rest:
            whole.append(name)
            rest = rest.replace(f"/{name}/", "/", 1)
    return [*whole, *(word.strip() for word in rest.split("/") if word.strip())]


def _every_cell(run: Run) -> DataFrame:
    import pandas

    rows = run.every_row
    return pandas.concat([rows, run.oracle], ignore_index=True) if len(run.oracle) else rows


def _one(cells: DataFrame, image: str, words: list[str], text: str) -> Cell:
    """The cell among those of an image, by the words that are left: a column, a kind, a strength or a goal."""
    if not len(cells):
        raise ValueError(f"No finished chunk has {image} for {text}; give the same `deltabench run` again.")
    rows = [row for _, row in cells.iterrows()]
    columns = [name for name in cells.columns if known_metric(str(name)) and name not in LABELS]
    column = next((word for word in words if word in columns), None)
    if column is None:
        wrong = next((word for word in words if not any(_is(row, word) for row in rows)), "")
        raise ValueError(no_such("column of a cell", wrong, columns, FORM))
    others = [word for word in words if word != column]
    found = [Cell(row, column) for row in rows if all(_is(row, word) for word in others)]
    if len(found) == 1:
        return found[0]
    names = [cell.name for cell in found or [Cell(row, column) for row in rows]]
    what = f"fits {len(names)} values" if found else "fits none"
    raise ValueError(f"{text} {what}: {listed(names)}; add what tells them apart.")


def _is(row: Series, word: str) -> bool:
    """Whether a word is the cell's kind, its goal, or without a goal its strength."""
    if word == row["kind"]:
        return True
    try:
        goal = row["effect_goal"]
        return float(word.removesuffix("σ")) == float(row["strength"] if np.isnan(goal) else goal)
    except ValueError:
        return False


def explain_cell(run: Run, cell: Cell) -> dict[str, Any]:
    """How a number of a cell came to be; the same parts as ``reports.why.explain.explain``."""
    record = known_metric(cell.column)
    if record is None:
        raise ValueError(f"The column {cell.column} has no explanation.")
    metrics = (record.recipe_name,)
    value = _plain(cell.row[cell.column])
    found, how = recomputed(run, cell.row, cell.column)
    same, difference = agrees(csv_text(value), found, TOLERANCE) if how else (None, 0.0)
    label = str(cell.row["editor"])
    return {
        "value": {"name": cell.name, "text": csv_text(value), "eligible": bool(cell.row["eligible"])},
        "formula": {"text": record.formula, "source": record.source},
        "recipe": {metric: run.manifest.get("recipes", {}).get(metric, "") for metric in metrics},
        "cells": {},
        "networks": networks(run.manifest, metrics),
        "editor": editor(run.manifest, label),
        "strengths": strengths(run, cell.row.to_frame().T),
        "seeds": {"editors": run.manifest.get("arguments", {}).get("seed")},
        "costs": costs(run, label),
        "determinism": determinism(run, label),
        "code": code(run.manifest),
        "files": [f"chunks/{cell.row['chunk']}.parquet"],
        "recomputed": {
            "value": found,
            "how": how or "not computed: it takes the network, or what the folder does not keep",
            "agrees": same,
            "difference": None if difference != difference else difference,
        },
    }


def _plain(value: Any) -> bool | float:
    return bool(value) if isinstance(value, (bool, np.bool_)) else float(value)
