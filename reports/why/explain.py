"""Everything that is known of one number of a table, as plain data: what `deltabench why --json` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.runs.reader import ORACLE, Run
from reports.pool import INVERSION, common_cells
from reports.tables.columns import DRAWS, FRECHET, LABEL, SEED, Column, manifest_names
from reports.tables.determinism import read_determinism
from reports.tables.recipes import column_of
from reports.why.rebuilt import Tables, agrees
from reports.why.selection import counted_cells, finished_cells, numbers_of
from reports.why.value import Number

if TYPE_CHECKING:
    from pandas import DataFrame

LARGEST = 5  # contributions that are listed


def explain(run: Run, number: Number, tables: Tables | None = None) -> dict[str, Any]:
    """How a value came to be.

    Args:
        run: opened.
        number: which value.
        tables: of the run, where several values are looked up.

    Returns:
        JSON values under ``value``, ``formula``, ``recipe``, ``cells``, ``networks``, ``editor``, ``strengths``,
        ``seeds``, ``costs``, ``determinism``, ``code``, ``files`` and ``recomputed``.
    """
    column = column_of(number.table, number.column, str(run.manifest.get("frechet_name", "")))
    if column is None:
        raise ValueError(f"The column {number.column} of the table {number.table} has no explanation.")
    stem = number.column.removesuffix(f"_{column.bound}") if column.bound else number.column
    cells = finished_cells(run, number.table, number.row)
    metrics = recipes_of(number, column, run.manifest)
    return {
        "value": _value(number, stem),
        "formula": {"text": column.formula, "source": column.source, "interval": column.interval},
        "recipe": {metric: run.manifest.get("recipes", {}).get(metric, "") for metric in metrics},
        "cells": _cells(run, number, stem, column, cells),
        "networks": networks(run.manifest, metrics),
        "editor": editor(run.manifest, number.row["editor"]),
        "strengths": strengths(run, cells),
        "seeds": _seeds(run, column),
        "costs": costs(run, number.row["editor"]),
        "determinism": determinism(run, number.row["editor"]),
        "code": code(run.manifest),
        "files": _read_files(run, number, column, cells),
        "recomputed": _recomputed(tables or Tables(run), number, column),
    }


def recipes_of(number: Number, column: Column, manifest: dict[str, Any]) -> tuple[str, ...]:
    """The metrics whose recipes the value has, by the manifest's names; of the curves only that of its axis."""
    if number.table == "pareto" and column.measure == "axis":
        return ("counterfactual_psnr_db",) if number.row["axis"] == "error" else (number.row["axis"],)
    return manifest_names(column, manifest)


def _value(number: Number, stem: str) -> dict[str, Any]:
    bounds = {end: number.row.get(f"{stem}_{end}", "") for end in ("low", "high")}
    text = number.row[number.column]
    labels = {
        name: value for name, value in number.row.items() if value and name in ("editor", "kind", "prompt", "goal")
    }
    return {"name": number.name, "table": number.table, "column": number.column, "row": labels, "text": text, **bounds}


def _cells(run: Run, number: Number, stem: str, column: Column, cells: DataFrame) -> dict[str, Any]:
    """How many cells count, which do not and why, and which weigh most."""
    failed = [record["id"] for record in run.failures if _concerns(number, record)]
    found: dict[str, Any] = {"over": column.over, "finished": len(cells), "failed_chunks": failed}
    if not column.over:
        return found
    if column.kind == FRECHET or column.over.endswith("pooled over prompts"):
        return found | {"counted": len(common_cells(run))}
    counted = counted_cells(run, number.table, number.row, column, cells)
    found |= {"counted": len(counted), "excluded": _excluded(run, number, cells, counted)}
    if len(counted) and column.measure:
        found |= _weights(counted, numbers_of(number.table, number.row, stem, column, counted))
    return found


