"""A matrix of rates as colours with the numbers printed in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.writers.style import RATE_MAP, SMALL_PT, readable_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EMPTY = "#DDDDDD"  # where there is no number
ROUNDING = 1e-9


def draw_rates(
    axes: Axes,
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    limits: tuple[float, float] = (0.0, 1.0),
    bold_from: float = 2.0,
) -> None:
    """Draw rates as percentages.

    Args:
        axes: of about 0.2 inch a cell or more.
        values: [rows][columns] in [0, 1]; None is left grey.
        rows: names on the left; none are printed if empty.
        columns: names on the top, slanted; none are printed if empty.
        title: below.
        limits: the rates at the light and the dark end of the colours; what is beyond looks like the end.
        bold_from: rates from here on are printed bold.
    """
    import matplotlib
    from matplotlib.collections import PolyCollection

    squares, fills = [], []
    colour_map = matplotlib.colormaps[RATE_MAP]
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            share = 0.0 if value is None else (value - limits[0]) / (limits[1] - limits[0])
            colour = colour_map(min(max(share, 0.0), 1.0))
            squares.append([(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)])
            fills.append(EMPTY if value is None else colour)
            if value is not None:
                weight = "bold" if value >= bold_from - ROUNDING else "normal"
                style: dict[str, Any] = {
                    "ha": "center",
                    "va": "center",
                    "color": readable_on(*colour[:3]),
                    "weight": weight,
                }
                axes.text(column + 0.5, row + 0.52, f"{100 * value:.0f}", fontsize=SMALL_PT, **style)
    axes.add_collection(PolyCollection(squares, facecolors=fills, linewidths=0))
    _frame(axes, len(values), len(values[0]))
    axes.set_xticks([place + 0.5 for place in range(len(columns))])
    axes.set_yticks([place + 0.5 for place in range(len(rows))])
    axes.set_xticklabels(columns, rotation=45, ha="left", rotation_mode="anchor")
    axes.set_yticklabels(rows)
    axes.set_xlabel(title, loc="left")


def _frame(axes: Axes, height: int, width: int) -> None:
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.vlines(range(1, width), 0, height, color="white", linewidth=0.8)
    axes.hlines(range(1, height), 0, width, color="white", linewidth=0.8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
