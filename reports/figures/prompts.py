"""Editors x prompts: success and preservation, to see at a glance which prompts are hard for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.runs.reader import Run, Setting
from reports.figures.heatmap import draw_rates
from reports.figures.labels import MOST_PROMPTS, left_out
from reports.figures.pictures.grid import chosen_prompts
from reports.tables.prompts import MASTERED_PRESERVATION, MASTERED_SUCCESS, PromptResult, prompt_results
from reports.writers.style import TWO_COLUMNS_IN, axes_at, colours, new_figure, note_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOP_IN, GAP_IN, BOTTOM_IN, RIGHT_IN, ROW_IN = 0.8, 0.3, 0.25, 0.45, 0.22  # top, right: at least, for slanted names
SLANTED_IN = 0.042  # height and width that a letter of a slanted name takes
LETTER_IN, TITLE_IN = 0.066, 4.2  # width of a letter, of the longest title
WIDEST_CELL_IN = 0.5
MEASURES = (
    # column, title, rates at the ends of the colours, threshold
    (
        "success",
        f"success{{}} (% of eligible edits; bold from {100 * MASTERED_SUCCESS:.0f})",
        (0.0, 1.0),
        MASTERED_SUCCESS,
    ),
    (
        "preservation",
        f"preservation{{}} (% of the other visible factors; bold from {100 * MASTERED_PRESERVATION:.0f})",
        (0.5, 1.0),
        MASTERED_PRESERVATION,
    ),
)


def published_and_calibrated(run: Run) -> list[Setting]:
    """Every editor at its published and at its calibrated strength; where it has neither, at its headline setting."""
    shown: list[Setting] = []
    for headline in run.headlines:
        mine = [setting for setting in run.settings if setting.editor == headline.editor]
        shown += [setting for setting in mine if setting.kind in ("default", "calibrated")] or [headline]
    return shown


def prompts_figure(run: Run) -> Figure:
    """Two heat maps, success above preservation, each editor at its published and its calibrated strength."""
    names = [prompt["name"] for prompt in chosen_prompts(run, MOST_PROMPTS)]
    settings = published_and_calibrated(run)
    results = [{result.prompt: result for result in prompt_results(run, setting, names)} for setting in settings]
    labels = [setting.label for setting in settings]
    kinds = {setting.kind for setting in settings}
    where = ""
    if len(kinds) == 1 and kinds != {"given"}:  # said once, below
        labels = [setting.editor for setting in settings]
        where = f" at {kinds.pop()} strength"
    labels = [_short(label) for label in labels]
    plot, left = len(labels) * ROW_IN, LETTER_IN * max(len(line) for label in labels for line in label.splitlines())
    slanted = SLANTED_IN * max(map(len, names))
    top, right = max(TOP_IN, slanted + 0.1), max(RIGHT_IN, slanted - 0.1)
    width = min(TWO_COLUMNS_IN - left - right, WIDEST_CELL_IN * len(names))
    figure = new_figure(max(left + width + right, left + TITLE_IN), top + 2 * plot + GAP_IN + BOTTOM_IN)
    colour = colours(run.editors)
    palette = [colour[setting.editor] for setting in settings]
    for number, (measure, title, limits, threshold) in enumerate(MEASURES):
        axes = axes_at(figure, left, top + number * (plot + GAP_IN), width, plot)
        values = [[_rate(row.get(name), measure) for name in names] for row in results]
        draw_rates(axes, values, labels, names if number == 0 else (), title.format(where), limits, threshold)
        _tint(axes, palette)
    note_below(figure, left_out("prompts", len(names), len(run.prompts)))
    return figure


def _rate(result: PromptResult | None, measure: str) -> float | None:
    return None if result is None else (result.success if measure == "success" else result.preservation).mean


def _short(label: str) -> str:
    """A name that fits the margin on two lines."""
    return label.replace("[", "\n[", 1) if len(label) > 22 else label


def _tint(axes: Axes, palette: list[str]) -> None:
    for label, colour in zip(axes.get_yticklabels(), palette, strict=True):
        label.set(color=colour, linespacing=0.95)
