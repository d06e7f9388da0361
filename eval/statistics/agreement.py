"""How far two verdicts on the same cells agree: share, Cohen's kappa, and what each says where the other says yes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.statistics.intervals import Interval, interval_of_mean


@dataclass(frozen=True)
class Agreement:
    """Of one verdict with another, the yardstick, over cells that have both.

    Attributes:
        share: of the cells on which both say the same.
        kappa: Cohen's (1960): the share beyond chance, 0 for verdicts that know nothing of each other, 1 for equal
            ones. Its interval is that of the share, the chance being what the margins give, as in Cohen's standard
            error. No number where both verdicts are always the same.
        confirmed: share of the cells with a yes that the yardstick accepts.
        refused: share of the cells with a no that the yardstick rejects.
    """

    share: Interval
    kappa: Interval
    confirmed: Interval
    refused: Interval


def agreement(
    verdict: Sequence[bool] | np.ndarray,
    yardstick: Sequence[bool] | np.ndarray,
    images: Sequence[Hashable] | np.ndarray,
    prompts: Sequence[Hashable] | np.ndarray | None = None,
) -> Agreement:
    """Compare two verdicts cell by cell.

    Args:
        verdict: bool [n], what is measured.
        yardstick: bool [n], what it is measured against.
        images: the source image of each cell, [n].
        prompts: the prompt of each cell, [n]; None: one prompt.

    >>> found = agreement([1, 1, 0, 0], [1, 0, 0, 0], range(4))
    >>> found.share.mean, found.kappa.mean, found.confirmed.mean, found.refused.mean
    (0.75, 0.5, 0.5, 1.0)
    """
    said, true = np.asarray(verdict, dtype=bool), np.asarray(yardstick, dtype=bool)

    def share(values: np.ndarray, cells: np.ndarray) -> Interval:
        asked = None if prompts is None else np.asarray(prompts)[cells]
        return interval_of_mean(values[cells].astype(float), np.asarray(images)[cells], asked, share=True)

    same = share(said == true, np.ones(len(said), dtype=bool))
    yes, truly = (float(values.mean()) if len(values) else np.nan for values in (said, true))
    chance = yes * truly + (1 - yes) * (1 - truly)
    return Agreement(same, _kappa(same, chance), share(true, said), share(~true, ~said))


def _kappa(share: Interval, chance: float) -> Interval:
    if not chance < 1:
        return Interval(None, None, None, share.cells, share.images)
    mean, low, high = (
        None if end is None else (end - chance) / (1 - chance) for end in (share.mean, share.low, share.high)
    )
    return Interval(mean, low, high, share.cells, share.images)