def _concerns(number: Number, record: dict[str, Any]) -> bool:
    """Whether a failed chunk would be part of the row."""
    same = record["editor"] == number.row["editor"] and number.row.get("kind", record.get("kind")) == record.get("kind")
    return same and number.row.get("prompt", record["prompt"]) == record["prompt"]


def _excluded(run: Run, number: Number, cells: DataFrame, counted: DataFrame) -> dict[str, int]:
    """Reason -> number of cells that do not count."""
    left = cells[~cells.index.isin(counted.index)]
    if number.table == "main" and number.row["editor"] == INVERSION:
        return {"the same image under another editor, prompt or strength": len(left)}
    reasons: dict[str, int] = {}
    for cell in left.itertuples():
        reason = "another prompt" if bool(cell.eligible) else _why_not(run, str(cell.prompt), int(cell.source))
        reasons[reason] = reasons.get(reason, 0) + 1
    return dict(sorted(reasons.items()))


def _why_not(run: Run, prompt: str, source: int) -> str:
    """Why a cell is not eligible, from the judge's logits of the reconstruction and what can be seen."""
    about = next(entry for entry in run.prompts if entry["name"] == prompt)
    order = list(run.factors)
    visible = run.counterfactual(prompt, "visible")
    if visible is not None and visible.size and not visible[source, order.index(about["attribute"])]:
        return "the target factor cannot be seen"
    first = sum(len(run.factors[name]) for name in order[: order.index(about["attribute"])])
    values = run.factors[about["attribute"]]
    logits = run.sources("logits")[source, first : first + len(values)]
    if values[int(logits.argmax())] == about["value"]:
        return "the judge reads the value on the reconstruction already"
    return "marked as not eligible"


def _weights(cells: DataFrame, numbers: np.ndarray) -> dict[str, Any]:
    """The cells and the prompts that pull the mean most: (number - mean) / cells, summed."""
    there = ~np.isnan(numbers)
    without = {"without_number": int((~there).sum())}
    if not there.any():
        return without
    known, (prompts, images) = numbers[there], (cells[name].to_numpy()[there] for name in ("prompt", "image"))
    with np.errstate(invalid="ignore"):  # the PSNR of an untouched image is infinite
        pulls = (known - known.mean()) / len(known)
    by_prompt = []
    for name in dict.fromkeys(prompts):
        mine = prompts == name
        by_prompt.append((str(name), int(mine.sum()), float(known[mine].mean()), float(np.nansum(pulls[mine]))))
    return without | {
        "largest": [
            {"prompt": prompts[i], "image": images[i], "number": float(known[i]), "pull": float(pulls[i])}
            for i in _largest(pulls)
        ],
        "prompts": [
            dict(zip(("prompt", "cells", "mean", "pull"), by_prompt[i], strict=True))
            for i in _largest(np.array([pull for *_, pull in by_prompt]))
        ],
    }


def _largest(pulls: np.ndarray) -> np.ndarray:
    """Places of the largest of them by size, the first ones among equals; NaN comes last."""
    return np.argsort(-np.abs(pulls), kind="stable")[:LARGEST]


def networks(manifest: dict[str, Any], metrics: tuple[str, ...]) -> list[dict[str, Any]]:
    """The networks behind some metrics: name, sha256, what they are given; the digits alone where no name fits."""
    recipes = manifest.get("recipes", {})
    named = dict.fromkeys(recipes[name].rpartition("@")[2] for name in metrics if "@" in recipes.get(name, ""))
    found = []
    for text in named:
        name, _, digits = text.partition(":")
        whole = str(manifest.get("fingerprints", {}).get(name, ""))
        sha256 = whole if whole.startswith(digits) else digits
        found.append({"network": name, "sha256": sha256, **manifest.get("inputs", {}).get(name, {})})
    return found


def editor(manifest: dict[str, Any], label: str) -> dict[str, Any]:
    """Class, parameters, space and paper of an editor; empty for a reference."""
    found: dict[str, Any] = dict(manifest.get("editors", {}).get(label, {}))
    return found


