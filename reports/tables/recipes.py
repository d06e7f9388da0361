"""The recipe of every column of every table.

A recipe is everything that decides what a number means: the measure and the cells that it is over, the networks with
the sha256 of their weights, how images are prepared for them, the number of images and prompts, and how the interval
was found. Columns of different ids must not be put together.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.runs.reader import Run
from reports.tables import (
    attributes,
    counterfactual,
    determinism,
    frechet,
    main,
    matched,
    pareto,
    prompts,
    runtime,
    strengths,
)
from reports.tables.columns import DRAWS, FRECHET, LABEL, SEED, Column, manifest_names
from reports.tables.real import originals, values
from reports.writers.layout import Table

FILE = "recipes.csv"
ID_DIGITS = 12
COLUMNS = (
    *("table", "column", "id", "measure", "over", "recipe", "networks", "inputs", "images", "prompts", "n"),
    *("interval", "draws", "seed"),
)
LABEL_ID = "label"  # of columns that hold no measurement
UNKNOWN = ""  # id of a column that nothing is known of


def described(frechet_name: str) -> dict[str, dict[str, Column]]:
    """What is known of the columns of every table of a run: table -> column -> what it is.

    Args:
        frechet_name: of the run's Fréchet distance.
    """
    distance = {ending: frechet.distance_column(ending, frechet_name) for ending in ("", "_n")}
    return {
        "main": main.columns() | {f"{frechet_name}{ending}": column for ending, column in distance.items()},
        "prompts": prompts.COLUMNS,
        "attributes": attributes.COLUMNS,
        "counterfactual": counterfactual.COLUMNS,
        "runtime": runtime.COLUMNS,
        "strengths": strengths.COLUMNS,
        "matched": matched.COLUMNS,
        "pareto": pareto.COLUMNS,
        "frechet": frechet.frechet_columns(frechet_name),
        "originals": originals.COLUMNS,
        "real_values": values.COLUMNS,
        "frechet_sizes": frechet.SIZES_COLUMNS,
        "determinism": determinism.COLUMNS,
    }


def known_tables() -> tuple[str, ...]:
    """Names of the tables whose columns are described."""
    return tuple(described(""))


def column_of(table: str, column: str, frechet_name: str = "") -> Column | None:
    """What a column of a table is; None if it is not described.

    Args:
        table: name.
        column: of its csv.
        frechet_name: of the run's Fréchet distance, for ``main`` and ``frechet``.

    >>> column_of("main", "success_low").bound
    'low'
    """
    known = described(frechet_name).get(table, {})
    for bound in ("", "low", "high"):
        stem = column.removesuffix(f"_{bound}") if bound else column
        found = known.get(stem) if stem else None
        if found is not None and (not bound or (stem != column and found.interval)):
            return replace(found, bound=bound)
    return None


def write_recipes(run: Run, tables: Sequence[Table], folder: Path) -> Path:
    """Write ``recipes.csv`` beside the tables: one row a column, ``COLUMNS``; returns its path."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows_of(run, tables))
    path = folder / FILE
    path.write_text(out.getvalue(), encoding="utf-8", newline="\n")
    return path


def rows_of(run: Run, tables: Sequence[Table]) -> list[dict[str, str]]:
    """One row a column of every table."""
    return [row(run, table, column) for table in tables for column in table.columns]


def row(run: Run, table: Table, column: str) -> dict[str, str]:
    """The recipe of a column, as texts; blank where a part does not apply."""
    named = {"table": table.name, "column": column}
    known = column_of(table.name, column, str(run.manifest.get("frechet_name", "")))
    if known is None:
        return {**dict.fromkeys(COLUMNS, ""), **named, "id": UNKNOWN}
    if known.kind == LABEL:
        return {**dict.fromkeys(COLUMNS, ""), **named, "id": LABEL_ID}
    parts = _parts(run, table, known, column)
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return {**named, "id": hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS], **parts}


def _parts(run: Run, table: Table, column: Column, name: str) -> dict[str, str]:
    metrics = manifest_names(column, run.manifest)
    recipes = {metric: str(run.manifest.get("recipes", {}).get(metric, "")) for metric in metrics}
    networks = list(
        dict.fromkeys(text.rpartition("@")[2].partition(":")[0] for text in recipes.values() if "@" in text)
    )
    sums, inputs = run.manifest.get("fingerprints", {}), run.manifest.get("inputs", {})
    stem = name.removesuffix(f"_{column.bound}") if column.bound else name
    return {
        "measure": f"{column.kind}:{column.measure or stem}{':' + column.bound if column.bound else ''}",
        "over": column.over,
        "recipe": " + ".join(f"{metric}: {recipe}" for metric, recipe in recipes.items() if recipe),
        "networks": "; ".join(f"{network} {sums[network]}" for network in networks if network in sums),
        "inputs": "; ".join(f"{network}: {_one_line(inputs[network])}" for network in networks if network in inputs),
        "images": str(len(run.names)),
        "prompts": str(len(run.prompts)),
        "n": _n(run, table) if column.kind == FRECHET else "",
        "interval": column.interval,
        "draws": str(DRAWS.get(column.interval, "")),
        "seed": str(SEED) if column.interval in DRAWS else "",
    }


def _n(run: Run, table: Table) -> str:
    """N of the Fréchet distances of a table, which falls with it: one number for all rows, or blank."""
    names = (f"{run.manifest.get('frechet_name')}_n", "n")
    found = {entry.get(name) for entry in table.data for name in names if entry.get(name) is not None}
    return str(found.pop()) if len(found) == 1 else ""


def _one_line(parts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parts.items())
