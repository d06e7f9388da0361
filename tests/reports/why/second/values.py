"""Every value of the described tables, computed from the files by other code than the tables'."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eval.runs.reader import ORACLE, Run
from eval.statistics import interval_of_mean
from reports.tables.columns import BY_POPULATION, FRECHET, LABEL, Column
from reports.tables.matched import find_groups
from reports.tables.recipes import column_of
from reports.why.value import Number
from reports.writers.layout import NOT_AVAILABLE, Value
from tests.reports.why.second import goals
from tests.reports.why.second.costs import second_cost
from tests.reports.why.second.distances import second_distance
from tests.reports.why.second.files import Files
from tests.reports.why.second.selection import COUNTERFACTUAL, INVERSION, REFERENCE, Row, cells_of, numbers_of

if TYPE_CHECKING:
    from pandas import DataFrame

PLAIN = "a plain mean over the cells"
BOOTSTRAP = "the interval of the statistics on the cells read plainly"
SHARES = ("success", "preservation", "flip_rate", "reach_edits")
TOLERANCE = 1e-9  # relative: sums in another order; a table keeps at least ten digits
SINGLE_PRECISION = 1e-6  # the table's own sums are partly float32, or its formula is another one


class Second(NamedTuple):
    """A value found a second time.

    Attributes:
        value: as the csv would have it; None: blank.
        how: in words; '' if it was not found a second time.
        tolerance: relative difference that the way of computing explains.
    """

    value: Value
    how: str
    tolerance: float = TOLERANCE


class Question(NamedTuple):
    """What is asked for.

    Attributes:
        files: of the run.
        table: name.
        row: of its csv.
        stem: the column without ``_low`` or ``_high``.
        column: described.
        statistics: of ``eval``, for intervals and groups at equal effect; None without.
    """

    files: Files
    table: str
    row: Row
    stem: str
    column: Column
    statistics: ModuleType | None


def second_value(asked: Question) -> Second:
    """Compute the value from the files.

    Returns:
        ``how`` is '' for labels, and for what only the folder's ``determinism.json`` says.
    """
    special = _SPECIAL.get((asked.table, asked.stem)) or _SPECIAL.get(("", asked.stem))
    if asked.table == "strengths":
        return _strengths(asked)
    if asked.table == "runtime":
        return Second(*second_cost(asked.files, asked.row["editor"], asked.stem))
    if asked.column.kind == FRECHET or asked.column.over.endswith("pooled over prompts"):
        if asked.column.bound:
            return Second(None, "")
        return Second(*second_distance(asked.files, asked.row, asked.stem), SINGLE_PRECISION)
    if special is not None:
        return special(asked)
    if asked.stem.endswith("_group"):
        return _group(asked)
    if not asked.column.measure:
        return Second(None, "")
    return _mean(asked)


def _mean(asked: Question) -> Second:
    if asked.table == "main" and asked.row["editor"] == COUNTERFACTUAL:
        return _exact(asked)
    if asked.table == "main" and asked.row["editor"] == INVERSION and asked.stem not in INVERTED:
        return Second(None, "the row has no such number")
    if asked.table == "matched" and asked.row["role"] in ("overshoots", "out of reach") and asked.stem != "reach_edits":
        return Second(None, "the editor is not compared at this goal")
    if asked.table == "matched" and asked.row["editor"] == ORACLE and asked.stem == "reach_edits":
        return Second(None, "the oracle is asked for no effect")
    _, cells = cells_of(asked.files, asked.table, asked.row, asked.column)
    if not len(cells):
        return Second(None, "no cell counts")
    if asked.column.bound and asked.column.interval == BY_POPULATION and asked.row.get("population"):
        return _population_bound(asked, cells)
    numbers = numbers_of(asked.table, asked.row, asked.stem, asked.column, cells)
    return _of_numbers(asked, numbers, cells["source"].to_numpy(np.int64), PLAIN, cells["prompt"].to_numpy())


INVERTED = ("counterfactual_psnr_db", "counterfactual_ssim")  # columns of the main table that row inversion has


def _of_numbers(
    asked: Question, numbers: np.ndarray, sources: np.ndarray, how: str, prompts: np.ndarray | None = None
) -> Second:
    """Their mean, or a bound of its interval."""
    import pandas

    there = ~np.isnan(numbers)
    numbers, sources = numbers[there], sources[there]
    if not len(numbers):
        return Second(None, "no cell has a number")
    if not asked.column.bound:
        return Second(float(pandas.Series(numbers).mean()), how)
    if len(set(sources.tolist())) < 2:
        return Second(NOT_AVAILABLE, "fewer than two images")
    share = asked.stem in SHARES
    found = interval_of_mean(numbers, sources, None if prompts is None else prompts[there], share=share)
    bound = getattr(found, asked.column.bound)
    return Second(NOT_AVAILABLE if bound is None else bound, BOOTSTRAP)


def _population_bound(asked: Question, cells: DataFrame) -> Second:
    """A bound for the population of the row: the bootstrap of ``eval.statistics`` on the cells read plainly."""
    if asked.statistics is None:
        return Second(None, "")
    population = asked.row["population"]
    found = asked.statistics.summarise(
        cells.assign(editor=asked.row["editor"]), [asked.stem], population=population, by=("editor",)
    )
    value = float(found[asked.column.bound].iloc[0])
    other = float(found["high" if asked.column.bound == "low" else "low"].iloc[0])
    known = not math.isnan(value) and not math.isnan(other)
    return Second(value if known else NOT_AVAILABLE, "the bootstrap of the statistics on the cells read plainly")


def _exact(asked: Question) -> Second:
    """The counterfactuals' identity to the originals."""
    if asked.stem != "identity":
        return Second(None, "the row has no such number")
    originals = asked.files.array("sources.npz", "identity").astype(np.float64)
    cosines, sources = [], []
    for prompt in asked.files.prompts:
        counterfactuals = asked.files.array(f"counterfactuals/{prompt['name']}.npz", "identity").astype(np.float64)
        if not counterfactuals.size:
            return Second(None, "the domain knows no counterfactuals")
        for number, (one, other) in enumerate(zip(originals, counterfactuals, strict=True)):
            cosines.append(float(one @ other / math.sqrt((one @ one) * (other @ other))))
            sources.append(number)
    found = _of_numbers(asked, np.array(cosines), np.array(sources), "cosines of the stored embeddings, averaged")
    return found._replace(tolerance=SINGLE_PRECISION)


