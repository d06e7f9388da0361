"""Success against preservation: what an editor does, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eval.runs.reader import KINDS, Run, Setting
from eval.statistics import Interval
from reports.means import eligible, means_of
from reports.tables.prompts import MASTERED_PRESERVATION, MASTERED_SUCCESS, prompt_means
from reports.writers.style import (
    FAINT,
    INK,
    KIND_MARKERS,
    ONE_COLUMN_IN,
    SMALL_PT,
    axes_at,
    colours,
    new_figure,
    spread_labels,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_IN = 2.9
PLOT_IN = (0.45, 0.3, 2.02, 2.15)  # left, top, width, height; labels stand to the right of it
LINE_STEP = 0.052  # height of one line of a label, as a share of the plot


def scatter_figure(run: Run) -> Figure:
    """One large point a setting with its intervals; one small point a prompt at the editor's headline setting."""
    figure = new_figure(ONE_COLUMN_IN, HEIGHT_IN)
    axes = axes_at(figure, *PLOT_IN)
    palette = colours(run.editors)
    points: dict[str, dict[str, tuple[float, float]]] = {}
    lows = [MASTERED_PRESERVATION]
    for setting in run.settings:
        colour = palette[setting.editor]
        point = _draw_setting(run, axes, setting, colour)
        if setting in run.headlines:
            lows += _draw_prompts(run, axes, setting, colour)
        if point:
            points.setdefault(setting.editor, {})[setting.kind] = point
    for editor, places in points.items():
        axes.plot(*zip(*places.values(), strict=True), color=palette[editor], linewidth=0.7, zorder=3)
    _frame(axes, min([*lows, *(x for places in points.values() for x, _ in places.values())]))
    labelled = [setting for setting in run.headlines if setting.editor in points]
    _label_right(axes, {setting.editor: points[setting.editor][setting.kind] for setting in labelled}, palette)
    _explain_markers(axes, run)
    return figure


def _draw_prompts(run: Run, axes: Axes, setting: Setting, colour: str) -> list[float]:
    """Small points; returns the preservation and success of each."""
    means = prompt_means(run.rows.loc[setting.rows])
    xs: list[float] = means["preservation"].tolist()
    ys: list[float] = means["success"].tolist()
    axes.scatter(xs, ys, s=7, marker=KIND_MARKERS[setting.kind], color=colour, alpha=0.4, linewidths=0, zorder=2)
    return xs


def _draw_setting(run: Run, axes: Axes, setting: Setting, colour: str) -> tuple[float, float] | None:
    cells = eligible(run.rows.loc[setting.rows, ["prompt", "source", "eligible", "preservation", "success"]])
    preservation, success = means_of(cells, ("preservation", "success")).values()
    if preservation.mean is None or success.mean is None:
        return None
    axes.errorbar(
        preservation.mean,
        success.mean,
        xerr=_arms(preservation),
        yerr=_arms(success),
        fmt=KIND_MARKERS[setting.kind],
        markersize=6,
        color=colour,
        markeredgecolor="white",
        markeredgewidth=0.6,
        elinewidth=1.0,
        zorder=4,
    )
    return preservation.mean, success.mean


def _arms(value: Interval) -> list[list[float]] | None:
    """Distances from the mean down and up; None without an interval."""
    if value.mean is None or value.low is None or value.high is None:
        return None
    return [[max(value.mean - value.low, 0.0)], [max(value.high - value.mean, 0.0)]]


def _frame(axes: Axes, lowest: float) -> None:
    axes.set_xlim(max(min(lowest, 0.8) - 0.03, -0.02), 1.012)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("preservation (share of other factors unchanged)")
    axes.set_ylabel("success (share of edits that show the value)")
    axes.fill_between(
        [MASTERED_PRESERVATION, 1.2], MASTERED_SUCCESS, 1.2, color="#009E73", alpha=0.12, linewidth=0, zorder=0
    )
    style: dict[str, Any] = {"fontsize": SMALL_PT, "color": "#00694D", "ha": "left", "va": "top"}
    axes.text(
        MASTERED_PRESERVATION + 0.004, MASTERED_SUCCESS - 0.008, "mastered", **style
    )  # below it, where points are few


def _label_right(axes: Axes, points: dict[str, tuple[float, float]], palette: dict[str, str]) -> None:
    """Names in the margin at the height of their point, pushed apart, a hair line to the point."""
    bottom, top = axes.get_ylim()
    texts = {editor: wrapped(editor, 11) for editor in points}
    heights = {editor: (text.count("\n") + 1.4) * LINE_STEP for editor, text in texts.items()}
    wanted = {editor: (points[editor][1] - bottom) / (top - bottom) for editor in points}
    places = spread_labels(wanted, heights)
    for editor in points:
        axes.annotate(
            texts[editor],
            points[editor],
            xytext=(1.06, places[editor]),
            textcoords="axes fraction",
            fontsize=SMALL_PT,
            color=palette[editor],
            va="center",
            linespacing=1.0,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": palette[editor],
                "linewidth": 0.5,
                "shrinkA": 1,
                "shrinkB": 4,
                "relpos": (0, 0.5),
            },
        )


def _explain_markers(axes: Axes, run: Run) -> None:
    from matplotlib.lines import Line2D

    kinds = [kind for kind in KINDS if any(setting.kind == kind for setting in run.settings)]
    handles = [Line2D([], [], linestyle="", marker=KIND_MARKERS[kind], color=INK, markersize=5) for kind in kinds]
    headline = KIND_MARKERS[run.headlines[0].kind]
    small = Line2D([], [], linestyle="", marker=headline, color=FAINT, markersize=2.5)
    axes.legend(
        [*handles, small],
        [*(f"{kind} strength" if kind == kinds[-1] else kind for kind in kinds), "a prompt"],
        loc="lower left",
        bbox_to_anchor=(-0.12, 1.0),
        ncols=len(kinds) + 1,
        frameon=False,
        handletextpad=0.1,
        columnspacing=0.8,
    )
