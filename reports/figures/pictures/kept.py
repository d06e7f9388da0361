"""Pictures that a run kept, and the rule that chooses which of them a figure shows."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.runs.reader import Run
from reports.equal_effect.prompts import is_control
from reports.writers.style import FAINT, axes_at, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

COLLATERAL = "ad_mean"
COUNTERFACTUAL = "counter-\nfactual"  # heading of a column that is narrower than the word


class Kept:
    """The pictures of a run's cells.

    Args:
        run: opened.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._chunk = lru_cache(maxsize=64)(self._read)

    def _read(self, chunk: str) -> dict[int, np.ndarray]:
        rows = self.run.chunk_array(chunk, "kept")
        return dict(zip(map(int, rows), self.run.chunk_array(chunk, "images"), strict=True)) if len(rows) else {}

    def image(self, chunk: str, source: int) -> np.ndarray | None:
        """The edit of a cell, uint8 [H, W, 3]; None if it was not kept."""
        return self._chunk(chunk).get(source)

    def cells(self, cells: DataFrame) -> DataFrame:
        """Those whose picture was kept."""
        shown = {
            (chunk, source)
            for chunk in dict.fromkeys(cells["chunk"])
            for source in map(int, self.run.chunk_array(str(chunk), "kept"))
        }
        there = [pair in shown for pair in zip(cells["chunk"], cells["source"].astype(int), strict=True)]
        return cells[np.array(there, dtype=bool)]


def median_person(kept: Kept, cells: DataFrame) -> tuple[int, int] | None:
    """The image of median collateral among those that every editor edited and whose pictures were kept.

    Of an even number, the one below the middle; of equals, the first. Controls do not count for the collateral.

    Args:
        kept: of the run.
        cells: of one prompt, one cell for each editor and image.

    Returns:
        Row in ``sources.npz`` and how many images it was chosen from; None if there are none.
    """
    eligible = kept.cells(cells[cells["eligible"].astype(bool)])
    editors = eligible["editor"].nunique()
    if not editors or editors < cells["editor"].nunique():
        return None
    counts = eligible.groupby("source")["editor"].nunique()
    shared = counts[counts == editors].index
    judged = [editor for editor in eligible["editor"].unique() if not is_control(editor)] or list(
        eligible["editor"].unique()
    )
    rows = eligible[eligible["source"].isin(shared) & eligible["editor"].isin(judged)]
    means = rows.groupby("source")[COLLATERAL].mean().dropna().sort_index()
    if not len(means):
        return None
    order = means.sort_values(kind="stable").index
    return int(order[(len(order) - 1) // 2]), len(order)


def canvas(width_in: float, height_in: float) -> Axes:
    """Axes over a whole figure whose coordinates are inches from the upper left corner."""
    figure = new_figure(width_in, height_in)
    axes = axes_at(figure, 0, 0, width_in, height_in)
    axes.set(xlim=(0, width_in), ylim=(height_in, 0), autoscale_on=False)
    axes.set_axis_off()
    return axes


def draw_image(axes: Axes, place: tuple[float, float, float], image: np.ndarray | None, mark: str = "") -> None:
    """An image with a hair line around it, or an empty frame where there is none; a mark in its upper right corner.

    Args:
        axes: of ``canvas``.
        place: left, top and side in inches.
        image: uint8 [H, W, 3].
        mark: one letter.
    """
    from matplotlib.patches import Rectangle

    x, y, size = place
    if image is not None:
        axes.imshow(image, extent=(x, x + size, y + size, y), interpolation="nearest", aspect="auto")
    edge: dict[str, Any] = {
        "fill": False,
        "linewidth": 0.4,
        "edgecolor": FAINT,
        "linestyle": "-" if image is not None else ":",
    }
    axes.add_patch(Rectangle((x, y), size, size, **edge))
    if mark:
        box: dict[str, Any] = {"boxstyle": "square,pad=0.08", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.text(x + size - 0.02, y + 0.03, mark, fontsize=7, ha="right", va="top", bbox=box)
