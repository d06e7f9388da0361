"""Time an edit over the number of images: what set-up and training weigh, and where lines cross."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.equal_effect.prompts import is_control
from reports.tables.runtime import Cost
from reports.writers.style import (
    FAINT,
    SMALL_PT,
    TITLE_PT,
    TWO_COLUMNS_IN,
    axes_at,
    colours,
    new_figure,
    spread_labels,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT_IN, TOP_IN, PLOT_IN, BOTTOM_IN, NAMES_IN, GAP_IN = 0.62, 0.25, 2.1, 0.42, 0.8, 0.25
MOST_IMAGES = 100_000
NAME_LETTERS = 14
PLACES = {
    **{
        1e-6: "1 µs",
        1e-5: "10 µs",
        1e-4: "0.1 ms",
        1e-3: "1 ms",
        1e-2: "10 ms",
        1e-1: "0.1 s",
        1.0: "1 s",
        10.0: "10 s",
    },
    **{60.0: "1 min", 600.0: "10 min", 3600.0: "1 h", 36000.0: "10 h", 360000.0: "100 h"},
}


def amortised_figure(costs: Mapping[str, Cost], prompts: Sequence[int]) -> Figure | None:
    """One panel for each number of prompts; None if no editor's times are known.

    Args:
        costs: of every editor; those with a missing time and controls are left out.
        prompts: one panel each.
    """
    palette = colours(costs)
    known = {editor: cost for editor, cost in costs.items() if cost.known and not is_control(editor)}
    if not known:
        return None
    figure = new_figure(TWO_COLUMNS_IN, TOP_IN + PLOT_IN + BOTTOM_IN)
    width = (TWO_COLUMNS_IN - LEFT_IN - NAMES_IN - GAP_IN * (len(prompts) - 1)) / len(prompts)
    images = np.geomspace(1, MOST_IMAGES, 201)
    curves = [{editor: _curve(cost, count, images) for editor, cost in known.items()} for count in prompts]
    heights = np.concatenate([line for panel in curves for line in panel.values()])
    limits = heights[heights > 0].min() / 2, heights.max() * 2
    for place, (count, panel) in enumerate(zip(prompts, curves, strict=True)):
        axes = axes_at(figure, LEFT_IN + place * (width + GAP_IN), TOP_IN, width, PLOT_IN)
        for editor, line in panel.items():
            axes.plot(images, line, color=palette[editor], linewidth=1.3)
        _frame(axes, limits, named=place == 0)
        axes.set_title(f"{count} prompt{'s' * (count > 1)}", loc="left", fontsize=TITLE_PT, weight="bold", pad=4)
        if place == len(prompts) - 1:
            _name(axes, {editor: float(line[-1]) for editor, line in panel.items()}, palette)
    return figure


def _curve(cost: Cost, prompts: int, images: np.ndarray) -> np.ndarray:
    line: np.ndarray = ((cost.set_up or 0.0) / prompts + (cost.per_prompt or 0.0)) / images + (cost.per_edit or 0.0)
    return line


def _frame(axes: Axes, limits: tuple[float, float], named: bool) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set(xscale="log", yscale="log", xlim=(1, MOST_IMAGES), ylim=limits, xlabel="images of each prompt")
    shown = [place for place in PLACES if limits[0] <= place <= limits[1]]
    axes.yaxis.set_major_locator(FixedLocator(shown))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticklabels([PLACES[place] if named else "" for place in shown])
    axes.set_xticks([1, 10, 100, 1000, 10_000, 100_000], ["1", "10", "100", "1,000", "10⁴", "10⁵"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(color="#DDDDDD", linewidth=0.4)
    axes.set_axisbelow(True)
    if named:
        axes.set_ylabel("time an edit")


def _name(axes: Axes, ends: Mapping[str, float], palette: Mapping[str, str]) -> None:
    """Names beside the ends of the lines, pushed apart."""
    low, high = np.log(axes.get_ylim())
    heights = {editor: float((np.log(max(end, np.exp(low))) - low) / (high - low)) for editor, end in ends.items()}
    texts = {editor: wrapped(editor, NAME_LETTERS) for editor in ends}
    places = spread_labels(heights, {editor: (text.count("\n") + 1.3) * 0.062 for editor, text in texts.items()})
    for editor, text in texts.items():
        axes.annotate(
            text,
            (1.0, heights[editor]),
            xytext=(1.06, places[editor]),
            xycoords="axes fraction",
            textcoords="axes fraction",
            fontsize=SMALL_PT,
            color=palette.get(editor, FAINT),
            va="center",
            linespacing=1.0,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": palette.get(editor, FAINT),
                "linewidth": 0.5,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
