"""What each editor costs: once per generator, once per prompt, once per edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.runs.reader import Run
from reports.tables.runtime import cost_of, edits_of, fits_of, middle_half
from reports.writers.style import FAINT, INK, SMALL_PT, TITLE_PT, TWO_COLUMNS_IN, axes_at, colours, new_figure, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT_IN, TOP_IN, BOTTOM_IN, GAP_IN, ROW_IN = 1.25, 0.25, 0.3, 0.42, 0.28
PANELS = ("set-up", "per prompt", "per edit")
CROWDED = 1e5  # limits further apart leave no room for a tick at 0.1 s
DECADES_BELOW = 0.5  # a bar of the shortest time is still seen


def runtime_figure(run: Run) -> Figure:
    """Three groups of bars over one logarithmic scale of seconds, the durations printed.

    Lines: the middle half of the prompts, and of the chunks.
    """
    costs = [cost_of(run, editor) for editor in run.editors]
    columns = [[getattr(cost, name) for cost in costs] for name in ("set_up", "per_prompt", "per_edit")]
    measured = [seconds for column in columns for seconds in column if seconds]
    limits = (min(measured, default=1e-3) / 10**DECADES_BELOW, max(measured, default=1.0) * 30)
    plot = len(costs) * ROW_IN
    spreads: list[list[tuple[float, float] | None]] = [
        [None] * len(costs),
        [middle_half([seconds for seconds in fits_of(run, editor) if seconds]) for editor in run.editors],
        [middle_half(edits_of(run, editor)) for editor in run.editors],
    ]
    figure = new_figure(TWO_COLUMNS_IN, TOP_IN + plot + BOTTOM_IN)
    width = (TWO_COLUMNS_IN - LEFT_IN - 2 * GAP_IN - 0.1) / 3
    for number, (title, seconds, spread) in enumerate(zip(PANELS, columns, spreads, strict=True)):
        axes = axes_at(figure, LEFT_IN + number * (width + GAP_IN), TOP_IN, width, plot)
        _draw_bars(axes, seconds, limits, list(colours(run.editors).values()))
        _draw_spreads(axes, spread)
        axes.set_title(title, loc="left", fontsize=TITLE_PT, weight="bold", pad=3)
        axes.set_yticks(range(len(costs)) if number == 0 else [])
        if number == 0:
            axes.set_yticklabels([wrapped(editor, 18) for editor in run.editors], linespacing=1.0)
            for label, colour in zip(axes.get_yticklabels(), colours(run.editors).values(), strict=True):
                label.set_color(colour)
    return figure


def _draw_bars(axes: Axes, seconds: list[float | None], limits: tuple[float, float], palette: list[str]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set(xscale="log", xlim=limits, ylim=(len(seconds) - 0.45, -0.55))
    for row, (duration, colour) in enumerate(zip(seconds, palette, strict=True)):
        length = duration or limits[0]
        axes.barh(row, length - limits[0], left=limits[0], height=0.62, color=colour)
        text = "not measured" if duration is None else spoken(duration)
        ink = FAINT if duration is None else colour
        axes.text(length, row, f" {text}", va="center", fontsize=SMALL_PT, color=ink)
    places = {1e-6: "1 µs", 1e-3: "1 ms", 1e-1: "0.1 s", 1.0: "1 s", 60.0: "1 min", 3600.0: "1 h", 86400.0: "1 d"}
    shown = [place for place in places if limits[0] <= place <= limits[1]]
    if limits[1] / limits[0] > CROWDED:
        shown = [place for place in shown if place not in (1e-1, 60.0)]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([places[place] for place in shown])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _draw_spreads(axes: Axes, spreads: list[tuple[float, float] | None]) -> None:
    """The middle half of what was measured, as a line below the middle of the bar."""
    for row, ends in enumerate(spreads):
        if ends is not None and ends[0] < ends[1]:
            axes.plot(ends, [row + 0.4, row + 0.4], color=INK, linewidth=1.0, solid_capstyle="butt")


def spoken(seconds: float) -> str:
    """A duration in the unit that suits it.

    >>> [spoken(s) for s in (0, 4.6e-6, 0.0021, 0.25, 3.14159, 90, 4500, 200000)]
    ['0', '4.6 µs', '2.1 ms', '250 ms', '3.1 s', '1.5 min', '1.2 h', '2.3 d']
    """
    if seconds == 0:
        return "0"
    for limit, unit, name in (
        (1e-3, 1e-6, "µs"),
        (1.0, 1e-3, "ms"),
        (60.0, 1.0, "s"),
        (3600.0, 60.0, "min"),
        (86400.0, 3600.0, "h"),
    ):
        if seconds < limit:
            value = seconds / unit
            return f"{value:.0f} {name}" if value >= 10 else f"{value:.2g} {name}"
    return f"{seconds / 86400:.2g} d"
