"""Which editors differ at equal effect: every pair on the prompts that both meet, so that no third editor matters.

Means, intervals, sets of prompts and uncorrected p-values of a pair are its own; only Holm's correction counts the
other tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from eval.statistics import LIKE_THESE, compare_editors, holm
from eval.statistics import THESE_PROMPTS as THESE
from reports.equal_effect.prompts import Level

if TYPE_CHECKING:
    from pandas import DataFrame

FEWEST_PROMPTS = 12  # sign flips of fewer, 2¹¹ patterns, leave no room for Holm's correction


class Pair(NamedTuple):
    """Two editors at one goal, and the prompts that both meet."""

    goal: float
    first: str
    second: str
    prompts: tuple[str, ...]


def pairs_of(level: Level) -> tuple[Pair, ...]:
    """All pairs of compared editors that meet a prompt in common."""
    found = (
        Pair(level.goal, a, b, tuple(name for name in level.own_prompts(a) if name in level.own_prompts(b)))
        for a, b in combinations(level.compared, 2)
    )
    return tuple(pair for pair in found if pair.prompts)


def population_of(prompts: int) -> str:
    """What so many prompts can speak of: prompts like these, or exactly these.

    >>> population_of(16), population_of(5)
    ('prompts-like-these', 'these-prompts')
    """
    return LIKE_THESE if prompts >= FEWEST_PROMPTS else THESE


def compare_pairs(levels: Sequence[Level], metrics: Sequence[str]) -> DataFrame | None:
    """Paired tests of every pair at every goal; Holm over all of them.

    Args:
        levels: of ``Matched``.
        metrics: columns to compare.

    Returns:
        The columns of ``eval.statistics.compare_editors``, ``goal`` and ``population``; None where no pair shares a
        prompt.
    """
    import pandas

    tables = []
    for level in levels:
        for pair in pairs_of(level):
            cells = pandas.concat([level.cells[pair.first], level.cells[pair.second]], ignore_index=True)
            population = population_of(len(pair.prompts))
            table = compare_editors(cells[cells["prompt"].isin(pair.prompts)], metrics, population=population)
            if len(table):
                tables.append(table.assign(goal=level.goal, population=population))
    if not tables:
        return None
    joined = pandas.concat(tables, ignore_index=True)
    return joined.assign(p_holm=holm(joined["p"].to_numpy()))
