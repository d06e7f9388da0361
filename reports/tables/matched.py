"""What does an edit of a given strength of effect cost the rest of the picture?"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from eval.metrics.book import Metric, metric_of
from eval.runs.reader import ORACLE, Run
from eval.statistics import Interval, letters, summarise, too_small
from reports.equal_effect.pairs import FEWEST_PROMPTS, compare_pairs, pairs_of, population_of
from reports.equal_effect.prompts import ATTAINED_SHARE, COMPARED_SHARE, Level, Matched, at_ceiling, known_columns
from reports.tables.columns import (
    BY_IMAGE,
    BY_POPULATION,
    EDITOR,
    MEAN,
    TABLES_DOC,
    VERDICT,
    Column,
    count,
    label,
    mean,
    names,
    verdict,
)
from reports.tables.counterfactual import AT_CEILING, CEILING_MARK
from reports.writers.layout import Block, Table, Value, interval_columns, interval_text

if TYPE_CHECKING:
    from pandas import DataFrame

QUESTION = "At equal target effect, who preserves the rest of the picture?"
SIGNIFICANT = 0.05
SHOWN = ("compared", "floor", ORACLE)  # roles whose numbers are over the compared prompts


EFFECT = "target_effect"
MEASURES = ("identity", "ad_mean", "preservation", "counterfactual_psnr_db", "counterfactual_identity")
COMPARED = "eligible cells of the prompts that the editor meets"
COLUMNS = {
    "goal": label("target effect as a share of the right one (σ in runs of earlier versions)"),
    "editor": EDITOR,
    "role": verdict(
        "compared (meets at least a quarter of the prompts), floor, overshoots, out of reach or oracle",
        *("matched", "", (EFFECT,)),
    ),
    "prompts": count("number of prompts of the run"),
    "prompts_reached": count(
        "number of prompts for which some strength has this mean effect on the calibration images", "", (EFFECT,)
    ),
    "prompts_met": count(
        "number of those whose strength was found: its mean effect is the goal up to its standard error", "", (EFFECT,)
    ),
    "reach_prompts": Column(MEAN, "prompts_reached / prompts", f"{TABLES_DOC}, matched", recipes=(EFFECT,)),
    "reach_edits": Column(
        *(MEAN, "share of eligible cells of all prompts whose target effect is at least half the goal"),
        *(f"{TABLES_DOC}, matched", EFFECT, "eligible cells of all prompts"),
        recipes=(EFFECT,),
        interval=BY_IMAGE,
    ),
    "prompts_compared": count("number of prompts that the row's numbers are over", "", (EFFECT,)),
    "cells": count("number of eligible cells of these prompts", COMPARED, ("eligible",)),
    "population": label("what the row's intervals and groups hold for: docs/statistics.md"),
    **{name: mean(name, COMPARED, BY_POPULATION) for name in (EFFECT, *MEASURES)},
    **{
        f"{name}_group": Column(
            *(VERDICT, f"letters of the groups in {name} whose editors do not differ significantly: paired sign flips"),
            *("docs/statistics.md, Comparing two editors", name, COMPARED),
            recipes=(name,),
        )
        for name in MEASURES
    },
    "at_ceiling": verdict(
        AT_CEILING, "counterfactual", COMPARED, ("counterfactual_psnr_db", "counterfactual_identity")
    ),
}


class Groups(NamedTuple):
    """Which editors cannot be told apart: (goal, metric) -> editor -> letters.

    With it (goal, editor, metric) -> interval; the tests that the letters rest on, of ``compare_pairs``; and a sentence
    for every pair whose images and prompts are too few to show any difference.
    """

    letters: dict[tuple[float, str], dict[str, str]]
    intervals: dict[tuple[float, str, str], Interval]
    tests: DataFrame | None
    too_small: tuple[str, ...] = ()

    def interval(self, matched: Matched, level: Level, editor: str, metric: str) -> Interval:
        """That of the population, otherwise over source images."""
        cells = level.oracle if editor == ORACLE else level.cells[editor]
        return self.intervals.get((level.goal, editor, metric)) or matched.interval(cells, metric)


def matched_table(run: Run) -> Table:
    """Two blocks a goal: reach and collateral on the prompts that each editor meets; pairs on those that both meet.

    Args:
        run: with matched chunks.
    """
    matched = Matched(run)
    groups = find_groups(matched)
    data = [row for level in matched.levels for row in _rows(matched, level, groups)]
    unit = run.effect_unit
    pairs = ((_block(matched, level, groups), _pairs(level, unit, groups)) for level in matched.levels)
    blocks = [block for both in pairs for block in both]
    shown = tuple(block for block in blocks if block is not None)
    return Table("matched", QUESTION, names(COLUMNS), tuple(data), shown, _notes(groups))


def find_groups(matched: Matched) -> Groups:
    """Compare the editors at every goal in pairs; Holm over all goals, pairs and metrics of the table."""
    metrics = known_columns(matched.levels, MEASURES)
    intervals: dict[tuple[float, str, str], Interval] = {}
    for level in matched.levels:
        intervals |= _intervals(level, [EFFECT, *metrics])
    tests = compare_pairs(matched.levels, metrics)
    if tests is None:
        return Groups({}, intervals, None)
    found = {
        (level.goal, name): letters(_best_first(matched, level, metric_of(name)), _different(tests, level.goal, name))
        for level in matched.levels
        for name in metrics
        if len(level.compared) > 1
    }
    return Groups(found, intervals, tests, _too_small(matched.levels, int(tests["p"].notna().sum())))


def _too_small(levels: Sequence[Level], tests: int) -> tuple[str, ...]:
    found = []
    for level in levels:
        for pair in pairs_of(level):
            cells = level.cells[pair.first]
            images = cells[cells["prompt"].isin(pair.prompts)]["image"].nunique()
            found.append(too_small(images, len(pair.prompts), tests, population_of(len(pair.prompts))))
    return tuple(dict.fromkeys(sentence for sentence in found if sentence))


def _intervals(level: Level, metrics: Sequence[str]) -> dict[tuple[float, str, str], Interval]:
    """Every editor's own, for the population that its prompts can speak of."""
    found: dict[tuple[float, str, str], Interval] = {}
    for editor, cells in [*level.cells.items(), (ORACLE, level.oracle)]:
        if not len(cells):
            continue
        rows = summarise(cells, metrics, population=population_of(cells["prompt"].nunique()), by=("editor",))
        for row in rows[rows["cells"] > 0].itertuples():
            known = isfinite(row.low) and isfinite(row.high)
            low, high = (_rounded(row.low), _rounded(row.high)) if known else (None, None)
            mean_ = _rounded(row.mean)
            found[level.goal, editor, row.metric] = Interval(mean_, low, high, int(row.cells), int(row.images))
    return found


