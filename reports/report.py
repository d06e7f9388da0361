"""Everything that a run folder shows: its tables, figures and report.html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eval.errors import UsageError
from eval.progress import activity
from eval.runs.reader import Run
from eval.runs.store import storage_error
from reports.glossary import write_glossary
from reports.studies.shipped_judges import place_judges
from reports.tables import build_tables, store_tables
from reports.writers.attempts import attempt
from reports.writers.beside import Beside

if TYPE_CHECKING:
    from reports.writers.layout import Table


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        run: opened.
        tables: as built.
        files: all of them.
        problems: a sentence about every part that could not be made; the others were.
    """

    run: Run
    tables: Sequence[Table]
    files: Sequence[Path]
    problems: Sequence[str] = ()

    @property
    def page(self) -> Path:
        """The one file to look at first."""
        page = self.run.folder / "report.html"
        return page if page in self.files else self.run.folder / "tables" / "main.md"


def tables_of(run: Run) -> tuple[Table, ...]:
    """The tables of a run, nothing written.

    Raises:
        ValueError: the run has no finished chunk, or a file of it cannot be read.
    """
    return build_tables(run)


def write_report(folder: Path, figures: bool = True, quiet: bool = False) -> Report:
    """Write the tables of a run and, if wanted, its figures and report.html, each figure by itself.

    Args:
        folder: of the run.
        figures: whether to draw.
        quiet: do not say what is written.

    Raises:
        UsageError: the folder is no run, another version wrote it, somebody changed it, or it cannot be written.
    """
    problems: list[str] = []
    try:
        run = Run(folder)
        with activity("writing tables", quiet):
            tables = tables_of(run)
            problems += run.damaged
            files = [*store_tables(run, tables), write_glossary(run), *place_judges(folder, figures)]
        if figures:
            page: list[Path] = []
            lost: list[str] = []
            with Beside(partial(_drawn, run, tables)) as drawing:
                with activity("drawing figures and writing report.html", quiet), attempt("report.html", lost):
                    from reports.explorer.page import write_explorer

                    page = write_explorer(run, tables)
                drawn, problems_drawn = drawing.result()
            files, problems = [*files, *drawn, *page], [*problems, *problems_drawn, *lost]
    except OSError as error:
        raise storage_error(Path(error.filename or folder), error) from error
    except ValueError as error:
        raise UsageError(" ".join(str(error).split())) from error
    return Report(run, tables, files, problems)


def _drawn(run: Run, tables: Sequence[Table]) -> tuple[list[Path], list[str]]:
    """Write the figures: the files, and a sentence about every one that could not be drawn."""
    from reports.figures import write_figures

    problems: list[str] = []
    return write_figures(run, tables, problems), problems
