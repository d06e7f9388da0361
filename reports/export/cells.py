"""The cells of a run as one tidy table, with a schema beside it (``docs/export.md``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eval.metrics.book import NEITHER, known_metric
from eval.runs.reader import Run

if TYPE_CHECKING:
    from pandas import DataFrame

EXPORT_SCHEMA = 1  # of the exported tables, not of the run folder
LAYOUTS = ("wide", "long")
NAMES = {"wide": "cells", "long": "cells_long"}


class Column(NamedTuple):
    """What a column holds: its unit, which values are better (``more``, ``less``, ``matched`` or ''), its meaning."""

    unit: str
    direction: str
    meaning: str


KEYS = {
    "run": Column("", "", "name of the run folder"),
    "domain": Column("", "", "whose images"),
    "editor": Column("", "", "label of the editor; 'oracle' is the counterfactual through the inversion"),
    "prompt": Column("", "", "name of the prompt"),
    "attribute": Column("", "", "factor that the prompt asks to change"),
    "value": Column("", "", "value that it asks for"),
    "source_text": Column("", "", "what the prompt says of the image before"),
    "target_text": Column("", "", "what it says of the image after"),
    "image": Column("", "", "name of the source image"),
    "source": Column("", "", "row of the source image in sources.npz and counterfactuals/<prompt>.npz"),
    "kind": Column("", "", "how the strength was chosen: default, calibrated, matched, given, oracle"),
    "strength": Column("", "", "the strength used"),
    "effect_goal": Column(
        "",
        "",
        "target effect of a matched strength, as a share of the right one (earlier: in σ); blank for other kinds",
    ),
    "chunk": Column("", "", "file in chunks/ that the cell comes from"),
    "position": Column("", "", "row of the cell in that file's arrays"),
    "eligible": Column("", "", "there was something to do: success, preservation, effects are averaged over these"),
}


def wide_cells(run: Run) -> DataFrame:
    """One row a cell, the oracle's last: the columns ``KEYS``, then the metrics in the order of the run.

    Raises:
        ValueError: the run has no finished chunk, or a file of it cannot be read.
    """
    import pandas

    if not len(run.every_row):
        raise ValueError(f"{run.folder} has no finished chunk to export; give the same `deltabench run` again.")
    rows = run.every_row
    cells = pandas.concat([rows, run.oracle], ignore_index=True) if len(run.oracle) else rows.copy()
    prompts = {prompt["name"]: prompt for prompt in run.asked_prompts}
    added = {
        "run": run.folder.resolve().name,
        "domain": run.manifest.get("domain", ""),
        "attribute": [prompts[name]["attribute"] for name in cells["prompt"]],
        "value": [prompts[name]["value"] for name in cells["prompt"]],
        "source_text": [prompts[name]["source"] for name in cells["prompt"]],
        "target_text": [prompts[name]["target"] for name in cells["prompt"]],
    }
    cells = cells.assign(**added)
    numbers = [column for column in cells.columns if column not in KEYS]
    return cells[[*KEYS, *numbers]].astype({**dict.fromkeys(numbers, "float64"), "eligible": bool})


def long_cells(run: Run) -> DataFrame:
    """One row a number: the columns ``KEYS`` without chunk and texts, then metric, unit, value and recipe.

    Numbers that a cell does not have are left out.
    """
    cells = wide_cells(run).drop(columns="value")
    keys = ["run", "domain", "editor", "prompt", "image", "kind", "strength", "effect_goal", "eligible"]
    metrics = [column for column in cells.columns if column not in KEYS]
    long = cells.melt(keys, metrics, var_name="metric", value_name="value", ignore_index=False)
    long = long[long["value"].notna()]
    order = {metric: number for number, metric in enumerate(metrics)}
    long = long.assign(order=long["metric"].map(order), cell=long.index).sort_values(["cell", "order"])
    units = {metric: describe(metric).unit for metric in metrics}
    found = dict.fromkeys(metrics, "") | recipes(run, metrics)
    long = long.assign(unit=long["metric"].map(units), recipe=long["metric"].map(found))
    return long[[*keys, "metric", "unit", "value", "recipe"]].reset_index(drop=True)


def describe(column: str) -> Column:
    """What a column of the exported table holds; a metric that this version does not know has no description.

    >>> describe("preservation.mouth").direction, describe("ad_mean").unit
    ('more', 'σ')
    """
    if column in KEYS:
        return KEYS[column]
    record = known_metric(column)
    if record is None:
        return Column("", "", "not known to this version")
    return Column(record.unit, "" if record.direction == NEITHER else record.direction, record.meaning)


def recipes(run: Run, metrics: list[str]) -> dict[str, str]:
    """Metric -> recipe id of the manifest; that of ``preservation`` and ``target_effect`` also for single factors."""
    stored: Mapping[str, str] = run.manifest.get("recipes", {})
    families = {"preservation": "preservation", "effect": "target_effect"}
    found = {metric: stored.get(metric) or stored.get(families.get(metric.split(".")[0], "")) for metric in metrics}
    return {metric: recipe for metric, recipe in found.items() if recipe}


def export_files(run: Run, folder: Path, ending: str, layout: str = "wide") -> list[Path]:
    """Write ``cells.<ending>`` or ``cells_long.<ending>``, and what explains it, into a folder that is made if needed.

    Args:
        run: opened.
        folder: where to.
        ending: ``csv`` or ``parquet``.
        layout: ``wide``, one row a cell, or ``long``, one row a number.

    Returns:
        The files: cells, ``schema.json``, ``recipes.json``, ``manifest.json``, ``prompts.json``.
    """
    cells = wide_cells(run) if layout == "wide" else long_cells(run)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAMES[layout]}.{ending}"
    if ending == "csv":
        cells.to_csv(path, index=False, lineterminator="\n")  # floats as repr: read back they are the same
    else:
        cells.to_parquet(path, index=False)
    return [path, *write_companions(run, folder, cells, layout)]


def write_companions(run: Run, folder: Path, cells: DataFrame, layout: str) -> list[Path]:
    """Write what explains the cells: schema, recipes, manifest, prompts."""
    contents: dict[str, Any] = {
        f"{NAMES[layout]}.schema.json": schema(run, cells, layout),
        "recipes.json": run.manifest.get("recipes", {}),
        "manifest.json": run.manifest,
        "prompts.json": list(run.prompts),
    }
    for name, content in contents.items():
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in contents]


def schema(run: Run, cells: DataFrame, layout: str) -> dict[str, Any]:
    """What the exported table is: its columns with type, unit, direction, meaning and recipe."""
    known = recipes(run, list(cells.columns))
    extra = {
        "metric": Column("", "", "name of the number, see metrics"),
        "unit": Column("", "", "of the value; empty for a pure number"),
        "recipe": Column("", "", "network, weights and filter behind the number"),
        "value": Column("", "", "the number"),
    }
    own = extra if layout == "long" else {}
    return {
        "schema": EXPORT_SCHEMA,
        "run_schema": run.manifest["schema"],
        "layout": layout,
        "rows": len(cells),
        "columns": [_entry(name, own.get(name) or describe(name), str(cells[name].dtype), known) for name in cells],
        "metrics": _long_metrics(run, cells) if layout == "long" else [],
    }


def _long_metrics(run: Run, cells: DataFrame) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(cells["metric"]))
    known = recipes(run, names)
    return [_entry(name, describe(name), "float64", known) for name in names]


def _entry(name: str, column: Column, kind: str, known: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "type": "string" if kind in ("str", "object") else kind,
        "unit": column.unit,
        "better": column.direction,
        "meaning": column.meaning,
        "recipe": known.get(name, ""),
    }