def _rounded(value: float) -> float:
    """Ten digits: the last ones of a BLAS product depend on the number of threads."""
    return float(f"{value:.10g}")


def _best_first(matched: Matched, level: Level, record: Metric) -> list[str]:
    means = {editor: matched.interval(level.cells[editor], record.name).mean for editor in level.compared}
    return sorted(level.compared, key=lambda editor: -record.sign * (means[editor] or 0.0))


def _different(table: DataFrame, goal: float, metric: str) -> list[tuple[str, str]]:
    rows = table[(table["goal"] == goal) & (table["metric"] == metric) & (table["p_holm"] < SIGNIFICANT)]
    return list(zip(rows["editor_a"], rows["editor_b"], strict=True))


def _rows(matched: Matched, level: Level, groups: Groups) -> list[dict[str, Value]]:
    rows = []
    for editor, cells in [*level.cells.items(), *([(ORACLE, level.oracle)] if len(level.oracle) else [])]:
        role = ORACLE if editor == ORACLE else level.role(editor)
        row: dict[str, Value] = {"goal": level.goal, "editor": editor, "role": role}
        row["prompts"] = len(matched.run.prompts)
        if role != ORACLE:
            reach = level.reach[editor]
            row |= {"prompts_reached": len(reach.prompts), "prompts_met": len(reach.met)}
            row["reach_prompts"] = len(reach.prompts) / len(matched.run.prompts)
            row |= interval_columns("reach_edits", reach.edits)
        if role in SHOWN and len(cells):
            over = cells["prompt"].nunique() if role != "compared" else len(level.own_prompts(editor))
            row |= {"prompts_compared": over, "population": population_of(over), "cells": len(cells)}
            for name in (EFFECT, *MEASURES):
                row |= interval_columns(name, groups.interval(matched, level, editor, name))
            for name in MEASURES:
                row[f"{name}_group"] = groups.letters.get((level.goal, name), {}).get(editor)
            row["at_ceiling"] = None if role == ORACLE else at_ceiling(cells, level.oracle)
        rows.append(row)
    return rows


def _block(matched: Matched, level: Level, groups: Groups) -> Block:
    measures = [metric_of(name) for name in known_columns([level], MEASURES)]
    count = len(matched.run.prompts)
    reach = (f"prompts reached ↑ (of {count})", "edits that attain it ↑")
    header = ("editor", "role", *reach, metric_of(EFFECT).title, *(record.title for record in measures))
    rows = tuple(_printed(matched, level, row, groups, measures) for row in _rows(matched, level, groups))
    return Block(_title(level, matched.run.effect_unit), header, rows, texts=2)