def _count(asked: Question) -> Second:
    every, cells = cells_of(asked.files, asked.table, asked.row, asked.column)
    if asked.row.get("kind") == REFERENCE and asked.row["editor"] != ORACLE:
        return Second(None, "the row is no editor")
    if asked.table == "matched" and asked.row["role"] in ("overshoots", "out of reach"):
        return Second(None, "the editor is not compared at this goal")
    if asked.table == "matched" and not len(cells):
        return Second(None, "no cell counts")
    return Second(len(cells) if asked.stem == "eligible" or asked.table == "matched" else len(every), "counted")


def _prompts(asked: Question) -> Second:
    if asked.table == "pareto":
        return Second(len(goals.curve_prompts(asked.files)), "counted")
    if asked.row.get("kind") == REFERENCE:
        return Second(None, "the row is no editor")
    return Second(len(asked.files.prompts), "counted")


def _mastered(asked: Question) -> Second:
    """Prompts whose success and preservation reach both thresholds."""
    if asked.row.get("kind") == REFERENCE:
        return Second(None, "the row is no editor")
    _, cells = cells_of(asked.files, asked.table, asked.row, asked.column)
    means = cells.groupby("prompt")[["success", "preservation"]].mean() if len(cells) else cells
    reach = (means["success"] >= 0.8 - 1e-9) & (means["preservation"] >= 0.9 - 1e-9) if len(means) else np.array([])
    if asked.table == "main":
        return Second(int(reach.sum()), "counted from plain means")
    return Second(bool(reach.all()) if len(means) and means.notna().all(axis=None) else None, "compared plain means")


