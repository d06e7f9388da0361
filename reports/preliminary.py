"""A first look at a run that goes on: means over the images that every editor has, marked preliminary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eval.metrics.book import metric_of
from eval.runs.reader import Run
from reports.writers.layout import number

if TYPE_CHECKING:
    from pandas import DataFrame

MEASURES = ("clean_success", "success", "preservation", "identity")
KIND = "default"  # its edits are made first


def preliminary(folder: Path) -> str:
    """Lines for the terminal; '' while no pair of prompt and image has an edit by every editor at the default strength.

    Args:
        folder: of the run.
    """
    run = Run(folder)
    labels = list(run.manifest["arguments"]["methods"])
    rows = run.rows
    cells = rows[(rows["kind"] == KIND) & rows["eligible"].astype(bool)] if len(rows) else rows
    shared = _shared(cells, len(labels)) if len(cells) else cells
    if not len(shared):
        return ""
    measures = [name for name in MEASURES if name in shared]
    means = shared.groupby("editor", sort=False)[measures].mean()
    width = max(map(len, labels))
    heads = [metric_of(name).label for name in measures]
    lines = [
        f"Preliminary: {len(shared) // len(labels)} edits an editor, {_names(shared)}, at {KIND}; the run goes on.",
        f"  {'':{width}}  " + "  ".join(heads),
    ]
    for label in labels:
        values = [number(float(means.loc[label, name]), metric_of(name).digits) for name in measures]
        columns = (f"{value:>{len(head)}}" for value, head in zip(values, heads, strict=True))
        lines.append(f"  {label:{width}}  " + "  ".join(columns))
    return "\n".join(lines)


def _shared(cells: DataFrame, editors: int) -> DataFrame:
    """The cells of pairs of prompt and image that all editors have."""
    counts = cells.groupby(["prompt", "source"])["editor"].transform("nunique")
    shared: DataFrame = cells[counts == editors]
    return shared


def _names(cells: DataFrame) -> str:
    names = list(cells["prompt"].unique())
    return f"'{names[0]}'" if len(names) == 1 else f"{len(names)} prompts"
