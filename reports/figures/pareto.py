"""Effect against what it costs: one line an editor, one point an effect at which all are compared."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eval.metrics.book import Metric
from eval.runs.reader import Run
from eval.statistics import Interval
from reports.equal_effect.curves import EFFECT, Curve, Pareto, pareto
from reports.equal_effect.prompts import Matched
from reports.figures.labels import MOST_EDITORS, left_out
from reports.writers.layout import interval_text
from reports.writers.style import (
    INK,
    SMALL_PT,
    TITLE_PT,
    TWO_COLUMNS_IN,
    axes_at,
    colours,
    new_figure,
    note_below,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT_IN, TOP_IN, PLOT_IN, GAP_IN, BOTTOM_IN, RIGHT_IN = 0.45, 0.28, 1.75, 0.5, 0.42, 0.08
LINE_IN = 0.135  # one line of text below the plots
LEGEND_LETTERS = 30  # in a line of a label below a plot


def pareto_figure(run: Run) -> Figure | None:
    """Three panels, or two where no counterfactuals are known; below each the area under every curve."""
    found = pareto(Matched(run)) if run.matched else None
    if found is None:
        return None
    there = len(found.curves)
    found = replace(found, curves=found.curves[:MOST_EDITORS])
    palette = colours(run.editors)
    labels = [_labels(found, axis, run.effect_unit) for axis in found.axes]
    lines = max(sum(text.count("\n") + 1 for text, _ in column) for column in labels)
    figure = new_figure(TWO_COLUMNS_IN, TOP_IN + PLOT_IN + BOTTOM_IN + lines * LINE_IN + 0.05)
    width = (TWO_COLUMNS_IN - LEFT_IN - RIGHT_IN - (len(found.axes) - 1) * GAP_IN) / len(found.axes)
    for place, (axis, column) in enumerate(zip(found.axes, labels, strict=True)):
        axes = axes_at(figure, LEFT_IN + place * (width + GAP_IN), TOP_IN, width, PLOT_IN)
        _draw(axes, found, axis, palette)
        _write_areas(axes, column, palette)
    note_below(figure, left_out("editors", len(found.curves), there))
    return figure


def _draw(axes: Axes, found: Pareto, axis: Metric, palette: dict[str, str]) -> None:
    for curve in found.curves:
        _draw_curve(axes, curve, axis, "o-", palette[curve.editor])
    for curve in found.floors:
        _draw_curve(axes, curve, axis, "X", palette[curve.editor])
    if found.oracle is not None:
        _draw_curve(axes, found.oracle, axis, "*", INK)
    axes.set_title(axis.title, loc="left", fontsize=TITLE_PT, pad=4)
    axes.set_xlabel("target effect (σ)")
    axes.set_xlim(left=-0.1)
    if axis.name != "identity":
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.4)
    axes.set_axisbelow(True)


def _draw_curve(axes: Axes, curve: Curve, axis: Metric, style: str, colour: str) -> None:
    effects, values = ([point[column] for point in curve.points] for column in (EFFECT, axis.name))
    options: dict[str, Any] = {"color": colour, "markersize": 7 if style == "*" else 4, "linewidth": 1.0}
    axes.errorbar(
        [_place(effect) for effect in effects],
        [_place(value) for value in values],
        xerr=_arms(effects),
        yerr=_arms(values),
        fmt=style,
        elinewidth=0.7,
        markeredgecolor="white",
        markeredgewidth=0.4,
        **options,
    )


def _place(value: Interval) -> float:
    """The mean; NaN, which is not drawn, without one."""
    return math.nan if value.mean is None else value.mean


def _arms(values: list[Interval]) -> list[list[float]]:
    """Distances from the means down and up; 0 without an interval."""
    down = [0.0 if v.low is None or v.mean is None else max(v.mean - v.low, 0.0) for v in values]
    up = [0.0 if v.high is None or v.mean is None else max(v.high - v.mean, 0.0) for v in values]
    return [down, up]


def _labels(found: Pareto, axis: Metric, unit: str) -> list[tuple[str, str]]:
    """Text and editor of the lines below a plot."""
    prompts = f"{len(found.prompts)} prompt{'s' * (len(found.prompts) > 1)}:"
    span = f"mean height, {found.goals[0]:g} to {found.goals[-1]:g}\n{unit}, "
    lines = [((span if len(found.goals) > 1 else "") + prompts, "")]
    for curve in found.curves:
        area = f" {interval_text(curve.areas[axis.name], axis.digits)}" if axis.name in curve.areas else ""
        lines.append((wrapped(f"● {curve.editor}{area}", LEGEND_LETTERS), curve.editor))
    lines += [(wrapped(f"✖ {curve.editor} (floor)", LEGEND_LETTERS), curve.editor) for curve in found.floors]
    return lines + ([("★ oracle (ceiling)", "oracle")] if found.oracle is not None else [])


def _write_areas(axes: Axes, labels: list[tuple[str, str]], palette: dict[str, str]) -> None:
    below_in = BOTTOM_IN
    for text, editor in labels:
        axes.annotate(
            text,
            (0, -below_in / PLOT_IN),
            xycoords="axes fraction",
            fontsize=SMALL_PT,
            color=palette.get(editor, INK),
            va="top",
            linespacing=1.0,
            annotation_clip=False,
        )
        below_in += LINE_IN * (text.count("\n") + 1)
