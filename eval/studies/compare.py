"""Compare two runs, or two editors of one run, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.errors import UsageError, unknown
from eval.runs.reader import Run
from eval.statistics import (
    THESE_PROMPTS,
    compare_paired,
    grid_of,
    holm,
    metric_columns,
    too_small,
    verdict,
    with_setting,
)
from eval.studies.comparable import refuse_mixture

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """What two runs differ in.

    Attributes:
        table: one row per pair of editors, setting and metric: editor_a, editor_b, setting, metric, mean_a, mean_b,
            difference (A - B), low, high (95 %), p, p_holm (over the whole table), detectable, cells, images, prompts,
            verdict.
        unpaired: cells that only one of the two runs has; they are left out.
        too_small: a sentence, where so few images and prompts cannot show any difference.
        versions: (editor, its version in A, in B) of editors that mean another edit in the two runs.
    """

    table: pd.DataFrame
    unpaired: int
    too_small: str | None = None
    versions: tuple[tuple[str, int, int], ...] = ()


def compare_runs(
    first: Path,
    second: Path,
    *,
    editors: tuple[str, str] | None = None,
    metrics: Sequence[str] = (),
    population: str = THESE_PROMPTS,
    seed: int = 0,
) -> Comparison:
    """Compare the cells that two runs share: same editor, setting, prompt and image.

    Args:
        first: run folder A.
        second: run folder B; may be the same.
        editors: an editor of A and one of B; without it every editor that both have with itself, or the only one of A
            with the only one of B.
        metrics: columns to compare; all that an editor can change if empty.
        population: ``these-prompts`` or ``prompts-like-these``.
        seed: of the bootstrap and the sign flips.

    Raises:
        UsageError: a folder is no readable run, the runs have different recipes or nothing in common, or a name is
            unknown.
    """
    import pandas as pd

    run_a, cells_a = _read(first)
    run_b, cells_b = (run_a, cells_a) if first.resolve() == second.resolve() else _read(second)
    refuse_mixture(run_a, run_b)
    wanted = metric_columns(cells_a, metrics)
    columns = [name for name in wanted if name in metric_columns(cells_b, metrics)]
    tables, unpaired = [], 0
    for editor_a, editor_b in _pairs(run_a, run_b, editors):
        mine, theirs = cells_a[cells_a["editor"] == editor_a], cells_b[cells_b["editor"] == editor_b]
        for setting in _shared(mine["setting"].unique(), theirs["setting"].unique()):
            a, b = mine[mine["setting"] == setting], theirs[theirs["setting"] == setting]
            unpaired += _unpaired(a, b)
            table = compare_paired(grid_of(a, columns), grid_of(b, columns), columns, population=population, seed=seed)
            tables.append(table.assign(editor_a=editor_a, editor_b=editor_b, setting=setting))
    if not tables:
        raise UsageError(f"{first} and {second} share no setting of the strength; compare runs of equal --strengths.")
    joined = pd.concat(tables, ignore_index=True)
    tests = int(joined["p"].notna().sum())
    small = too_small(int(joined["images"].max()), int(joined["prompts"].max()), tests, population) if tests else None
    return Comparison(_with_verdicts(joined), unpaired, small, _other_versions(run_a, run_b))


def _read(folder: Path) -> tuple[Run, pd.DataFrame]:
    """A run and its cells, with their setting."""
    try:
        run = Run(folder)
        cells = run.rows
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not len(cells):
        raise UsageError(f"The run {folder} has no finished chunk yet; run its command again.")
    return run, with_setting(cells.drop(columns=["chunk", "position", "source"]))


def _pairs(first: Run, second: Run, editors: tuple[str, str] | None) -> list[tuple[str, str]]:
    """The editors to set against each other."""
    if editors is not None:
        for run, editor in ((first, editors[0]), (second, editors[1])):
            if editor not in run.editors:
                raise unknown(f"editor in {run.folder}", editor, run.editors)
        return [editors]
    shared = _shared(first.editors, second.editors)
    if shared:
        return [(editor, editor) for editor in shared]
    if len(first.editors) == len(second.editors) == 1:
        return [(first.editors[0], second.editors[0])]  # nothing else can be meant
    raise UsageError(
        f"{first.folder} ({', '.join(first.editors)}) and {second.folder} ({', '.join(second.editors)}) share no "
        "editor; name one of each with --editors A,B."
    )


def _other_versions(first: Run, second: Run) -> tuple[tuple[str, int, int], ...]:
    one, other = (run.manifest.get("editors", {}) for run in (first, second))
    pairs = ((name, one[name].get("version", 1), other[name].get("version", 1)) for name in one if name in other)
    return tuple(pair for pair in pairs if pair[1] != pair[2])


def _shared(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return [name for name in one if name in set(other)]


def _unpaired(first: pd.DataFrame, second: pd.DataFrame) -> int:
    """Cells of one that the other does not have."""
    one, other = (set(zip(cells["prompt"], cells["image"], strict=True)) for cells in (first, second))
    return len(one ^ other)


def _with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Add Holm's p-values and the verdicts; put the columns in order."""
    table = table.assign(p_holm=holm(table["p"].to_numpy()))
    words = [verdict(*row) for row in zip(table["difference"], table["p_holm"], strict=True)]
    leading = ["editor_a", "editor_b", "setting", "metric", "mean_a", "mean_b", "difference", "low", "high"]
    return table.assign(verdict=words)[[*leading, "p", "p_holm", "detectable", "cells", "images", "prompts", "verdict"]]
