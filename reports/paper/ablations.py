"""Ablations in a paper: the folders that `deltabench ablate` made, with captions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.metrics.book import metric_of
from eval.runs.reader import Run
from reports.paper.parts import FigurePart, Part, Section, TablePart, counted, sentence_list
from reports.paper.reading import read_table
from reports.studies.ablation_table import COMPARED, SIGNIFICANT
from reports.writers.layout import Table, Value

RECORD = "ablation.json"
COMMAND = "`deltabench ablate conditioning`"


def find_ablations(run: Run, places: Sequence[Path]) -> tuple[Path, ...]:
    """Finished ablations of the run's domain in some folders, by name; none twice.

    Args:
        run: opened.
        places: folders that hold ``ablation-*``; those that do not exist are passed over.
    """
    found: dict[Path, Path] = {}
    for place in places:
        for record in sorted(place.glob(f"ablation-*/{RECORD}")):
            if _domain(record) == run.manifest.get("domain") and _table_names(record.parent):
                found.setdefault(record.parent.resolve(), record.parent)
    return tuple(found.values())


def ablation_section(folders: Sequence[Path]) -> Section:
    """A table and a figure for each ablation, or how to make one.

    Raises:
        ValueError: a folder is no finished ablation.
    """
    title = "Ablations"
    if not folders:
        return Section(
            title, (f"No ablation was found; {COMMAND} makes one, and the same command as for this paper takes it in.",)
        )
    parts: list[Part] = []
    taken: set[str] = set()
    for folder in folders:
        parts += _parts(folder, taken)
    return Section(title, (), tuple(parts))


def _domain(record: Path) -> str:
    try:
        return str(json.loads(record.read_text(encoding="utf-8")).get("domain", ""))
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
        return ""


def _table_names(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "tables").glob("ablation_*.csv"))


def _parts(folder: Path, taken: set[str]) -> list[Part]:
    names = _table_names(folder)
    if not (folder / RECORD).is_file() or not names:
        raise ValueError(
            f"{folder} is not a finished ablation: it has no {RECORD} or no table; make one with {COMMAND}."
        )
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    parts: list[Part] = []
    for name in names:
        new_name = _free(_plain(name), taken)
        table = read_table(folder / "tables", name, new_name)
        if table is None:
            continue
        caption = _caption(table, record, name.removeprefix("ablation_"))
        parts.append(TablePart(table, caption))
        files = tuple(folder / "figures" / f"{name}.{ending}" for ending in ("pdf", "png"))
        if all(path.is_file() for path in files):
            parts.append(FigurePart(new_name, _figure_caption(table, record), files=files))
    return parts


def _plain(name: str) -> str:
    """A name that is safe in LaTeX's file names."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free)
    return free


def _caption(table: Table, record: Mapping[str, object], name: str) -> str:
    """Question, what was trained, and which differences the corrected test found."""
    about = record.get("ablation")
    settings: Mapping[str, object] = about if isinstance(about, dict) else {}
    baseline = next((str(row["arm"]) for row in table.data if str(row.get("baseline")) == "True"), "")
    jobs = max(int(float(str(row.get("jobs") or 0))) for row in table.data)
    seeds = settings.get("seeds")
    images = settings.get("images")
    size = f"{counted(jobs, 'training-prompt pair')} in each arm"
    if isinstance(seeds, list) and images:
        prompts = counted(jobs // max(len(seeds), 1), "prompt")
        size = f"{counted(len(seeds), 'training')} of each arm, {prompts}, {images} images"
    found = _found(table.data)
    effect = settings.get("effect")
    verdict = (
        "after correction no difference from it is found"
        if not found
        else f"found after correction: {'; '.join(found)}"
    )
    at = f" at an effect of {effect:g} σ" if isinstance(effect, int | float) else ""
    return f"Ablation {name}: {table.question} {size}{at}; baseline {baseline}; {verdict}."


def _found(rows: Sequence[Mapping[str, Value]]) -> list[str]:
    """``arm in preservation and identity`` for every arm with a difference that the corrected test finds."""
    texts = []
    for row in rows:
        names = [
            metric_of(name).heading for name in COMPARED if _number(row.get(f"{name}_difference_p_holm")) < SIGNIFICANT
        ]
        if names:
            texts.append(f"{row['arm']} in {sentence_list(names)}")
    return texts


def _number(value: Value) -> float:
    """A number of a csv; NaN for a blank."""
    try:
        return float(value) if value is not None else float("nan")
    except ValueError:
        return float("nan")


def _figure_caption(table: Table, record: Mapping[str, object]) -> str:
    rows = [row for row in table.data if str(row.get("baseline")) != "True"]
    matched = [f"{row['arm']} {row.get('matched')} of {row.get('jobs')}" for row in table.data]
    return (
        "The same ablation: preservation against effect over all strengths (left), and differences from the baseline "
        "with 95 % intervals "
        f"for {counted(len(rows), 'other arm')} (right; filled: found by the corrected test). Compared where the "
        "effect is met: "
        f"{', '.join(matched)}."
    )
