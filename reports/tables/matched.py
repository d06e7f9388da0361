"""What does an edit of a given strength of effect cost the rest of the picture?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from eval.metrics.book import Metric, metric_of
from eval.runs.reader import ORACLE, Run
from eval.statistics import LIKE_THESE, Interval, compare_editors, holm, letters, summarise, too_small
from eval.statistics import THESE_PROMPTS as THESE
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
COMPARED = "eligible cells of the prompts that all compared editors meet"
COLUMNS = {
    "goal": label("target effect in σ"),
    "editor": EDITOR,
    "role": verdict(
        "compared (meets at least a quarter of the prompts), floor, overshoots, out of reach or oracle",
        *("matched", "", (EFFECT,)),
    ),
    "prompts": count("number of prompts of the run"),
    "prompts_reached": count(
        "number of prompts for which some strength has this mean effect on the calibration images", "", (EFFECT,)
    ),
    "prompts_met": count("number of those whose strength was found within 0.05 σ of the goal", "", (EFFECT,)),
    "reach_prompts": Column(MEAN, "prompts_reached / prompts", f"{TABLES_DOC}, matched", recipes=(EFFECT,)),
    "reach_edits": Column(
        *(MEAN, "share of eligible cells of all prompts whose target effect is at least half the goal"),
        *(f"{TABLES_DOC}, matched", EFFECT, "eligible cells of all prompts"),
        recipes=(EFFECT,),
        interval=BY_IMAGE,
    ),
    "prompts_compared": count("number of prompts that all compared editors meet", "", (EFFECT,)),
    "cells": count("number of eligible cells of the compared prompts", COMPARED, ("eligible",)),
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

    With it, by goal, for which population of prompts; (goal, editor, metric) -> interval for the same population; and a
    sentence for every goal at which so few images and prompts cannot show any difference.
    """

    letters: dict[tuple[float, str], dict[str, str]]
    population: dict[float, str]
    intervals: dict[tuple[float, str, str], Interval]
    too_small: tuple[str, ...] = ()

    def interval(self, matched: Matched, level: Level, editor: str, metric: str) -> Interval:
        """That of the population, otherwise over source images."""
        cells = level.oracle if editor == ORACLE else level.cells[editor]
        return self.intervals.get((level.goal, editor, metric)) or matched.interval(cells, metric)


def matched_table(run: Run) -> Table:
    """One block a goal: reach, and collateral on the prompts that all compared editors meet.

    Args:
        run: with matched chunks.
    """
    matched = Matched(run)
    groups = find_groups(matched)
    data = [row for level in matched.levels for row in _rows(matched, level, groups)]
    blocks = tuple(_block(matched, level, groups) for level in matched.levels)
    return Table("matched", QUESTION, names(COLUMNS), tuple(data), blocks, _notes(run, groups))


def find_groups(matched: Matched) -> Groups:
    """Compare all editors at every goal in pairs; Holm over all goals, pairs and metrics of the table."""
    import pandas

    metrics = known_columns(matched.levels, MEASURES)
    levels = [level for level in matched.levels if level.prompts]
    tests = sum(len(metrics) * len(list(combinations(level.compared, 2))) for level in levels)
    tables, population = [], {}
    intervals: dict[tuple[float, str, str], Interval] = {}
    for level in levels:
        population[level.goal] = _population(len(level.prompts), tests)
        intervals |= _intervals(level, [EFFECT, *metrics], population[level.goal])
        cells = pandas.concat([level.cells[editor] for editor in level.compared], ignore_index=True)
        table = compare_editors(cells, metrics, population=population[level.goal])
        if len(table):
            tables.append(table.assign(goal=level.goal))
    if not tables:
        return Groups({}, population, intervals)
    joined = pandas.concat(tables, ignore_index=True)
    joined = joined.assign(p_holm=holm(joined["p"].to_numpy()))
    found = {
        (level.goal, name): letters(_best_first(matched, level, metric_of(name)), _different(joined, level.goal, name))
        for level in levels
        for name in metrics
        if len(level.compared) > 1
    }
    return Groups(found, population, intervals, _too_small(levels, int(joined["p"].notna().sum()), population))


