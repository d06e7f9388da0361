"""The edits themselves: some prompts, the same persons under every editor, the counterfactual beside them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eval.runs.reader import Run, Setting
from reports.figures.pictures.kept import COUNTERFACTUAL, canvas
from reports.writers.style import FAINT, INK, SMALL_PT, TITLE_PT, TWO_COLUMNS_IN, colours, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PROMPTS = 6
NARROW_EDITORS = 3  # up to this many editors, two panels stand side by side
ROWS = {2: 4, 1: 2}  # panels side by side -> persons a prompt, so that six prompts fit a page
LARGEST_IN = {2: 0.6, 1: 0.52}  # side of an image, likewise
GAP_IN, TITLE_IN, PANEL_GAP_IN, FOOT_IN = 0.03, 0.22, 0.14, 0.3
LINE_IN = 0.115  # height of a line of the column headings
LETTER_IN = 0.06  # width of a letter of them
MARK = "✓"
MARKED = f"{MARK}: the edit is a success."


class Column(NamedTuple):
    """One column of a panel: heading, its colour, images by source row, sources where the edit is a success."""

    heading: str
    colour: str
    images: dict[int, np.ndarray]
    successes: set[int]


class Panel(NamedTuple):
    """One prompt: its text, columns from left to right, source rows from top to bottom."""

    title: str
    columns: list[Column]
    persons: list[int]


def grid_figure(run: Run) -> Figure | None:
    """Panels of (original, inversion, editors, counterfactual); None if the run kept no image that can be shown.

    No picking: the prompts are the first of each attribute, the persons the first kept ones that the prompt is for.
    """
    panels = [_panel(run, prompt) for prompt in chosen_prompts(run)]
    panels = [panel for panel in panels if panel.persons]
    if not panels:
        return None
    across = 2 if len(run.headlines) <= NARROW_EDITORS and len(panels) > 1 else 1
    rows, columns = ROWS[across], max(len(panel.columns) for panel in panels)
    room = (TWO_COLUMNS_IN - PANEL_GAP_IN * (across - 1)) / across
    size = min(room / columns - GAP_IN, LARGEST_IN[across])
    letters = int((size + GAP_IN) / LETTER_IN)
    lines = max(wrapped(column.heading, letters).count("\n") + 1 for panel in panels for column in panel.columns)
    width, height = columns * (size + GAP_IN), TITLE_IN + rows * (size + GAP_IN) + PANEL_GAP_IN
    down = -(-len(panels) // across)
    axes = canvas(across * (width + PANEL_GAP_IN) - PANEL_GAP_IN, LINE_IN * lines + down * height + FOOT_IN)
    for number, panel in enumerate(panels):
        corner = (number % across * (width + PANEL_GAP_IN), LINE_IN * lines + number // across * height)
        _draw_panel(axes, corner, size, panel, rows, letters if number < across else None)
    note = f"{MARKED} Persons: the first {rows} kept images that a prompt is for."
    note = textwrap.fill(note, int(axes.get_xlim()[1] / LETTER_IN))
    axes.text(0.02, axes.get_ylim()[0] - 0.04, note, fontsize=SMALL_PT, va="bottom", linespacing=1.1)
    figure = axes.figure.get_figure(root=True)
    return figure


def chosen_prompts(run: Run, most: int = PROMPTS) -> list[dict[str, str]]:
    """The first prompt of each attribute, then the others, in the order of the set, as many as there is room for."""
    attributes: set[str] = set()
    first: list[dict[str, str]] = []
    others: list[dict[str, str]] = []
    for prompt in run.prompts:
        (others if prompt["attribute"] in attributes else first).append(prompt)
        attributes.add(prompt["attribute"])
    chosen = {prompt["name"] for prompt in [*first, *others][:most]}
    return [prompt for prompt in run.prompts if prompt["name"] in chosen]


def _panel(run: Run, prompt: dict[str, str]) -> Panel:
    name, palette = prompt["name"], colours(run.editors)
    columns = [
        Column("original", INK, dict(enumerate(run.sources("images"))), set()),
        Column("inversion", INK, dict(enumerate(run.sources("reconstructions"))), set()),
        *(_editor_column(run, setting, name, palette[setting.editor]) for setting in run.headlines),
    ]
    counterfactuals = run.counterfactual(name, "images")
    if counterfactuals is not None:
        columns.append(Column(COUNTERFACTUAL, INK, dict(enumerate(counterfactuals)), set()))
    cells = run.rows.loc[run.headlines[0].rows]
    eligible = set(cells.loc[(cells["prompt"] == name) & cells["eligible"].astype(bool), "source"].astype(int))
    shared = set.intersection(eligible, *(set(column.images) for column in columns))
    return Panel(prompt["target"], columns, sorted(shared))


def _editor_column(run: Run, setting: Setting, prompt: str, colour: str) -> Column:
    cells = run.rows.loc[setting.rows]
    cells = cells[cells["prompt"] == prompt]
    images: dict[int, np.ndarray] = {}
    for chunk in cells["chunk"].unique():
        kept = run.chunk_array(chunk, "kept")
        if len(kept):
            images.update(zip(map(int, kept), run.chunk_array(chunk, "images"), strict=True))
    return Column(setting.editor, colour, images, set(cells.loc[cells["success"].astype(bool), "source"].astype(int)))


def _draw_panel(
    axes: Axes, corner: tuple[float, float], size: float, panel: Panel, rows: int, heading_letters: int | None
) -> None:
    left, top = corner
    title_top = top - (LINE_IN if heading_letters is None else 0)
    axes.text(left + 0.02, top + TITLE_IN - 0.05, f"“{panel.title}”", fontsize=TITLE_PT, weight="bold")
    for place, column in enumerate(panel.columns):
        x = left + place * (size + GAP_IN) + GAP_IN / 2
        if heading_letters is not None:
            text = wrapped(column.heading, heading_letters)
            style: dict[str, Any] = {"color": column.colour, "ha": "center", "va": "bottom", "linespacing": 1.0}
            axes.text(x + size / 2, title_top, text, fontsize=SMALL_PT, **style)
        for row, person in enumerate(panel.persons[:rows]):
            y = top + TITLE_IN + row * (size + GAP_IN)
            _draw_image(axes, (x, y, size), column.images[person], person in column.successes)


def _draw_image(axes: Axes, place: tuple[float, float, float], image: np.ndarray, success: bool) -> None:
    from matplotlib.patches import Rectangle

    x, y, size = place
    axes.imshow(image, extent=(x, x + size, y + size, y), interpolation="nearest", aspect="auto")
    axes.add_patch(Rectangle((x, y), size, size, fill=False, linewidth=0.4, edgecolor=FAINT))
    if success:
        box = {"boxstyle": "square,pad=0.08", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.text(x + size - 0.02, y + 0.03, MARK, fontsize=SMALL_PT, ha="right", va="top", bbox=box)
