"""Fréchet distance against 1/N: how much of each distance is the smallness of the set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eval.runs.reader import ORACLE, Run
from reports.pool import COUNTERFACTUAL, INVERSION
from reports.tables.frechet import NAME, SIZES_NAME
from reports.writers.layout import Table, Value
from reports.writers.style import FAINT, INK, ONE_COLUMN_IN, SMALL_PT, TITLE_PT, axes_at, colours, new_figure, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT_IN, TOP_IN, PLOT_IN, BOTTOM_IN, RIGHT_IN = 0.5, 0.28, 2.0, 0.45, 0.9
LABEL_LETTERS = 16
STYLES: dict[str, tuple[str, str]] = {ORACLE: (INK, "*"), INVERSION: (FAINT, "s")}  # colour, marker


def frechet_figure(run: Run, tables: Mapping[str, Table]) -> Figure | None:
    """One line an editor at its headline strength, the oracle and the inversion; ○ is what each tends to.

    Args:
        run: opened.
        tables: by name; without ``frechet`` and ``frechet_sizes`` there is no figure.
    """
    if SIZES_NAME not in tables or NAME not in tables:
        return None
    points, limits = (tables[name].data for name in (SIZES_NAME, NAME))
    wanted = {(setting.editor, setting.kind, setting.strength) for setting in run.headlines}
    wanted |= {(ORACLE, "reference", ""), (INVERSION, "reference", "")}
    lines: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for row in points:
        key = _key(row)
        if key in wanted and key[0] != COUNTERFACTUAL:
            lines.setdefault(key, []).append((1 / float(row["n"] or 1), float(row["distance"] or 0)))
    if not lines:
        return None
    name = run.manifest["frechet_name"]
    ends = {_key(row): row[f"{name}_extrapolated"] for row in limits}
    figure = new_figure(ONE_COLUMN_IN + 0.6, TOP_IN + PLOT_IN + BOTTOM_IN)
    axes = axes_at(figure, LEFT_IN, TOP_IN, ONE_COLUMN_IN + 0.6 - LEFT_IN - RIGHT_IN, PLOT_IN)
    palette = colours(run.editors)
    labels = []
    for key, line in lines.items():
        colour, marker = STYLES.get(key[0], (palette.get(key[0], INK), "o"))
        limit = math.nan if ends.get(key) is None else float(ends[key] or 0)
        _draw(axes, sorted(line), limit, colour, marker)
        labels.append((max(line)[1], key[0], colour))
    _frame(axes, name, sorted({round(1 / x) for line in lines.values() for x, _ in line}))
    _label(axes, labels)
    return figure


def _key(row: Mapping[str, Value]) -> tuple[str, ...]:
    return tuple(str(row[name] or "") for name in ("editor", "kind", "strength"))


def _draw(axes: Axes, line: list[tuple[float, float]], limit: float, colour: str, marker: str) -> None:
    options: dict[str, Any] = {"color": colour, "markersize": 3.5, "markeredgecolor": "white", "markeredgewidth": 0.4}
    axes.plot(*zip(*line, strict=True), marker=marker, linewidth=1.0, **options)
    if not math.isnan(limit):
        # The line of least squares, which passes through the centroid of its points.
        centre_x, centre_y = (sum(values) / len(line) for values in zip(*line, strict=True))
        end = line[-1][0]
        height = limit + (centre_y - limit) / centre_x * end
        axes.plot([0, end], [limit, height], linestyle=":", linewidth=0.7, color=colour)
        axes.plot([0], [limit], "o", markersize=4, markerfacecolor="white", markeredgecolor=colour, clip_on=False)


def _frame(axes: Axes, name: str, sizes: list[int]) -> None:
    shown = [size for i, size in enumerate(sizes) if i in (0, 1, 3, len(sizes) - 1)]
    axes.set_xticks([0, *(1 / size for size in shown)])
    axes.set_xticklabels(["∞", *(str(size) for size in shown)])
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_xlabel("pictures N, spaced as 1/N;  ○ extrapolated")
    axes.set_title(f"{name} to the counterfactuals ↓", loc="left", fontsize=TITLE_PT, pad=4)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.4)
    axes.set_axisbelow(True)


def _label(axes: Axes, labels: list[tuple[float, str, str]]) -> None:
    """Names at the right ends of the lines, from the top, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    step = (high - low) * SMALL_PT * 1.15 / 72 / PLOT_IN
    placed = math.inf
    for value, name, colour in sorted(labels, reverse=True):
        text = wrapped(name, LABEL_LETTERS)
        lines = text.count("\n") + 1
        place = min(value, placed - step * (lines + 1) / 2)
        placed = place - step * (lines - 1) / 2
        options: dict[str, Any] = {"fontsize": SMALL_PT, "color": colour, "va": "center", "linespacing": 1.0}
        axes.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), annotation_clip=False, **options)
