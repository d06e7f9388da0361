"""What the columns of the tables are (``reports.tables.recipes``)."""

from __future__ import annotations

__all__ = [
    *("ALL", "BY_POPULATION", "DRAWS", "ELIGIBLE", "FRECHET", "LABEL", "SEED", "Column", "column_of"),
    *("known_tables", "manifest_names"),
]
