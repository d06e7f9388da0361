"""The recipe of every column of every table, and what two runs must share so that their numbers may meet.

A recipe is everything that decides what a number means: the measure and the cells that it is over, the networks with
the sha256 of their weights, how images are prepared for them, the number of images and prompts, and how the interval
was found. Columns of different ids must not be put together.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eval.runs.reader import Run
from reports.tables import (
    attributes,
    counterfactual,
    determinism,
    frechet,
    main,
    matched,
    originals,
    pareto,
    prompts,
    runtime,
    strengths,
)
from reports.tables.columns import DRAWS, FRECHET, LABEL, SEED, Column, manifest_names
from reports.writers.layout import Table

FILE = "recipes.csv"
ID_DIGITS = 12
COLUMNS = (
    *("table", "column", "id", "measure", "over", "recipe", "networks", "inputs", "images", "prompts", "n"),
    *("interval", "draws", "seed"),
)
LABEL_ID = "label"  # of columns that hold no measurement
ROUNDING_LEVELS = 1  # by which reconstructions may differ: the last digit of two machines, rounded to 8 bits
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


def refuse_mixture(first: Run, second: Run) -> None:
    """Refuse to put numbers of two runs together that were not made the same way.

    Raises:
        ValueError: one sentence that names every part that differs.
    """
    if first is second:
        return
    parts = list(differing_parts(first, second))
    if parts:
        raise ValueError(
            f"{first.folder} and {second.folder} cannot be compared, as they differ in {'; '.join(parts)}."
        )


def differing_parts(first: Run, second: Run) -> Iterator[str]:
    """In words, what two runs do not share: domain, weights, recipes, preparation of images, prompts, images."""
    one, other = first.manifest, second.manifest
    if one["domain"] != other["domain"]:
        yield f"the domain ({one['domain']} and {other['domain']})"
        return
    networks = _unequal(one.get("fingerprints", {}), other.get("fingerprints", {}))
    if networks:
        yield f"the weights of {', '.join(networks)}"
    yield from _differing_recipes(one.get("recipes", {}), other.get("recipes", {}))
    for network in _shared(one.get("inputs", {}), other.get("inputs", {})):
        for part in _unequal(one["inputs"][network], other["inputs"][network]):
            values = [str(manifest["inputs"][network].get(part)) for manifest in (one, other)]
            yield f"the {part.removesuffix('_px')} of the images for {network} ({values[0]} and {values[1]})"
    prompts = _unequal(*({prompt["name"]: prompt for prompt in run.prompts} for run in (first, second)))
    if prompts:
        yield f"the prompts ({', '.join(prompts)})"
    yield from _differing_images(first, second)


def _differing_recipes(one: dict[str, str], other: dict[str, str]) -> Iterator[str]:
    """Metrics whose recipes differ, those of the same difference together."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in sorted(_shared(one, other)):
        if one[name] != other[name]:
            found.setdefault(recipe_difference(one[name], other[name]), []).append(name)
    for (mine, theirs), names in found.items():
        yield f"the recipe of {', '.join(names)} ({mine} and {theirs})"


def recipe_difference(one: str, other: str) -> tuple[str, str]:
    """The parts of two recipe ids that only one of them has.

    >>> recipe_difference("bicubic,79-templates,8-bit@clip:aa", "nearest,79-templates,8-bit@clip:aa")
    ('bicubic', 'nearest')
    """
    mine, theirs = (text.replace("@", ",").split(",") for text in (one, other))
    left, right = [part for part in mine if part not in theirs], [part for part in theirs if part not in mine]
    return ", ".join(left) or "nothing", ", ".join(right) or "nothing"


def _differing_images(first: Run, second: Run) -> Iterator[str]:
    if len(first.names) != len(second.names):
        yield f"the number of images ({len(first.names)} and {len(second.names)})"
    elif first.names != second.names or not np.array_equal(first.sources("images"), second.sources("images")):
        yield "the images"
    elif _apart(first.sources("reconstructions"), second.sources("reconstructions")) > ROUNDING_LEVELS:
        yield "the reconstructions of the images"


def _apart(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference of two sets of pictures, uint8, in grey levels; all of them where the sizes differ."""
    if one.shape != other.shape:
        return 256
    return int(np.abs(one.astype(np.int16) - other).max(initial=0))


def _shared(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name for name in one if name in other]


def _unequal(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Keys that only one has, or whose values differ."""
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]
