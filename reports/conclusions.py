"""What a run shows, in two to four plain sentences, none of them stronger than its paired tests allow.

Every pair of editors is compared on the cells that both have, in clean success, in success, and in how often a
successful edit shows another person; p-values are corrected by Holm over all these tests. A difference is told only
where its test finds it; where it does not, the sentence says which difference it would have found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, isfinite
from typing import TYPE_CHECKING

import numpy as np

from eval.runs.reader import HEADLINE_ORDER, Run
from eval.statistics import THESE_PROMPTS, compare_editors, minimum_detectable_effect, too_small, with_setting
from eval.statistics.comparison import SIGNIFICANT
from reports.equal_effect.prompts import is_control
from reports.means import eligible, mean_of
from reports.verdicts import VERDICTS, disagreement

if TYPE_CHECKING:
    from pandas import DataFrame

NAMED = 4  # editors that a sentence names; of more, the best ones
ANOTHER_PERSON = "another_person"  # of successful edits only: the identity judge takes the edit for somebody else
MEASURES = {  # column -> the edits, what is said of them, whether more is better
    "clean_success": ("eligible edits", "are a clean success", True),
    "success": ("eligible edits", "show what the text asks for", True),
    ANOTHER_PERSON: ("successful edits", "show another person", False),
}


@dataclass(frozen=True)
class Evidence:
    """What the sentences are made of.

    Attributes:
        cells: of one setting, of all editors that are no controls; columns of the run folder.
        setting: for example ``calibrated strength``.
        missing: cells of this setting that are not finished, or failed.
        counterfactuals: whether the domain knows them.
    """

    cells: DataFrame
    setting: str
    missing: int
    counterfactuals: bool


@lru_cache(maxsize=1)
def conclusions(run: Run) -> tuple[str, ...]:
    """The sentences about a run, made from the setting of the strength that all its editors share.

    Args:
        run: opened, with at least one finished chunk.
    """
    editors = [editor for editor in run.editors if not is_control(editor)]
    if not editors:
        return ("The run holds control editors only: its numbers say what doing nothing, or anything, scores.",)
    rows = with_setting(run.rows[run.rows["editor"].isin(editors) & (run.rows["kind"] != "matched")])
    shared = [s for s, own in rows.groupby("setting", sort=False) if own["editor"].nunique() == len(editors)]
    if not shared:
        return ("The editors share no setting of the strength, so that nothing can be said of one against another.",)
    setting = min(shared, key=lambda name: HEADLINE_ORDER.index(str(name).split()[0]))
    cells = with_person(rows[rows["setting"] == setting], run.manifest.get("same_person"))
    missing = len(editors) * len(run.prompts) * len(run.names) - len(cells)
    words = f"{setting} strength" if " " not in str(setting) else f"strength {str(setting).split()[1]}"
    known = any(run.counterfactual(prompt["name"], "images") is not None for prompt in run.prompts[:1])
    return sentences(Evidence(cells, words, missing, known))


def with_person(cells: DataFrame, same_person: float | None) -> DataFrame:
    """The cells with ``another_person``: 1 or 0 for successful eligible edits, otherwise NaN.

    Args:
        cells: columns ``eligible``, ``success`` and ``identity``.
        same_person: cosine from which two pictures show one person; None where the domain states none.
    """
    successful = cells["eligible"].astype(bool) & (cells["success"].astype(float) > 0)
    if same_person is None:
        return cells.assign(**{ANOTHER_PERSON: np.nan})
    other = (cells["identity"].astype(float) < same_person).astype(float)
    return cells.assign(**{ANOTHER_PERSON: other.where(successful & cells["identity"].notna())})


def sentences(evidence: Evidence) -> tuple[str, ...]:
    """Two to four sentences; a measure that nobody has a number of is left out."""
    cells = eligible(evidence.cells)
    known = [name for name in MEASURES if name in cells and cells[name].notna().any()]
    if not known:
        return ("No edit was eligible: the reconstructions show what the texts ask for already.",)
    editors = list(dict.fromkeys(cells["editor"]))
    tests = comb(len(editors), 2) * len(known)
    images = int(cells["image"].nunique())
    small = too_small(images, int(cells["prompt"].nunique()), tests) if tests else None
    table = (
        None
        if small is not None or not tests
        else compare_editors(cells, known, population=THESE_PROMPTS, intervals=False)
    )
    told = [_sentence(cells, name, table, tests, images) for name in known]
    told[0] = f"At {evidence.setting}, {told[0]}"
    return (*told, *_limits(evidence, small, len(editors)))


def _sentence(cells: DataFrame, name: str, table: DataFrame | None, tests: int, images: int) -> str:
    """The editors' means of one measure, the best first, and what its tests found."""
    population, said, more = MEASURES[name]
    groups = {str(editor): own for editor, own in cells.groupby("editor", sort=False) if own[name].notna().any()}
    means = {editor: float(own[name].astype(float).mean()) for editor, own in groups.items()}
    order = sorted(means, key=lambda editor: -means[editor] if more else means[editor])
    first, *others = order
    listed = [f"{_percent(means[first])} of {first}'s {population} {said}"]
    listed += [f"{_percent(means[editor])} of {editor}'s" for editor in others[: NAMED - 1]]
    if len(others) >= NAMED:
        listed.append(f"those of {len(others) + 1 - NAMED} more are worse")
    text = _joined(listed)
    if cells["editor"].nunique() == 1:
        found = mean_of(groups[first].assign(source=groups[first]["image"].factorize()[0]), name, share=True)
        return f"{text} (95 % interval {_percent(found.low)} to {_percent(found.high)})."
    return f"{text}{_found(table, name, order, tests, images)}."


