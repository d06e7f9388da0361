"""A number once more: the table that has it, made of the run's cells now, by the function that writes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from eval.runs.reader import Run
from reports.pool import Pool
from reports.tables.attributes import attributes_table
from reports.tables.counterfactual import counterfactual_table
from reports.tables.determinism import determinism_table
from reports.tables.frechet import frechet_tables
from reports.tables.main import main_table
from reports.tables.matched import matched_table
from reports.tables.pareto import pareto_table
from reports.tables.prompts import prompts_table
from reports.tables.real.originals import originals_table
from reports.tables.real.values import real_values_table
from reports.tables.runtime import runtime_table
from reports.tables.strengths import strengths_table
from reports.why.value import KEYS, Number
from reports.writers.layout import Table, Value, csv_text

TOLERANCE = 1e-9  # relative: sums in another order; a table keeps at least ten digits

BUILDERS: dict[str, Callable[[Run], Table | Sequence[Table] | None]] = {
    "main": lambda run: main_table(run, Pool(run)),
    "prompts": prompts_table,
    "attributes": attributes_table,
    "counterfactual": counterfactual_table,
    "frechet": lambda run: frechet_tables(run, Pool(run)),
    "frechet_sizes": lambda run: frechet_tables(run, Pool(run)),
    "originals": lambda run: originals_table(run, Pool(run)),
    "real_values": lambda run: real_values_table(run, Pool(run)),
    "runtime": runtime_table,
    "strengths": strengths_table,
    "matched": matched_table,
    "pareto": pareto_table,
    "determinism": determinism_table,
}


class Rebuilt(NamedTuple):
    """A value of a table made now.

    Attributes:
        found: whether the table has the row now.
        value: as the table has it; None: blank.
    """

    found: bool
    value: Value


class Tables:
    """The tables of a run, each made when it is first needed.

    Args:
        run: opened.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._rows: dict[str, dict[tuple[str, ...], dict[str, Value]]] = {}

    def value(self, number: Number) -> Rebuilt:
        """A number of a table."""
        if number.table not in self._rows:
            made = BUILDERS[number.table](self.run)
            tables = () if made is None else (made,) if isinstance(made, Table) else made
            for table in tables:
                rows = ({name: row.get(name) for name in table.columns} for row in table.data)
                self._rows[table.name] = {_labels(table.name, row): row for row in rows}
        row = self._rows.get(number.table, {}).get(_labels(number.table, number.row))
        return Rebuilt(row is not None, None if row is None else row.get(number.column))


def _labels(table: str, row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(text if isinstance(text, str) else csv_text(text) for text in map(row.get, KEYS[table]))


def agrees(text: str, value: Value, tolerance: float = TOLERANCE) -> tuple[bool, float]:
    """Whether the csv's text is the value, and their difference; NaN where one of them is no number.

    >>> agrees("0.5", 0.5), agrees("", None), agrees("True", False)[0]
    ((True, 0.0), (True, 0.0), False)
    """
    if text == csv_text(value):
        return True, 0.0
    if value is None or isinstance(value, (bool, str)) or not text or text in ("n/a", "never", "True", "False"):
        return False, math.nan
    difference = abs(float(text) - float(value))
    return difference <= tolerance * max(1.0, abs(float(text))), difference
