"""The tables of a run, one for each question (``docs/tables.md``)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from eval.runs.reader import Run, opened
from reports.pool import Pool
from reports.tables.attributes import attributes_table
from reports.tables.counterfactual import counterfactual_table
from reports.tables.determinism import determinism_table, marked
from reports.tables.frechet import frechet_tables
from reports.tables.main import main_table
from reports.tables.matched import matched_table
from reports.tables.pareto import pareto_table
from reports.tables.prompts import prompts_table
from reports.tables.real.originals import originals_table
from reports.tables.real.values import real_values_table
from reports.tables.recipes import write_recipes
from reports.tables.runtime import runtime_table
from reports.tables.strengths import strengths_table
from reports.tables.terminal import summary
from reports.writers.layout import Table

__all__ = ["build_tables", "store_tables", "summary", "write_tables"]


def build_tables(run: Run) -> tuple[Table, ...]:
    """Every table of the run.

    Args:
        run: with at least one finished chunk.

    Raises:
        ValueError: the run has no finished chunk, or a file of it cannot be read.
    """
    if not run.settings:
        raise ValueError(f"{run.folder} has no finished chunk to report; give the same `deltabench run` again.")
    curves = pareto_table(run) if run.matched else None
    pool = Pool(run)
    against_originals = originals_table(run, pool)
    against_real_values = real_values_table(run, pool)
    steadiness = determinism_table(run)
    with ThreadPoolExecutor(1) as beside:  # nearly all of these is arithmetic outside of the interpreter's lock
        distances = beside.submit(frechet_tables, run, pool)
        first = main_table(run, pool), prompts_table(run), attributes_table(run), counterfactual_table(run)
    tables = (
        *first,
        *distances.result(),
        *([against_originals] if against_originals else []),
        *([against_real_values] if against_real_values else []),
        runtime_table(run),
        strengths_table(run),
        *([matched_table(run)] if run.matched else []),
        *([curves] if curves else []),
        *([steadiness] if steadiness else []),
    )
    tables = marked(run, tables)
    return tuple(_unfinished(table, run.unfinished) for table in tables) if run.unfinished else tables


def _unfinished(table: Table, sentence: str) -> Table:
    """The table, which says that it is not the last word."""
    return replace(table, question=f"{table.question} (unfinished)", notes=(sentence, *table.notes))


def write_tables(run: Run | Path) -> list[Path]:
    """Write ``tables/<name>.csv``, ``.md`` and ``.tex`` into the run folder, and the recipe of every column.

    All but the runtime table are the same bytes whenever the cells are the same.

    Args:
        run: opened, or its folder, of ``deltabench run``.

    Returns:
        The files, in the order of ``docs/tables.md``.

    Raises:
        ValueError: as ``build_tables`` does.
    """
    run = opened(run)
    return store_tables(run, build_tables(run))


def store_tables(run: Run, tables: Sequence[Table]) -> list[Path]:
    """Write tables that are built, and the recipe of every column; returns the files."""
    folder = run.folder / "tables"
    folder.mkdir(exist_ok=True)
    written = [path for table in tables for path in table.write(folder)]
    return [*written, write_recipes(run, tables, folder)]
