"""What else changes with each target? Target x attribute, flip rates and effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eval.metrics.book import metric_of
from eval.runs.reader import Run, Setting
from eval.statistics import Interval
from reports.means import NOTHING, eligible, interval_of, intervals_of, mean_of, means_of
from reports.tables.columns import BY_IMAGE, EDITOR, ELIGIBLE, KIND, MEAN, STRENGTH, Column, count, label, names
from reports.writers.layout import Block, Table, Value, interval_columns, number

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = {
    "editor": EDITOR,
    "kind": KIND,
    "strength": STRENGTH,
    "target": label("the factor that the prompts ask to change"),
    "attribute": label("the factor looked at"),
    "eligible": count("number of eligible cells of the prompts of this target", ELIGIBLE, ("eligible",)),
    "flip_rate": Column(
        MEAN,
        "mean over eligible cells of: 0 if the judge reads the attribute as before the edit, else 1",
        "docs/metrics.md, Attributes",
        "preservation.",
        ELIGIBLE,
        ("preservation",),
        BY_IMAGE,
    ),
    "effect": Column(
        MEAN,
        "mean over eligible cells of: mean |Δo_v| / σ_v over the values v of the attribute",
        "docs/metrics.md, Attributes",
        "effect.",
        ELIGIBLE,
        ("target_effect",),
        BY_IMAGE,
    ),
}
OTHERS_MEAN, OTHERS_LARGEST = "others, mean", "others, largest"  # rows of Attribute Dependency, not attributes


class Entry(NamedTuple):
    """What edits of one target do to one attribute.

    Attributes:
        target: the factor that the prompts ask to change.
        attribute: the factor looked at.
        eligible: cells.
        flip_rate: share of cells where the judge's answer changed; without a number for the target itself.
        effect: mean |Δ log-odds| in σ.
    """

    target: str
    attribute: str
    eligible: int
    flip_rate: Interval
    effect: Interval


def attribute_entries(run: Run, setting: Setting) -> list[Entry]:
    """All pairs of target and attribute, targets and attributes in the order of the domain's factors."""
    columns = [column for column in run.rows if column.startswith(("preservation.", "effect."))]
    cells = run.rows.loc[setting.rows, ["prompt", "source", "eligible", *columns]]
    cells = eligible(cells)
    targets = cells["prompt"].map({prompt["name"]: prompt["attribute"] for prompt in run.prompts})
    parts = {factor: cells[targets == factor] for factor in run.factors}
    asked = {target: part for target, part in parts.items() if len(part)}
    return [entry for target, part in asked.items() for entry in _entries(part, target, tuple(run.factors))]


def off_axis_entries(run: Run, setting: Setting) -> list[Entry]:
    """Attribute Dependency by target: the mean over the other visible attributes, and the largest of them."""
    cells = run.rows.loc[setting.rows]
    cells = eligible(cells)
    targets = cells["prompt"].map({prompt["name"]: prompt["attribute"] for prompt in run.prompts})
    entries = []
    for target in (factor for factor in run.factors if (targets == factor).any()):
        mine = cells[targets == target]
        flips = interval_of(1 - _column(mine, "preservation"), mine, share=True)
        entries.append(Entry(target, OTHERS_MEAN, len(mine), flips, mean_of(mine, "ad_mean")))
        entries.append(Entry(target, OTHERS_LARGEST, len(mine), NOTHING, mean_of(mine, "ad_max")))
    return entries


def _entries(cells: DataFrame, target: str, attributes: Sequence[str]) -> list[Entry]:
    flips = {attribute: 1 - _column(cells, f"preservation.{attribute}") for attribute in attributes}
    rates = intervals_of(flips, cells, dict.fromkeys(flips, True))
    effects = means_of(cells, [f"effect.{attribute}" for attribute in attributes])
    return [Entry(target, name, len(cells), rates[name], effects[f"effect.{name}"]) for name in attributes]


def _column(cells: DataFrame, name: str) -> np.ndarray:
    numbers: np.ndarray = cells[name].to_numpy(np.float64)
    return numbers


def attributes_table(run: Run) -> Table:
    """Flip rate and mean effect of every attribute under every target, for each editor and kind of strength."""
    data: list[dict[str, Value]] = []
    blocks: list[Block] = []
    for setting in run.settings:
        entries = [*attribute_entries(run, setting), *off_axis_entries(run, setting)]
        data += [_data(setting, entry) for entry in entries]
        effect_title = f"{setting.label}: mean effect (σ), ↑ on the target, ↓ elsewhere"
        blocks.append(_matrix(run, f"{setting.label}: flip rate ↓", entries, flips=True))
        blocks.append(_matrix(run, effect_title, entries, flips=False))
    note = (
        "Rows: what the prompts ask to change. Columns: what is looked at. Over eligible cells where it is visible. "
        "Others: share of the other visible attributes that flip. AD: Attribute Dependency, mean and largest effect on "
        "the other visible attributes of a cell, averaged over cells."
    )
    question = "What else changes when an editor changes one attribute?"
    return Table("attributes", question, names(COLUMNS), tuple(data), tuple(blocks), (note,))


def _data(setting: Setting, entry: Entry) -> dict[str, Value]:
    return {
        "editor": setting.editor,
        "kind": setting.kind,
        "strength": setting.strength,
        "target": entry.target,
        "attribute": entry.attribute,
        "eligible": entry.eligible,
        **interval_columns("flip_rate", entry.flip_rate),
        **interval_columns("effect", entry.effect),
    }


def _matrix(run: Run, title: str, entries: list[Entry], flips: bool) -> Block:
    rows = []
    for target in dict.fromkeys(entry.target for entry in entries):
        values = [entry.flip_rate if flips else entry.effect for entry in entries if entry.target == target]
        shown = values[:-1] if flips else values
        rows.append((target, *(number(value.mean, 2) for value in shown)))
    others = ("others ↓",) if flips else tuple(metric_of(name).title for name in ("ad_mean", "ad_max"))
    return Block(title, ("target", *run.factors, *others), tuple(rows))
