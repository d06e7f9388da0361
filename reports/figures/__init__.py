"""The figures of a run, in one style (``reports.writers.style``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eval.runs.reader import Run, opened
from reports.figures.attributes import attributes_figure
from reports.figures.frechet import frechet_figure
from reports.figures.labels import Shortened, for_figures, left_out
from reports.figures.pareto import pareto_figure
from reports.figures.pictures.grid import grid_figure
from reports.figures.prompts import prompts_figure
from reports.figures.runtime import runtime_figure
from reports.figures.scatter import scatter_figure
from reports.pool import Pool
from reports.tables.frechet import frechet_tables
from reports.writers.attempts import attempt
from reports.writers.style import house_style, note_below, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reports.writers.layout import Table

__all__ = ["drawings", "write_figures"]

FIGURES: dict[str, Callable[[Run], Figure | None]] = {
    "grid": grid_figure,
    "success_preservation": scatter_figure,
    "prompts": prompts_figure,
    "attributes": attributes_figure,
    "runtime": runtime_figure,
    "pareto": pareto_figure,
}


def drawings(run: Run, tables: Sequence[Table] | None = None) -> dict[str, Callable[[], Figure | None]]:
    """What draws each figure of a run, in ``house_style``; None is drawn where the run has nothing for it.

    Args:
        run: with at least one finished chunk.
        tables: as ``write_figures`` takes them.
    """
    named, by_name = for_figures(run, frechet_tables(run, Pool(run)) if tables is None else tables)
    every: dict[str, Callable[[], Figure | None]] = {name: partial(draw, named) for name, draw in FIGURES.items()}
    every["frechet"] = partial(frechet_figure, named, by_name)
    said = left_out("editors", len(named.editors), len(run.editors))
    if not said:
        return every
    every = {name: partial(_noted, draw, said) for name, draw in every.items()}
    return every | {"pareto": partial(pareto_figure, Shortened(run))}  # whose prompts are those that all editors meet


def _noted(draw: Callable[[], Figure | None], said: str) -> Figure | None:
    """A figure with what it had no room for below."""
    figure = draw()
    if figure is not None:
        note_below(figure, said)
    return figure


def write_figures(
    run: Run | Path, tables: Sequence[Table] | None = None, problems: list[str] | None = None
) -> list[Path]:
    """Write ``figures/<name>.pdf`` and ``.png`` into the run folder, each by itself.

    A figure that the run has nothing for (the grid of a run that kept no image) is left out. All but the runtime bars
    are the same bytes whenever the cells are the same. Labels that are too long for a figure are shortened.

    Args:
        run: opened, or its folder.
        tables: of the run, as they are built; None: only what is needed of them is built here.
        problems: takes a sentence about every figure that cannot be drawn; without it that is raised.

    Returns:
        The files.

    Raises:
        ValueError: the run has no finished chunk, or a file of it cannot be read.
    """
    run = opened(run)
    if not run.settings:
        raise ValueError(f"{run.folder} has no finished chunk to draw; give the same `deltabench run` again.")
    folder = run.folder / "figures"
    folder.mkdir(exist_ok=True)
    paths = []
    with house_style():
        for name, draw in drawings(run, tables).items():
            for ending in ("pdf", "png"):  # of an earlier report: never beside tables of this one
                (folder / f"{name}.{ending}").unlink(missing_ok=True)
            with attempt(f"figures/{name}", problems):
                figure = draw()
                if figure is not None:
                    paths += save(figure, folder, name)
    return paths
