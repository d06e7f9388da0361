"""Target x attribute flip rates: what else changes when one thing is edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.runs.reader import Run, Setting
from reports.figures.heatmap import draw_rates
from reports.figures.labels import left_out, shortened
from reports.figures.prompts import published_and_calibrated
from reports.tables.attributes import attribute_entries
from reports.writers.style import TITLE_PT, TWO_COLUMNS_IN, axes_at, colours, new_figure, note_below

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT_IN, TOP_IN, BOTTOM_IN, PANEL_GAP_IN, RIGHT_IN, ROW_IN = 0.85, 0.88, 0.28, 0.12, 0.45, 0.2
UNEDITED = "identity"
LABEL = "flips of the column by edits of the row (% of edits)"
PAGE_IN = 9.0  # height of a page with room for a caption
LONGEST_TITLE = 38  # letters over a panel
HIGHEST = 0.5  # a flip rate of one half takes the darkest colour, so that a tenth can be told from nothing


def attributes_figure(run: Run) -> Figure:
    """One heat map an editor and strength, the published one beside the calibrated; one an editor if a page is full.

    The control that edits nothing is left out: nothing flips.
    """
    factors = list(run.factors)
    edited = {prompt["attribute"] for prompt in run.prompts}
    targets = [factor for factor in factors if factor in edited]
    plot = len(targets) * ROW_IN
    panel = TOP_IN + plot + BOTTOM_IN
    settings = _edited(published_and_calibrated(run))
    if -(-len(settings) // 2) * panel > PAGE_IN:
        settings = _edited(list(run.headlines))
    there, settings = len(settings), settings[: max(2, 2 * int(PAGE_IN / panel))]
    across = min(2, len(settings))
    down = -(-len(settings) // across)
    width = (TWO_COLUMNS_IN - LEFT_IN - 2 * RIGHT_IN - PANEL_GAP_IN) / 2
    figure = new_figure(LEFT_IN + across * (width + RIGHT_IN) + (across - 1) * PANEL_GAP_IN, down * panel)
    palette = colours(run.editors)
    for number, setting in enumerate(settings):
        left = LEFT_IN + number % across * (width + RIGHT_IN + PANEL_GAP_IN)
        top = number // across * panel
        axes = axes_at(figure, left, top + TOP_IN, width, plot)
        rates = {(entry.target, entry.attribute): entry.flip_rate.mean for entry in attribute_entries(run, setting)}
        values = [[rates.get((target, factor)) for factor in factors] for target in targets]
        names = [target.replace("_", " ") for target in targets] if number % across == 0 else ()
        columns = [factor.replace("_", " ") for factor in factors]
        draw_rates(axes, values, names, columns, LABEL, (0.0, HIGHEST))
        x, y = left / figure.get_size_inches()[0], 1 - (top + 0.06) / figure.get_size_inches()[1]
        title = shortened(setting.label, LONGEST_TITLE, LONGEST_TITLE)
        figure.text(x, y, title, color=palette[setting.editor], fontsize=TITLE_PT, weight="bold", va="top")
    note_below(figure, left_out("editors", len(settings), there))
    return figure


def _edited(settings: list[Setting]) -> list[Setting]:
    return [setting for setting in settings if setting.editor.split("[")[0] != UNEDITED] or settings
