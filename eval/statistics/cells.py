"""Cells as arrays: one value per metric, source image and prompt; NaN where a metric does not count a cell."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.errors import UsageError, unknown

if TYPE_CHECKING:
    import pandas as pd

THESE_PROMPTS = "these-prompts"
LIKE_THESE = "prompts-like-these"
POPULATIONS = (THESE_PROMPTS, LIKE_THESE)

KEYS = ("editor", "prompt", "strength", "kind", "effect_goal", "image", "eligible", "setting")
VERDICTS = ("success_by_attributes", "success_by_second", "success_by_counterfactual", "real")  # of single judges
SHARES = ("success", "preservation", "clean_success", *VERDICTS)
# Of cells whose reconstruction does not have the value yet, as in the tables of a run.
ELIGIBLE_ONLY = (*SHARES, "target_effect", "ad_mean", "ad_max", "effect")
# Up to this share of a metric's standard deviation a difference is rounding. Between two releases of a library it can
# lie on one side in all cells, and every test would call it significant.
ROUNDING = 1e-4


@dataclass(frozen=True)
class Grid:
    """Values of several metrics over the same images and prompts.

    Attributes:
        values: float64 [M, I, P], NaN where a cell is missing or does not count for the metric.
        images: the I source images.
        prompts: the P prompts.
    """

    values: np.ndarray
    images: tuple[Hashable, ...]
    prompts: tuple[Hashable, ...]


def metric_columns(cells: pd.DataFrame, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The metrics of a table of cells, or those of them that are wanted.

    Without a wish these are all numeric columns that an editor can change: the inversion's own error, the columns per
    factor (``preservation.<factor>``, ``effect.<factor>``) and the verdicts of single judges, which success is made of,
    are left out, but can be wished for.

    Raises:
        UsageError: a wanted metric that the cells do not have.
    """
    numeric = [
        str(name)
        for name in cells.columns
        if name not in KEYS and (cells[name].dtype.kind in "bifu" or str(cells[name].dtype) == "boolean")
    ]
    for name in wanted:
        if name not in numeric:
            raise unknown("metric", name, numeric)
    return tuple(wanted) or tuple(
        name for name in numeric if "." not in name and not name.startswith("inversion_") and name not in VERDICTS
    )


def with_setting(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with a column ``setting``: how their strength was chosen, so that equal settings may be compared.

    ``default`` and ``calibrated`` name it by themselves; of ``given`` the strength is part of it, of ``matched`` the
    effect that was the goal.
    """
    setting = cells["kind"].astype(object)
    for kind, column in (("given", "strength"), ("matched", "effect_goal")):
        if column in cells:
            setting = setting.where(cells["kind"] != kind, f"{kind} " + cells[column].map("{:g}".format))
    return cells.assign(setting=setting)


def grid_of(cells: pd.DataFrame, metrics: Sequence[str]) -> Grid:
    """Cells of one editor at one setting as a grid; what the attribute judge sees counts over eligible cells only.

    Args:
        cells: one row per cell, columns ``image``, ``prompt``, ``eligible`` and the metrics.
        metrics: columns to take.

    Raises:
        UsageError: two rows of one image and prompt.
    """
    import pandas as pd

    image_rows, images = pd.factorize(cells["image"], sort=True)
    prompt_rows, prompts = pd.factorize(cells["prompt"], sort=True)
    flat = image_rows * len(prompts) + prompt_rows
    if len(np.unique(flat)) < len(flat):
        raise UsageError(
            "The cells hold one image and prompt twice, at several strengths; compare one strength at a time."
        )
    values = np.full((len(metrics), len(images) * len(prompts)), np.nan)
    for row, metric in enumerate(metrics):
        column = cells[metric].to_numpy(dtype=np.float64, na_value=np.nan)
        if metric.split(".")[0] in ELIGIBLE_ONLY and "eligible" in cells:
            column = np.where(cells["eligible"].to_numpy(dtype=bool), column, np.nan)
        values[row, flat] = column
    return Grid(values.reshape(len(metrics), len(images), len(prompts)), tuple(images), tuple(prompts))


def paired_differences(first: Grid, second: Grid) -> tuple[Grid, Grid, Grid]:
    """First, second and first - second on their shared cells, NaN wherever either has no value.

    Values that are equal up to ROUNDING differ by 0, even when both are infinite (the PSNR of two perfect answers).
    """
    images = tuple(sorted(set(first.images) & set(second.images), key=str))
    prompts = tuple(sorted(set(first.prompts) & set(second.prompts), key=str))
    a, b = _rows(first, images, prompts), _rows(second, images, prompts)
    shared = ~(np.isnan(a) | np.isnan(b))
    with np.errstate(invalid="ignore"):
        difference = np.where(a == b, 0.0, a - b)
    finite = np.where(np.isfinite([a, b]) & shared, [a, b], np.nan)
    for row, values in enumerate(difference):
        known = finite[:, row][~np.isnan(finite[:, row])]
        values[np.abs(values) <= ROUNDING * (known.std() if len(known) else 0.0)] = 0.0
    a, b, difference = (np.where(shared, values, np.nan) for values in (a, b, difference))
    return Grid(a, images, prompts), Grid(b, images, prompts), Grid(difference, images, prompts)


def _rows(grid: Grid, images: Sequence[Hashable], prompts: Sequence[Hashable]) -> np.ndarray:
    image_rows = {name: row for row, name in enumerate(grid.images)}
    prompt_rows = {name: row for row, name in enumerate(grid.prompts)}
    rows = np.array([image_rows[name] for name in images], dtype=int)
    columns = np.array([prompt_rows[name] for name in prompts], dtype=int)
    return grid.values[:, rows[:, None], columns[None, :]]


def check_population(population: str) -> None:
    """Raise UsageError unless the population is one of POPULATIONS."""
    if population not in POPULATIONS:
        raise unknown("population", population, POPULATIONS)