def _found(table: DataFrame | None, name: str, order: Sequence[str], tests: int, images: int) -> str:
    """What the tests found between the best editor and each other one; empty where none was made."""
    if table is None or len(order) < 2:
        return ""
    first, *others = order
    rows = {
        row.editor_a if row.editor_b == first else row.editor_b: row
        for row in table[table["metric"] == name].itertuples()
        if first in (row.editor_a, row.editor_b)
    }
    found = {e: rows[e].difference * (1 if rows[e].editor_a == first else -1) for e in others}
    found = {e: d if MEASURES[name][2] else -d for e, d in found.items() if rows[e].p_holm < SIGNIFICANT and d}
    ahead, behind = [e for e, d in found.items() if d > 0], [e for e, d in found.items() if d < 0]
    open_ = [e for e in others if e not in found]
    parts = []
    if ahead:
        better = "is ahead of" if MEASURES[name][2] else "changes the person less often than"
        whom = "every other editor" if len(ahead) == len(others) > 1 else _joined(_short(ahead))
        parts.append(f"{first} {better} {whom}")
    if open_:
        parts.append(f"no difference was found between {first} and {_joined(_short(open_), 'or')}")
        parts[-1] += _detectable([rows[e].detectable for e in open_], tests, images)
    if behind:  # their means are over more cells than the two share
        parts.append(f"on the cells that both have, {first} is behind {_joined(_short(behind))}")
    return f": {'; '.join(parts)}"


def _detectable(single: Sequence[float], tests: int, images: int) -> str:
    """The difference that the corrected tests would have found, the largest of several; empty where unknown or 0."""
    freedom = np.array([max(images - 1, 1)])
    one = np.ones(1)
    scale = minimum_detectable_effect(one, freedom, alpha=SIGNIFICANT / tests) / minimum_detectable_effect(one, freedom)
    points = 100 * max(single) * float(scale[0])
    if not isfinite(points) or points <= 0:
        return ""
    return f" (a true one of {max(1, round(points))} points would be found four times in five)"


def _limits(evidence: Evidence, small: str | None, editors: int) -> tuple[str, ...]:
    """One sentence of what stands against believing the others; none where nothing does."""
    parts = [small.rstrip(".")] if small else []
    if editors == 1:
        parts.append("There is no other editor to compare it with")
    if evidence.missing > 0:
        total = evidence.missing + len(evidence.cells)
        parts.append(f"The run is unfinished: {evidence.missing:,} of {total:,} edits at this strength are missing")
    judges = _judges(evidence.cells)
    if judges:
        parts.append(judges)
    if not evidence.counterfactuals:
        parts.append("Its domain knows no counterfactuals, so that success is what networks say")
    return (f"{'; '.join([parts[0], *(part[0].lower() + part[1:] for part in parts[1:])])}.",) if parts else ()


def _judges(cells: DataFrame) -> str:
    """On how many edits those who say what an edit shows differ, and whether they order the editors alike."""
    known = [name for name in VERDICTS if name in cells and cells[name].notna().any()]
    share = disagreement(cells).mean
    if len(known) < 2 or not share:
        return ""
    means = eligible(cells).groupby("editor", sort=False)[known].mean()
    orders = {tuple(means[name].sort_values(ascending=False, kind="stable").index) for name in known}
    differently = " and order the editors' means differently" if len(orders) > 1 else ""
    which = "two" if len(known) == 2 else "three"
    return f"The {which} verdicts on what an edit shows differ on {_percent(share)} of the edits{differently}"


def _short(names: Sequence[str]) -> list[str]:
    """The names, of many the first and how many more."""
    return [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"] if len(names) > NAMED else list(names)


def _joined(parts: Sequence[str], word: str = "and") -> str:
    """``a, b and c``."""
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}" if len(parts) > 1 else parts[0]


def _percent(share: float | None) -> str:
    """A share for people; it is 0 or 100 % only if it is exactly.

    >>> _percent(0.923), _percent(0.0004), _percent(0.9996), _percent(1.0)
    ('92 %', '<1 %', '>99 %', '100 %')
    """
    if share is None or not isfinite(share):
        return "n/a"
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"
