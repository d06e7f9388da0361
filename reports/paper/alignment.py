"""Alignment of images and texts in a paper: the folders that `deltabench align` made, with captions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.paper.parts import FigurePart, Part, Section, TablePart, counted
from reports.paper.published import published
from reports.paper.reading import read_table
from reports.writers.layout import Table, Value, number

RECORD = "alignment.json"
GAP = "modality gap on COCO"  # the one published number of the same measure on the same images


def find_alignments(places: Sequence[Path]) -> tuple[Path, ...]:
    """Finished alignments in some folders, by name; none twice."""
    found: dict[Path, Path] = {}
    for place in places:
        for record in sorted(place.glob(f"align-*/{RECORD}")):
            if (record.parent / "alignment.csv").is_file():
                found.setdefault(record.parent.resolve(), record.parent)
    return tuple(found.values())


def alignment_section(folders: Sequence[Path], domain: str) -> Section:
    """Tables and a figure for each alignment, or how to make one.

    Raises:
        ValueError: a folder is no finished alignment.
    """
    title = "Alignment of images and texts"
    if not folders:
        command = f"`deltabench align --domain {domain}`"
        return Section(
            title,
            (f"No alignment was found; {command} measures it, and the same command as for this paper takes it in.",),
        )
    parts: list[Part] = []
    for folder in folders:
        parts += _parts(folder, len(folders) > 1)
    return Section(title, (), tuple(parts))


def _parts(folder: Path, several: bool) -> list[Part]:
    table = read_table(folder, "alignment", "alignment")
    if table is None or not (folder / RECORD).is_file():
        raise ValueError(
            f"{folder} is not an alignment: it has no {RECORD} or no table; make one with `deltabench align`."
        )
    record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    source = str(record.get("source") or folder.name)
    suffix = "_" + re.sub(r"[^A-Za-z0-9]+", "_", source).strip("_") if several else ""
    main = read_table(folder, "alignment", f"alignment{suffix}") or table
    parts: list[Part] = [TablePart(main, _caption(main, source))]
    prompts = read_table(folder, "alignment_prompts", f"alignment_prompts{suffix}")
    if prompts is not None:
        parts.append(TablePart(prompts, _prompts_caption(prompts, source)))
    files = tuple(folder / f"alignment.{ending}" for ending in ("pdf", "png"))
    if all(path.is_file() for path in files):
        parts.append(FigurePart(f"alignment{suffix}", _figure_caption(main, source), files=files))
    return parts


def _caption(table: Table, source: str) -> str:
    arms = {str(row["arm"]): row for row in table.data}
    pairs = max((int(float(str(row.get("pairs") or 0))) for row in table.data), default=0)
    caption = f"Alignment of CLIP's images and texts, {source}: {counted(pairs, 'pair')}."
    if {"raw", "centred", "delta"} <= set(arms):
        gaps, cosines = (
            [number(_value(arms[arm], column), 3) for arm in ("raw", "centred", "delta")]
            for column in ("gap", "cosine_paired")
        )
        caption += (
            f" The modality gap is {gaps[0]} raw, {gaps[1]} after subtracting each modality's mean and {gaps[2]} "
            "for deltas; "
            f"the paired cosine {cosines[0]}, {cosines[1]} and {cosines[2]}."
        )
    claims = [n for n in published() if n.metric == GAP and "coco" in source.lower()]
    return caption + "".join(f" Published raw gap: {n.value} ({n.source}, {n.on})." for n in claims)


def _prompts_caption(table: Table, source: str) -> str:
    every = [row for row in table.data if str(row.get("prompt")) in ("all", "mean")]
    prompts = counted(len(table.data) - len(every), "prompt")
    caption = f"Do the texts of prompts point where the counterfactuals go, {source}: {prompts}."
    if every:
        found = ", ".join(
            f"{arm} {number(100 * _value(every[0], f'{arm}_found'), 0)} %" for arm in ("raw", "centred", "delta")
        )
        caption += f" Share of counterfactuals that are nearest to the text of their own prompt: {found}."
    return caption


def _figure_caption(table: Table, source: str) -> str:
    arms = ", ".join(str(row["arm"]) for row in table.data)
    return (
        f"Image and text features, {source}, in each arm ({arms}): projections above, measures with 95 % "
        "intervals below. "
        "Overlapping clouds show that the marginals overlap, not that pairs match."
    )


def _value(row: Mapping[str, Value], column: str) -> float:
    value = row.get(column)
    return float("nan") if value is None or value == "" else float(value)