def _at_ceiling(asked: Question) -> Second:
    oracle = [info for info in asked.files.infos if info["kind"] == ORACLE]
    if not oracle or asked.row["editor"] == ORACLE or asked.row.get("role") in ("overshoots", "out of reach"):
        return Second(None, "there is no oracle to compare with" if not oracle else "the row is not compared with it")
    _, cells = cells_of(asked.files, asked.table, asked.row, asked.column)
    if asked.table == "matched" and not len(cells):
        return Second(None, "no cell counts")
    other = asked.files.cells(oracle)
    if asked.table == "matched":
        other = other[other["eligible"].to_numpy(dtype=bool)]
    columns = ["counterfactual_psnr_db", "counterfactual_identity"]
    keys = ["prompt", "image"]
    both = cells[keys + columns].merge(other[keys + columns], on=keys, suffixes=("", "_oracle"))
    above = [both[name].mean() >= both[f"{name}_oracle"].mean() - 1e-9 for name in columns]
    return Second(bool(len(both)) and all(above), "compared plain means")


def _disagree(asked: Question) -> Second:
    """Cells whose verdicts are not all equal, over those that have two or more."""
    if asked.row["kind"] == "reference":
        return Second(None, "the row has no such number")
    _, cells = cells_of(asked.files, asked.table, asked.row, asked.column)
    names = [name for name in asked.column.recipes if name in cells]
    told = [{float(value) for value in row if value == value} for row in cells[names].to_numpy(object)]
    counts = [sum(value == value for value in row) for row in cells[names].to_numpy(object)]
    numbers = [float(len(kinds) > 1) if count > 1 else np.nan for kinds, count in zip(told, counts, strict=True)]
    sources, prompts = cells["source"].to_numpy(np.int64), cells["prompt"].to_numpy()
    return _of_numbers(asked, np.array(numbers), sources, PLAIN, prompts)


def _told(asked: Question) -> Second:
    value = asked.files.manifest.get(asked.stem)
    return Second(None if value is None else float(value), "read from the manifest")


def _role(asked: Question) -> Second:
    if asked.row["editor"] == ORACLE:
        return Second(ORACLE, "its own row")
    return Second(goals.role(asked.files, asked.row["editor"], float(asked.row["goal"])), "found from strengths/")


def _reach_counts(asked: Question) -> Second:
    """The counts of prompts in the table ``matched``."""
    editor, goal = asked.row["editor"], float(asked.row["goal"])
    if asked.stem == "prompts_compared":
        shown = asked.row["role"] not in ("overshoots", "out of reach")
        own = goals.own_prompts(asked.files, editor, goal)
        return Second(len(own) if shown else None, "counted from strengths/")
    if editor == ORACLE:
        return Second(None, "the oracle is asked for no effect")
    names = goals.met(asked.files, editor, goal) if asked.stem == "prompts_met" else None
    names = goals.reached(asked.files, editor, goal) if names is None else names
    share = len(asked.files.prompts) if asked.stem == "reach_prompts" else None
    return Second(len(names) if share is None else len(names) / share, "counted from strengths/")


def _group(asked: Question) -> Second:
    """Letters: the report's own comparison once more, as there is no second one."""
    from reports.equal_effect.prompts import Matched

    if asked.statistics is None:
        return Second(None, "")
    if asked.files.letters is None:
        asked.files.letters = find_groups(Matched(Run(asked.files.folder))).letters
    letters = asked.files.letters.get((float(asked.row["goal"]), asked.column.measure), {})
    return Second(letters.get(asked.row["editor"]), "the report's own comparison once more")