def _title(level: Level, unit: str) -> str:
    if not level.compared:
        return f"Effect {level.goal:g} {unit}: no editor meets it for a quarter of the prompts"
    return f"Effect {level.goal:g} {unit}, each editor over the prompts that it meets"


def _pairs(level: Level, unit: str, groups: Groups) -> Block | None:
    """Differences of every pair on the prompts that both meet, which are named; bold: found by the corrected test."""
    pairs = pairs_of(level)
    if groups.tests is None or not pairs:
        return None
    records = [metric_of(name) for name in known_columns([level], MEASURES)]
    here = groups.tests[groups.tests["goal"] == level.goal].set_index(["editor_a", "editor_b", "metric"])
    rows = []
    for pair in pairs:
        texts = []
        for record in records:
            test = here.loc[(pair.first, pair.second, record.name)]
            low, high = (test["low"], test["high"]) if isfinite(test["low"]) else (None, None)
            value = Interval(float(test["difference"]), low, high, int(test["cells"]), int(test["images"]))
            text = interval_text(value, record.digits) if isfinite(test["difference"]) else ""
            texts.append(f"**{text}**" if test["p_holm"] < SIGNIFICANT else text)
        rows.append((f"{pair.first} - {pair.second}", f"{len(pair.prompts)}: {', '.join(pair.prompts)}", *texts))
    header = ("difference", "prompts that both meet", *(record.title for record in records))
    return Block(f"Effect {level.goal:g} {unit}, pairs on the prompts that both meet", header, tuple(rows), texts=2)


def _printed(
    matched: Matched, level: Level, row: dict[str, Value], groups: Groups, measures: Sequence[Metric]
) -> tuple[str, ...]:
    editor, role = str(row["editor"]), str(row["role"])
    mark = f" {CEILING_MARK}" if row.get("at_ceiling") else ""
    if role == ORACLE:
        cells, reach = level.oracle, ("", "")
    else:
        cells, found = level.cells[editor], level.reach[editor]
        reach = (str(len(found.prompts)), interval_text(found.edits, 2))
    if role not in SHOWN or not len(cells):
        return (editor, role, *reach, *[""] * (1 + len(measures)))
    texts = []
    for record in (metric_of(EFFECT), *measures):
        signs = groups.letters.get((level.goal, record.name), {}).get(editor, "")
        value = groups.interval(matched, level, editor, record.name)
        texts.append(f"{interval_text(value, record.digits)} {signs}".strip())
    return (editor + mark, role if role != "compared" else "", *reach, *texts)


def _notes(groups: Groups) -> tuple[str, ...]:
    notes = [
        "The right effect of a prompt is that of its counterfactuals on the calibration images, or, where none are "
        "known, the median over real pairs with and without the value (docs/tables.md, matched). "
        "Strengths: one for each editor, prompt and effect, found on the calibration images; out of reach, the one "
        "with the largest effect. All columns but the reach are over the eligible cells of the prompts that the editor "
        "itself meets, so that no other editor changes them: the rows may be over different prompts, and only the "
        "pairs below compare. Floors and the oracle are over all prompts. ±: half of the 95 % interval.",
        "Prompts reached: some strength up to 3 has this mean effect on the calibration images. Edits that attain it: "
        f"share of eligible test edits, over all prompts, with at least {ATTAINED_SHARE:g} times the effect (a "
        "strength whose mean is the effect leaves about half of the edits below it).",
        "Compared are editors that have this effect, up to its standard error (or 0.05 σ), for at least "
        f"{COMPARED_SHARE:.0%} of the prompts at some strength; of the others, some are out of reach and some "
        "overshoot: no strength gives them so little. "
        "Floors are controls, at their strongest where they do not get there. Oracle: the counterfactual through the "
        f"inversion, whatever its effect, the ceiling; {CEILING_MARK} marks an editor that is not below it.",
    ]
    if groups.tests is not None:
        notes.append(
            "Letters: editors that share a letter in a column cannot be told apart, and their order means nothing; a "
            "holds the best. They rest on the pairs: differences on the prompts that both meet, sign flips, Holm over "
            "all columns, effects and pairs; bold: found. Verdicts and intervals hold for images like these and, from "
            f"{FEWEST_PROMPTS} prompts on, for prompts like these, otherwise for exactly these prompts."
        )
    return (*notes, *groups.too_small)
