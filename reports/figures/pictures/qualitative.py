"""Every prompt with one image, chosen by rule, under every editor: the qualitative grid of a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eval.runs.reader import Run, Setting
from reports.figures.pictures.grid import MARK
from reports.figures.pictures.kept import COUNTERFACTUAL, Kept, canvas, draw_image, median_person
from reports.writers.style import INK, SMALL_PT, TWO_COLUMNS_IN, colours, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_IN, GAP_IN, NAME_IN, PANEL_GAP_IN = 0.72, 0.03, 0.16, 0.2
HIGHEST_IN = 8.4  # of the rows, so that a caption still fits the page
LINE_IN, LETTER_IN = 0.115, 0.052
READABLE_IN = 0.5  # side of a picture; where it would be smaller there are more pages


class Row(NamedTuple):
    """One prompt: its text, row of the image in ``sources.npz``, from how many it was chosen, its pictures."""

    title: str
    source: int
    choice: int
    pictures: list[np.ndarray | None]
    successes: list[bool]


class Grid(NamedTuple):
    """What a qualitative grid shows."""

    headings: list[tuple[str, str]]  # text and colour
    rows: list[Row]
    without: list[str]  # prompts that have no image to show


def qualitative_grid(run: Run, settings: tuple[Setting, ...]) -> Grid | None:
    """The pictures of one setting an editor: every prompt, its image of median collateral; None without any.

    Args:
        run: opened.
        settings: one an editor.
    """
    kept, palette = Kept(run), colours(run.editors)
    answered = all(run.counterfactual(prompt["name"], "images") is not None for prompt in run.prompts)
    headings = [("original", INK), ("inversion", INK), *((s.editor, palette[s.editor]) for s in settings)]
    headings += [(COUNTERFACTUAL, INK)] if answered else []
    rows, without = [], []
    for prompt in run.prompts:
        row = _row(run, kept, settings, prompt, answered)
        if row is None:
            without.append(prompt["name"])
        else:
            rows.append(row)
    return Grid(headings, rows, without) if rows else None


def _row(run: Run, kept: Kept, settings: tuple[Setting, ...], prompt: dict[str, str], answered: bool) -> Row | None:
    import pandas

    name = prompt["name"]
    tables = [run.rows.loc[setting.rows] for setting in settings]
    tables = [table[table["prompt"] == name] for table in tables]
    chosen = median_person(kept, pandas.concat(tables)) if all(map(len, tables)) else None
    if chosen is None:
        return None
    source, choice = chosen
    pictures: list[np.ndarray | None] = [run.sources("images")[source], run.sources("reconstructions")[source]]
    successes = [False, False]
    for table in tables:
        cell = table[table["source"] == source].iloc[0]
        pictures.append(kept.image(str(cell["chunk"]), source))
        successes.append(bool(cell["success"]))
    if answered:
        counterfactuals = run.counterfactual(name, "images")
        pictures.append(None if counterfactuals is None else counterfactuals[source])
        successes.append(False)
    return Row(prompt["target"], source, choice, pictures, successes)


def pages(grid: Grid) -> list[Grid]:
    """The rows in as few pages as leave pictures of a readable size, about equally many on each."""
    counts = range(1, len(grid.rows) + 1)
    most = next((n for n in counts if _layout(grid, -(-len(grid.rows) // n))[1] >= READABLE_IN), len(grid.rows))
    each = -(-len(grid.rows) // most)
    parts = [grid.rows[first : first + each] for first in range(0, len(grid.rows), each)]
    return [Grid(grid.headings, rows, grid.without if number == 0 else []) for number, rows in enumerate(parts)]


def qualitative_figure(grid: Grid) -> Figure:
    """One page of a grid, in one or two panels side by side, whichever shows larger pictures."""
    across, size = _layout(grid, len(grid.rows))
    down = -(-len(grid.rows) // across)
    letters = int(size / LETTER_IN)
    head = LINE_IN * max(wrapped(text, letters).count("\n") + 1 for text, _ in grid.headings) + 0.04
    width, pitch = len(grid.headings) * (size + GAP_IN) - GAP_IN, NAME_IN + size + GAP_IN
    axes = canvas(across * width + (across - 1) * PANEL_GAP_IN + 0.02, head + down * pitch)
    for number, row in enumerate(grid.rows):
        left = 0.01 + number // down * (width + PANEL_GAP_IN)
        top = head + number % down * pitch
        if number % down == 0:
            _draw_headings(axes, grid, left, head, size, letters)
        axes.text(left, top + NAME_IN - 0.02, f"“{row.title}”", fontsize=SMALL_PT, weight="bold", va="bottom")
        for place, (picture, success) in enumerate(zip(row.pictures, row.successes, strict=True)):
            draw_image(axes, (left + place * (size + GAP_IN), top + NAME_IN, size), picture, MARK if success else "")
    figure = axes.figure.get_figure(root=True)
    return figure


def _layout(grid: Grid, rows: int) -> tuple[int, float]:
    """Panels side by side and the side of a picture, for so many rows on a page."""
    return max(((across, _size(grid, rows, across)) for across in (1, 2)[:rows]), key=lambda layout: layout[1])


def _size(grid: Grid, rows: int, across: int) -> float:
    room = (TWO_COLUMNS_IN - PANEL_GAP_IN * (across - 1)) / across
    widest = room / len(grid.headings) - GAP_IN
    return min(widest, HIGHEST_IN / -(-rows // across) - NAME_IN - GAP_IN, LARGEST_IN)


def _draw_headings(axes: Axes, grid: Grid, left: float, bottom: float, size: float, letters: int) -> None:
    for place, (text, colour) in enumerate(grid.headings):
        x = left + place * (size + GAP_IN) + size / 2
        axes.text(
            x,
            bottom - 0.02,
            wrapped(text, letters),
            fontsize=SMALL_PT,
            color=colour,
            ha="center",
            va="bottom",
            linespacing=1.0,
        )