def _area(asked: Question) -> Second:
    """The trapezoid rule over the means of the cells that all goals have."""
    if not asked.row["goal"] or len(goals.curve_goals(asked.files)) < 2:
        return Second(None, "a single point has no area")
    tables = []
    for goal in goals.curve_goals(asked.files):
        row = {**asked.row, "goal": f"{goal}"}
        _, cells = cells_of(asked.files, "pareto", row, asked.column)
        own = numbers_of("pareto", row, "value", asked.column, cells)
        tables.append(cells[["prompt", "source"]].assign(own=own).set_index(["prompt", "source"])["own"])
    import pandas

    joined = pandas.concat(tables, axis=1, join="inner")
    heights, places = joined.to_numpy(), np.array(goals.curve_goals(asked.files))
    areas = ((heights[:, 1:] + heights[:, :-1]) / 2 * np.diff(places)).sum(1) / (places[-1] - places[0])
    sources = joined.index.get_level_values("source").to_numpy(np.int64)
    return _of_numbers(asked, areas, sources, "the trapezoid rule cell by cell, and a plain mean")


def _strengths(asked: Question) -> Second:
    """The sweep's numbers as the file of the calibration has them."""
    row = asked.row
    found = [c for c in asked.files.calibrations if (c["editor"], c["prompt"]) == (row["editor"], row["prompt"])]
    points = [p for p in found[0]["sweep"] if p["strength"] == float(row["strength"])] if found else []
    if not points:
        return Second(None, "")
    if asked.stem == "harmonic_mean":
        return Second(
            _harmonic(points[0]["success"], points[0]["preservation"]), "from success and preservation of strengths/"
        )
    if asked.stem == "chosen":
        return Second(found[0]["chosen"] == float(row["strength"]), "read from strengths/")
    name = {"clean_success": "clean"}.get(asked.stem, asked.stem)
    return Second(points[0].get(name), "read from strengths/; the calibration's cells are not kept")


def _harmonic(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    return 2 / (1 / a + 1 / b) if a and b else 0.0


_SPECIAL: dict[tuple[str, str], Callable[[Question], Second]] = {
    ("", "cells"): _count,
    ("", "eligible"): _count,
    ("", "prompts"): _prompts,
    ("", "prompts_mastered"): _mastered,
    ("", "mastered"): _mastered,
    ("main", "judges_disagree"): _disagree,
    ("", "at_ceiling"): _at_ceiling,
    ("", "identity_floor"): _told,
    ("", "identity_ceiling"): _told,
    ("matched", "role"): _role,
    ("matched", "prompts_compared"): _reach_counts,
    ("matched", "prompts_met"): _reach_counts,
    ("matched", "prompts_reached"): _reach_counts,
    ("matched", "reach_prompts"): _reach_counts,
    ("pareto", "area"): _area,
}


def agrees(text: str, second: Value, tolerance: float) -> tuple[bool, float]:
    """Whether the csv's text is the value, and their difference.

    >>> agrees("0.5", 0.5, 1e-9), agrees("", None, 1e-9), agrees("True", False, 1e-9)[0]
    ((True, 0.0), (True, 0.0), False)
    """
    if second is None or isinstance(second, (bool, str)):
        same = text == ("" if second is None else str(second))
        return same, 0.0 if same else math.nan
    if not text or text in ("n/a", "never", "True", "False"):
        return (not text and math.isnan(float(second))), math.nan
    difference = 0.0 if float(text) == float(second) else abs(float(text) - float(second))
    return difference <= tolerance * max(1.0, abs(float(text))), difference


def check(files: Files, number: Number, statistics: ModuleType | None = None) -> dict[str, Any]:
    """The value by this second implementation, how it was found, and whether the csv has the same.

    ``agrees`` is None for labels and for what has no second implementation.
    """
    column = column_of(number.table, number.column, str(files.manifest.get("frechet_name", "")))
    assert column is not None, number.name
    if column.kind == LABEL and number.table != "runtime":
        return {"value": None, "how": "a label", "agrees": None, "difference": None}
    stem = number.column.removesuffix(f"_{column.bound}") if column.bound else number.column
    second = second_value(Question(files, number.table, number.row, stem, column, statistics))
    if not second.how:
        return {"value": None, "how": "", "agrees": None, "difference": None}
    same, difference = agrees(number.row[number.column], second.value, second.tolerance)
    return {"value": second.value, "how": second.how, "agrees": same, "difference": difference}