def _too_small(levels: Sequence[Level], tests: int, population: dict[float, str]) -> tuple[str, ...]:
    compared = [level for level in levels if len(level.compared) > 1]
    images = {
        level.goal: max(level.cells[editor]["image"].nunique() for editor in level.compared) for level in compared
    }
    found = (too_small(images[x.goal], len(x.prompts), tests, population[x.goal]) for x in compared)
    return tuple(dict.fromkeys(sentence for sentence in found if sentence))


def _intervals(level: Level, metrics: Sequence[str], population: str) -> dict[tuple[float, str, str], Interval]:
    import pandas

    tables = [*level.cells.values(), *([level.oracle] if len(level.oracle) else [])]
    cells = pandas.concat(tables, ignore_index=True)
    found = summarise(cells, metrics, population=population, by=("editor",))
    bounded = found["low"].notna() & found["high"].notna()
    return {
        (level.goal, row.editor, row.metric): Interval(
            _rounded(row.mean),
            _rounded(row.low) if known else None,
            _rounded(row.high) if known else None,
            int(row.cells),
            int(row.images),
        )
        for row, known in zip(found.itertuples(), bounded, strict=True)
        if row.cells
    }


def _rounded(value: float) -> float:
    """Ten digits: the last ones of a BLAS product depend on the number of threads."""
    return float(f"{value:.10g}")


def _population(prompts: int, tests: int) -> str:
    """Prompts like these, unless so few prompts could never show a difference.

    Flipping P prompts has 2^(P-1) outcomes, so that the smallest p is 2^(1-P); Holm multiplies it by the tests.
    """
    return LIKE_THESE if prompts > 1 and 2.0 ** (1 - prompts) * tests < SIGNIFICANT else THESE


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
        row |= {"prompts": len(matched.run.prompts), "prompts_compared": len(level.prompts)}
        row["population"] = groups.population.get(level.goal)
        if role != ORACLE:
            reach = level.reach[editor]
            row |= {"prompts_reached": len(reach.prompts), "prompts_met": len(reach.met)}
            row["reach_prompts"] = len(reach.prompts) / len(matched.run.prompts)
            row |= interval_columns("reach_edits", reach.edits)
        if role in SHOWN and len(cells):
            row["cells"] = len(cells)
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
    return Block(_title(level), header, rows, texts=2)


def _title(level: Level) -> str:
    if not level.prompts:
        return f"Effect {level.goal:g} σ: no prompt that all compared editors meet"
    noun = "prompt" if len(level.prompts) == 1 else "prompts"
    who = "the only editor that gets there meets" if len(level.compared) == 1 else "all compared editors meet"
    return f"Effect {level.goal:g} σ, over the {len(level.prompts)} {noun} that {who}: {', '.join(level.prompts)}"


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


def _notes(run: Run, groups: Groups) -> tuple[str, ...]:
    notes = [
        "Strengths: one for each editor, prompt and effect, found on the calibration images; out of reach, the one "
        "with the largest effect. All columns but the reach are over the eligible cells of the prompts named, the same "
        "for all editors. ±: half of the 95 % interval.",
        "Prompts reached: some strength up to 3 has this mean effect on the calibration images. Edits that attain it: "
        f"share of eligible test edits, over all prompts, with at least {ATTAINED_SHARE:g} times the effect (a "
        "strength whose mean is the effect leaves about half of the edits below it).",
        f"Compared are editors that have this effect, within 0.05 σ, for at least {COMPARED_SHARE:.0%} of the prompts "
        "at some strength; of the others, some are out of reach and some overshoot: no strength gives them so little. "
        "Floors are controls, at their strongest where they do not get there. Oracle: the counterfactual through the "
        f"inversion, whatever its effect, the ceiling; {CEILING_MARK} marks an editor that is not below it.",
    ]
    if groups.letters:
        words = {LIKE_THESE: "prompts like these", THESE: "exactly these prompts, as they are too few for more"}
        said = "; ".join(f"{goal:g} σ: {words[name]}" for goal, name in groups.population.items())
        notes.append(
            "Letters: editors that share a letter in a column cannot be told apart, and their order means nothing; a "
            "holds the best. Paired differences, sign flips by image and prompt, Holm over all columns, effects and "
            f"pairs. Verdicts and intervals hold for images like these and, at {said}."
        )
    return (*notes, *groups.too_small)
