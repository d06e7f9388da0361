"""How often the verdicts on an edit differ, and the order of editors that each of them gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.book import metric_of
from eval.statistics import Interval
from reports.equal_effect.prompts import is_control
from reports.means import NOTHING, eligible, interval_of
from reports.writers.layout import Value, number

if TYPE_CHECKING:
    from pandas import DataFrame

# Who says whether an edit shows the value asked for.
VERDICTS = ("success_by_attributes", "success_by_second", "success_by_counterfactual")


def disagreement(cells: DataFrame) -> Interval:
    """Share of the eligible cells that some verdicts call right and others wrong; no number with fewer than two."""
    cells = eligible(cells)
    known = cells[[name for name in VERDICTS if name in cells]].astype(float)
    several = (known.notna().sum(axis=1) > 1).to_numpy()
    if not several.any():
        return NOTHING
    differ = (known.max(axis=1) != known.min(axis=1)).to_numpy(float)
    return interval_of(np.where(several, differ, np.nan), cells, share=True)


def orders(rows: Sequence[Mapping[str, Value]]) -> tuple[str, ...]:
    """For each kind of strength with several editors one sentence: how every verdict orders the means.

    Args:
        rows: of the main table's csv.
    """
    sentences = []
    for kind in dict.fromkeys(str(row["kind"]) for row in rows if row["kind"] not in ("reference", "given")):
        mine = [row for row in rows if row["kind"] == kind and not is_control(str(row["editor"]))]
        known = [name for name in VERDICTS if mine and all(isinstance(row.get(name), float) for row in mine)]
        if len(mine) < 2 or len(known) < 2:
            continue
        ranked = {name: sorted(mine, key=lambda row: -float(row[name] or 0)) for name in known}
        if len({tuple(row["editor"] for row in ranking) for ranking in ranked.values()}) == 1:
            order = " > ".join(str(row["editor"]) for row in ranked[known[0]])
            by_success = sorted(mine, key=lambda row: -float(row["success"] or 0))
            otherwise = ""
            if by_success != ranked[known[0]]:
                otherwise = f"; success, which asks for more, orders them {_order(by_success, 'success')}"
            all_of_them = "both" if len(known) == 2 else f"all {len(known)}"
            sentences.append(f"{kind}: {all_of_them} verdicts order the editors' means alike: {order}{otherwise}.")
        else:
            told = (
                f"{metric_of(name).heading.removeprefix('success ')} {_order(ranked[name], name)}" for name in known
            )
            sentences.append(f"{kind}: the verdicts order the editors' means differently: {'; '.join(told)}.")
    return tuple(sentences)


def _order(ranked: Sequence[Mapping[str, Value]], name: str) -> str:
    return " > ".join(f"{row['editor']} {number(float(row[name] or 0), 2)}" for row in ranked)
