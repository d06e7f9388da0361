"""The cells of a run as one tidy table, with a schema beside it (``docs/export.md``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eval.runs.reader import Run

if TYPE_CHECKING:
    from pandas import DataFrame

EXPORT_SCHEMA = 1  # of the exported tables, not of the run folder
LAYOUTS = ("wide", "long")
NAMES = {"wide": "cells", "long": "cells_long"}
PATTERNED = ("kept", "effect")  # columns with a factor behind a dot


class Column(NamedTuple):
    """What a column holds: its unit, whether more is better (None: neither), its meaning."""

    unit: str
    more_is_better: bool | None
    meaning: str


KEYS = {
    "run": Column("", None, "name of the run folder"),
    "domain": Column("", None, "whose images"),
    "editor": Column("", None, "label of the editor; 'oracle' is the exact answer through the inversion"),
    "prompt": Column("", None, "name of the prompt"),
    "attribute": Column("", None, "factor that the prompt asks to change"),
    "value": Column("", None, "value that it asks for"),
    "source_text": Column("", None, "what the prompt says of the image before"),
    "target_text": Column("", None, "what it says of the image after"),
    "image": Column("", None, "name of the source image"),
    "source": Column("", None, "row of the source image in sources.npz and references/<prompt>.npz"),
    "kind": Column("", None, "how the strength was chosen: default, calibrated, matched, given, oracle"),
    "strength": Column("", None, "the strength used"),
    "effect_goal": Column("σ", None, "target effect that a matched strength is for; blank for other kinds"),
    "chunk": Column("", None, "file in chunks/ that the cell comes from"),
    "position": Column("", None, "row of the cell in that file's arrays"),
    "eligible": Column("", None, "there was something to do; success, kept and effects are averaged over these only"),
}
METRICS = {
    "success": Column("", True, "the judge's first choice for the target factor is the value asked for"),
    "target_effect": Column("σ", None, "change of the log-odds of the value asked for"),
    "ad_mean": Column("σ", False, "mean change of the other visible factors"),
    "ad_max": Column("σ", False, "largest change of the other visible factors"),
    "kept": Column("", True, "share of the other visible factors whose first choice is as before"),
    "identity": Column("", True, "cosine of identity features, original and edit"),
    "clip_score_editing": Column("", True, "100 × cosine of edit and target text, the editors' CLIP"),
    "clip_score_judge": Column("", True, "100 × cosine of edit and target text, the judge's CLIP"),
    "directional_editing": Column("", True, "cosine of the changes of image and text, the editors' CLIP"),
    "directional_judge": Column("", True, "cosine of the changes of image and text, the judge's CLIP"),
    "counterfactual_psnr_db": Column("dB", True, "edit against the exact answer"),
    "counterfactual_ssim": Column("", True, "edit against the exact answer"),
    "counterfactual_identity": Column("", True, "cosine of identity features, exact answer and edit"),
    "inversion_psnr_db": Column("dB", None, "reconstruction against original"),
    "inversion_ssim": Column("", None, "reconstruction against original"),
    "outside_psnr_db": Column("dB", True, "edit against reconstruction outside the region that may change"),
    "outside_l1": Column("", False, "mean absolute difference there, images in [-1, 1]"),
    "edit_l1": Column("", None, "mean absolute difference of edit and reconstruction, all pixels"),
}
FACTOR_METRICS = {
    "kept": Column("", True, "1: the judge's first choice for this factor is as before, 0: it is not"),
    "effect": Column("σ", None, "mean change of this factor's log-odds"),
}


def wide_cells(run: Run) -> DataFrame:
    """One row a cell, the oracle's last: the columns ``KEYS``, then the metrics in the order of the run.

    Raises:
        ValueError: the run has no finished chunk, or a file of it cannot be read.
    """
    import pandas

    if not len(run.rows):
        raise ValueError(f"{run.folder} has no finished chunk to export; give the same `deltabench run` again.")
    cells = pandas.concat([run.rows, run.oracle], ignore_index=True) if len(run.oracle) else run.rows.copy()
    prompts = {prompt["name"]: prompt for prompt in run.prompts}
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

    >>> describe("kept.mouth").more_is_better, describe("ad_mean").unit
    (True, 'σ')
    """
    kind, dot, _ = column.partition(".")
    if dot and kind in PATTERNED:
        return FACTOR_METRICS[kind]
    return KEYS.get(column) or METRICS.get(column) or Column("", None, "not known to this version")


def recipes(run: Run, metrics: list[str]) -> dict[str, str]:
    """Metric -> recipe id of the manifest; that of ``kept`` and ``target_effect`` also for single factors."""
    stored: Mapping[str, str] = run.manifest.get("recipes", {})
    families = {"kept": "kept", "effect": "target_effect"}
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
        "metric": Column("", None, "name of the number, see metrics"),
        "unit": Column("", None, "of the value; empty for a pure number"),
        "recipe": Column("", None, "network, weights and filter behind the number"),
        "value": Column("", None, "the number"),
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
    better = {True: "more", False: "less", None: ""}[column.more_is_better]
    return {
        "name": name,
        "type": "string" if kind in ("str", "object") else kind,
        "unit": column.unit,
        "better": better,
        "meaning": column.meaning,
        "recipe": known.get(name, ""),
    }