HOW = {
    "default": "the published strength, 1.0 for every editor",
    "given": "given with --strengths",
    "calibrated": "most clean success on the calibration images; the default where nothing is better beyond the noise",
    "matched": "mean effect on the calibration images nearest to the goal",
    ORACLE: "none: the counterfactual through the inversion",
}


def strengths(run: Run, cells: DataFrame) -> dict[str, Any]:
    """How the strengths of some cells were chosen, and that of every prompt."""
    kinds = [str(kind) for kind in cells["kind"].unique()]
    if len(kinds) != 1:
        return {"how": {kind: HOW.get(kind, "") for kind in kinds}, "by_prompt": {}}
    chosen = dict(zip(cells["prompt"], cells["strength"].astype(float), strict=True))
    order = [prompt["name"] for prompt in run.prompts if prompt["name"] in chosen]
    return {"how": {kinds[0]: HOW.get(kinds[0], "")}, "by_prompt": {name: chosen[name] for name in order}}


def _seeds(run: Run, column: Column) -> dict[str, Any]:
    seeds: dict[str, Any] = {"editors": run.manifest.get("arguments", {}).get("seed")}
    if column.interval:
        seeds |= {"bootstrap": SEED, "draws": DRAWS.get(column.interval)}
    return seeds


def costs(run: Run, label: str) -> dict[str, Any]:
    """What preparing and fitting cost, on what, and the artefacts that were loaded."""
    record = run.costs.get(label)
    if record is None:
        return {}
    fits = [seconds for seconds in record.get("fit_s", {}).values() if seconds is not None]
    return {
        "set_up_s": record.get("prepare_s"),
        "fit_s": sum(fits) if fits else None,
        "hardware": record.get("hardware"),
        "artefacts": record.get("artefacts"),
    }


def determinism(run: Run, label: str) -> str:
    """The verdict on an editor, if it was checked."""
    found = read_determinism(run)
    entry = None if found is None else found["editors"].get(label)
    return "not checked" if entry is None else str(entry["verdict"])


def code(manifest: dict[str, Any]) -> dict[str, Any]:
    """Which code made the run, when and on what."""
    return {
        "commit": manifest.get("commit") or "an installed package",
        "packages": manifest.get("packages", {}),
        "created": manifest.get("created"),
        "hardware": manifest.get("hardware"),
        "schema": manifest.get("schema"),
    }


def _read_files(run: Run, number: Number, column: Column, cells: DataFrame) -> list[str]:
    """The files that the value was read from."""
    if number.table == "strengths":
        return [f"strengths/{path.name}" for path in _sweep_files(run, number.row["editor"], number.row["prompt"])]
    ending = "json" if number.table == "runtime" else "npz" if column.kind == FRECHET else "parquet"
    return [f"chunks/{chunk}.{ending}" for chunk in cells["chunk"].unique()] if len(cells) else []


def _sweep_files(run: Run, editor: str, prompt: str) -> list[Path]:
    """The files of one sweep, whatever they are called."""
    sweeps = {path: json.loads(path.read_text(encoding="utf-8")) for path in (run.folder / "strengths").glob("*.json")}
    return sorted(path for path, sweep in sweeps.items() if (sweep["editor"], sweep["prompt"]) == (editor, prompt))


def _recomputed(tables: Tables, number: Number, column: Column) -> dict[str, Any]:
    """The value of the table made now, and whether the csv has the same."""
    if column.kind == LABEL and number.table != "runtime":
        return {"value": None, "how": "a label", "agrees": None, "difference": None}
    made = tables.value(number)
    if not made.found:
        return {"value": None, "how": "the table made now lacks this row", "agrees": False, "difference": None}
    same, difference = agrees(number.row[number.column], made.value)
    known = None if difference != difference else difference
    how = "the table made now, by the function that writes it"
    return {"value": made.value, "how": how, "agrees": same, "difference": known}
