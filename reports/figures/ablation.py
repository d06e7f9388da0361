"""One ablation at a glance: what every strength costs, and how the arms differ from the baseline at equal effect."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from reports.studies.ablation_table import SIGNIFICANT, ArmResult
from reports.writers.style import FAINT, INK, SPARE_COLOURS, TITLE_PT, TWO_COLUMNS_IN, axes_at, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = (
    # measure, title, whether more is better; AD is in σ
    ("clean_success", "clean success", True),  # success, where an ablation does not know it
    ("preservation", "preservation", True),
    ("identity", "identity", True),
    ("ad_mean", "AD mean", False),
)
CURVE_IN, LEFT_IN, TOP_IN, BOTTOM_IN, RIGHT_IN = 1.75, 0.48, 0.44, 0.42, 0.12
GAP_IN, NAMES_GAP_IN, LETTER_IN = 0.2, 0.3, 0.064
ROW_IN, LOWEST_IN = 0.24, 1.35  # height of an arm in the panels, of the figure's panels at least
HEADING_IN = 0.1  # from the upper edge to the middle of the headings


def ablation_figure(effect: float, baseline: str, arms: Sequence[ArmResult]) -> Figure:
    """Left: preservation against effect over the strengths; right: paired differences from the baseline with intervals.

    Args:
        effect: in σ, at which the arms are compared.
        baseline: label of the arm that the others are compared with.
        arms: in the order of the ablation.
    """
    palette = arm_colours(baseline, arms)
    height = max(LOWEST_IN, ROW_IN * (len(arms) + 0.5))
    names = LETTER_IN * max(len(arm.label) for arm in arms)
    figure = new_figure(TWO_COLUMNS_IN, TOP_IN + height + BOTTOM_IN)
    _draw_curves(axes_at(figure, LEFT_IN, TOP_IN, CURVE_IN, height), effect, arms, palette)
    start = LEFT_IN + CURVE_IN + NAMES_GAP_IN + names
    width = (TWO_COLUMNS_IN - start - RIGHT_IN - GAP_IN * (len(PANELS) - 1)) / len(PANELS)
    for place, (measure, title, more) in enumerate(PANELS):
        if place == 0 and not any(isfinite(arm.means[measure].mean) for arm in arms):
            measure = title = "success"
        axes = axes_at(figure, start + place * (width + GAP_IN), TOP_IN, width, height)
        _draw_differences(axes, measure, arms, palette)
        axes.set_title(title, loc="center")
        axes.set_xlabel("better →" if more else "← better (σ)")
        if place == 0:
            axes.set_yticks(range(len(arms)), [arm.label for arm in arms])
            axes.tick_params(axis="y", length=0)
            for label, arm in zip(axes.get_yticklabels(), arms, strict=True):
                label.set_color(palette[arm.label])
    _head(figure, LEFT_IN, "at every strength")
    _head(figure, start, f"difference from '{baseline}' at an effect of {effect:g} σ")
    return figure


def _head(figure: Figure, left_in: float, text: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(left_in / width, 1 - HEADING_IN / height, text, va="center", fontsize=TITLE_PT, weight="bold")


def arm_colours(baseline: str, arms: Sequence[ArmResult]) -> dict[str, str]:
    """The baseline in the ink of the text, the others in colours; from the seventh on they repeat."""
    others = [arm.label for arm in arms if arm.label != baseline]
    spare = {label: SPARE_COLOURS[place % len(SPARE_COLOURS)] for place, label in enumerate(others)}
    return {baseline: INK, **spare}


def _draw_curves(axes: Axes, effect: float, arms: Sequence[ArmResult], palette: dict[str, str]) -> None:
    for arm in arms:
        colour = palette[arm.label]
        x, y = (0.0, *arm.curve.effect), (1.0, *arm.curve.preservation)  # strength 0 changes nothing
        axes.plot(x, y, color=colour, linewidth=1, marker="o", markersize=2)
    axes.axvline(effect, color=FAINT, linewidth=0.6, linestyle=":", zorder=0)
    axes.set_xlim(left=min(0, axes.get_xlim()[0]) if any(min(arm.curve.effect, default=0) < 0 for arm in arms) else 0)
    axes.set_ylim(top=1.0 + 0.02 * (1 - axes.get_ylim()[0]))
    axes.set_xlabel("effect (σ)")
    axes.set_ylabel("preservation")


def _draw_differences(axes: Axes, measure: str, arms: Sequence[ArmResult], palette: dict[str, str]) -> None:
    """Filled where the corrected test finds a difference, hollow where it does not; the baseline is the line at 0."""
    axes.axvline(0, color=INK, linewidth=0.8, zorder=0)
    for row, arm in enumerate(arms):
        value = arm.differences.get(measure)
        if value is None or value.mean != value.mean:
            continue
        colour = palette[arm.label]
        if value.low == value.low:
            axes.plot([value.low, value.high], [row, row], color=colour, linewidth=1, solid_capstyle="butt")
        face = colour if value.p_holm < SIGNIFICANT else "white"
        axes.plot(value.mean, row, "o", color=colour, markersize=3.5, markerfacecolor=face, markeredgewidth=0.8)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.1 * (high - low)), max(high, 0.1 * (high - low)))
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=2)
    axes.spines["left"].set_visible(False)
