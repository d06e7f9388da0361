"""Everything that is known of one number of a table, as plain data: what `deltabench why --json` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eval.runs.reader import ORACLE, Run
from reports.studies.determinism import read_determinism
from reports.tables.matched import Statistics
from reports.why.again import (
    Question,
    agrees,
    used_chunks,
    value_again,
)
from reports.why.columns import DRAWS, FRECHET, LABEL, SEED, Column, column_of, manifest_names
from reports.why.files import Files, Info
from reports.why.selection import cells_of, chunks_of, numbers_of
from reports.why.value import Asked

if TYPE_CHECKING:
    from pandas import DataFrame

LARGEST = 5  # contributions that are listed


def explain(files: Files, asked: Asked, statistics: Statistics | None = None) -> dict[str, Any]:
    """How a value came to be.

    Args:
        files: of the run.
        asked: which value.
        statistics: ``eval.statistics``; without it intervals and groups at equal effect are not computed again.

    Returns:
        JSON values under ``value``, ``formula``, ``recipe``, ``cells``, ``networks``, ``editor``, ``strengths``,
        ``seeds``, ``costs``, ``determinism``, ``code``, ``files`` and ``recomputed``.
    """
    column = column_of(asked.table, asked.column, str(files.manifest.get("frechet_name", "")))
    if column is None:
        raise ValueError(f"The column {asked.column} of the table {asked.table} has no explanation.")
    stem = asked.column.removesuffix(f"_{column.bound}") if column.bound else asked.column
    question = Question(files, asked.table, asked.row, stem, column, statistics)
    metrics = recipes_of(asked, column, files.manifest)
    return {
        "value": _value(asked, stem),
        "formula": {"text": column.formula, "source": column.source, "interval": column.interval},
        "recipe": {metric: files.manifest.get("recipes", {}).get(metric, "") for metric in metrics},
        "cells": _cells(question),
        "networks": networks(files.manifest, metrics),
        "editor": editor(files.manifest, asked.row["editor"]),
        "strengths": strengths(files, chunks_of(files, asked.table, asked.row)),
        "seeds": _seeds(files, column),
        "costs": costs(files, asked.row["editor"]),
        "determinism": determinism(files, asked.row["editor"]),
        "code": code(files.manifest),
        "files": _read_files(question),
        "recomputed": _recomputed(question, asked),
    }


def recipes_of(asked: Asked, column: Column, manifest: dict[str, Any]) -> tuple[str, ...]:
    """The metrics whose recipes the value has, by the manifest's names; of the curves only that of its axis."""
    if asked.table == "pareto" and column.measure == "axis":
        return ("counterfactual_psnr_db",) if asked.row["axis"] == "error" else (asked.row["axis"],)
    return manifest_names(column, manifest)


def _value(asked: Asked, stem: str) -> dict[str, Any]:
    bounds = {end: asked.row.get(f"{stem}_{end}", "") for end in ("low", "high")}
    text = asked.row[asked.column]
    labels = {
        name: value for name, value in asked.row.items() if value and name in ("editor", "kind", "prompt", "goal")
    }
    return {"name": asked.name, "table": asked.table, "column": asked.column, "row": labels, "text": text, **bounds}


def _cells(asked: Question) -> dict[str, Any]:
    """How many cells count, which do not and why, and which weigh most."""
    every, cells = cells_of(asked.files, asked.table, asked.row, asked.column)
    found: dict[str, Any] = {"over": asked.column.over, "finished": len(every)}
    failed = [record["id"] for record in asked.files.every_json("chunks/*.error.json") if _concerns(asked, record)]
    found["failed_chunks"] = failed
    if not asked.column.over:
        return found
    if asked.column.kind == FRECHET or asked.column.over.endswith("pooled over prompts"):
        from reports.why.frechet_again import common_cells

        return found | {"counted": len(common_cells(asked.files))}
    found |= {"counted": len(cells), "excluded": _excluded(asked, every, cells)}
    if len(cells) and asked.column.measure:
        found |= _weights(cells, numbers_of(asked.table, asked.row, asked.stem, asked.column, cells))
    return found


def _concerns(asked: Question, record: dict[str, Any]) -> bool:
    """Whether a failed chunk would be part of the row."""
    same = record["editor"] == asked.row["editor"] and asked.row.get("kind", record.get("kind")) == record.get("kind")
    return same and asked.row.get("prompt", record["prompt"]) == record["prompt"]


def _excluded(asked: Question, every: DataFrame, cells: DataFrame) -> dict[str, int]:
    """Reason -> number of cells that do not count."""
    left = every.loc[~every.index.isin(cells.index), ["eligible", "prompt", "source"]] if len(every) else every
    if asked.table == "main" and asked.row["editor"] == "inversion":
        return {"the same image under another editor, prompt or strength": len(left)}
    reasons: dict[str, int] = {}
    for row in left.itertuples():
        reason = "another prompt" if bool(row.eligible) else _why_not(asked.files, str(row.prompt), int(row.source))
        reasons[reason] = reasons.get(reason, 0) + 1
    return dict(sorted(reasons.items()))


