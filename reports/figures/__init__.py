"""The figures of a run, in one style (``reports.writers.style``)."""

from __future__ import annotations

from pathlib import Path

from eval.runs.reader import Run, opened
from reports.figures.attributes import attributes_figure
from reports.figures.frechet import frechet_figure
from reports.figures.pictures.grid import grid_figure
from reports.figures.pareto import pareto_figure
from reports.figures.prompts import prompts_figure
from reports.figures.runtime import runtime_figure
from reports.figures.scatter import scatter_figure
from reports.writers.style import house_style, save

__all__ = ["write_figures"]

FIGURES = {
    "grid": grid_figure,
    "success_preservation": scatter_figure,
    "prompts": prompts_figure,
    "attributes": attributes_figure,
    "runtime": runtime_figure,
    "pareto": pareto_figure,
    "frechet": frechet_figure,
}


def write_figures(run: Run | Path) -> list[Path]:
    """Write ``figures/<name>.pdf`` and ``.png`` into the run folder.

    A figure that the run has nothing for (the grid of a run that kept no image) is left out. All but the runtime bars
    are the same bytes whenever the cells are the same.

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
        for name, draw in FIGURES.items():
            figure = draw(run)
            if figure is not None:
                paths += save(figure, folder, name)
    return paths