def _why_not(files: Files, prompt: str, source: int) -> str:
    """Why a cell is not eligible, from the judge's logits of the reconstruction and what can be seen."""
    about = next(entry for entry in files.prompts if entry["name"] == prompt)
    factors = files.factors
    order = list(factors)
    visible = files.array(f"references/{prompt}.npz", "visible")
    if visible.size and not visible[source, order.index(about["attribute"])]:
        return "the target factor cannot be seen"
    first = sum(len(factors[name]) for name in order[: order.index(about["attribute"])])
    logits = files.array("sources.npz", "logits")[source, first : first + len(factors[about["attribute"]])]
    if factors[about["attribute"]][int(logits.argmax())] == about["value"]:
        return "the judge reads the value on the reconstruction already"
    return "marked as not eligible"


def _weights(cells: DataFrame, numbers: np.ndarray) -> dict[str, Any]:
    """The cells and the prompts that pull the mean most: (number - mean) / cells, summed."""
    there = ~np.isnan(numbers)
    without = {"without_number": int((~there).sum())}
    if not there.any():
        return without
    kept, (prompts, images) = numbers[there], (cells[name].to_numpy()[there] for name in ("prompt", "image"))
    with np.errstate(invalid="ignore"):  # the PSNR of an untouched image is infinite
        pulls = (kept - kept.mean()) / len(kept)
    by_prompt = []
    for name in dict.fromkeys(prompts):
        mine = prompts == name
        by_prompt.append((str(name), int(mine.sum()), float(kept[mine].mean()), float(np.nansum(pulls[mine]))))
    return without | {
        "largest": [
            {"prompt": prompts[i], "image": images[i], "number": float(kept[i]), "pull": float(pulls[i])}
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
    "default": "the published strength, 1.0 by contract of every editor",
    "given": "given with --strengths",
    "calibrated": "largest harmonic mean of success and kept on the calibration images",
    "matched": "mean effect on the calibration images nearest to the goal",
    ORACLE: "none: the exact answer through the inversion",
}


def strengths(files: Files, infos: list[Info]) -> dict[str, Any]:
    """How the strengths were chosen, and that of every prompt."""
    kinds = list(dict.fromkeys(info["kind"] for info in infos))
    if len(kinds) != 1:
        return {"how": {kind: HOW.get(kind, "") for kind in kinds}, "by_prompt": {}}
    order = [prompt["name"] for prompt in files.prompts]
    chosen = {info["prompt"]: info["strength"] for info in infos}
    return {
        "how": {kinds[0]: HOW.get(kinds[0], "")},
        "by_prompt": {name: chosen[name] for name in order if name in chosen},
    }


def _seeds(files: Files, column: Column) -> dict[str, Any]:
    seeds: dict[str, Any] = {"editors": files.manifest.get("arguments", {}).get("seed")}
    if column.interval:
        seeds |= {"bootstrap": SEED, "draws": DRAWS.get(column.interval)}
    return seeds


def costs(files: Files, label: str) -> dict[str, Any]:
    """What preparing and fitting cost, on what, and the artefacts that were loaded."""
    found = [record for record in files.costs if record["editor"] == label]
    if not found:
        return {}
    record = found[-1]
    fits = [seconds for seconds in record.get("fit_s", {}).values() if seconds is not None]
    return {
        "set_up_s": record.get("prepare_s"),
        "fit_s": sum(fits) if fits else None,
        "hardware": record.get("hardware"),
        "artefacts": record.get("artefacts"),
    }


def determinism(files: Files, label: str) -> str:
    """The verdict on an editor, if it was checked."""
    found = read_determinism(Run(files.folder))
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


def _read_files(asked: Question) -> list[str]:
    """The files that the value was read from."""
    if asked.table == "strengths":
        every = [(record, path) for record, path in _calibration_files(asked.files)]
        wanted = (asked.row["editor"], asked.row["prompt"])
        return [path for record, path in every if (record["editor"], record["prompt"]) == wanted]
    if asked.table == "runtime":
        return [f"chunks/{name}.json" for name in used_chunks(asked)]
    ending = "npz" if asked.column.kind == FRECHET else "parquet"
    return [f"chunks/{name}.{ending}" for name in used_chunks(asked)]


def _calibration_files(files: Files) -> list[tuple[dict[str, Any], str]]:
    paths = sorted(files.folder.glob("strengths/*.json"))
    return list(zip(files.calibrations, (f"strengths/{path.name}" for path in paths), strict=True))


def _recomputed(question: Question, asked: Asked) -> dict[str, Any]:
    """The value a second time, and whether the table has the same."""
    if question.column.kind == LABEL and question.table != "runtime":
        return {"value": None, "how": "a label", "agrees": None, "difference": None}
    again = value_again(question)
    if not again.how:
        return {"value": None, "how": "not computed again", "agrees": None, "difference": None}
    same, difference = agrees(asked.row[asked.column], again.value, again.tolerance)
    known = None if difference != difference else difference
    return {"value": again.value, "how": again.how, "agrees": same, "difference": known}
