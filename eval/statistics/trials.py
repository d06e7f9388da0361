"""Interval of a share of independent trials: one cell an image.

Clopper and Pearson's interval covers up to 99 % where few trials leave few possible answers, and intervals of equal
tails miss on one side only near 0 and 1. Blaker's (2000, Can. J. Stat. 28:783) gives a value of the share up when this
many hits and everything less likely at the other end are together too rare; counting the hits themselves by half
(mid-p, Lancaster 1961, J. Am. Stat. Assoc. 56:223) brings the coverage near 95 % wherever an answer allows it.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

import numpy as np

POINTS = 100  # shares at which a value is tried on either side
HALVINGS = 30


@lru_cache(maxsize=4096)
def trials_interval(hits: int, trials: int, level: float) -> tuple[float, float]:
    """Blaker's mid-p interval; where all trials agree, Clopper and Pearson's.

    Args:
        hits: how many trials succeeded.
        trials: at least 1.
        level: chance to miss, in (0, 1).

    >>> low, high = trials_interval(15, 20, 0.05)
    >>> round(low, 3), round(high, 3)
    (0.547, 0.886)
    """
    from scipy.special import betaincinv

    outer = (
        0.0 if hits == 0 else float(betaincinv(hits, trials - hits + 1, level / 2)),
        1.0 if hits == trials else float(betaincinv(hits + 1, trials - hits, 1 - level / 2)),
    )
    if hits in (0, trials):
        return outer
    low, high = (_end(hits, trials, level, end) for end in outer)
    return low, high


def acceptability(hits: int, trials: int, share: float) -> float:
    """How well a share goes with this many hits, in [0, 1]."""
    lower = _half_tail(hits, trials, share)
    own = min(lower, 1 - lower)
    many = lower < 1 - lower  # the other tail is that of many hits
    # The likeliest other tail that is not likelier than this one: tails fall from one number of hits to the next.
    counts = range(hits, trials + 1) if many else range(hits, -1, -1)

    def tail(count: int) -> float:
        found = _half_tail(count, trials, share)
        return 1 - found if many else found

    first = bisect_left(counts, True, key=lambda count: tail(count) <= own * (1 + 1e-9))
    return own + (tail(counts[first]) if first < len(counts) else 0.0)


def _half_tail(count: int, trials: int, share: float) -> float:
    """Chance of fewer than so many hits and half of that of as many."""
    return (_fewer(count, trials, share) + _fewer(count + 1, trials, share)) / 2


def _fewer(count: int, trials: int, share: float) -> float:
    """Chance of fewer than so many hits, of 0 to trials + 1."""
    from scipy.special import betainc

    if 0 < count <= trials:
        return float(betainc(trials - count + 1, count, 1 - share))
    return float(count > trials)


def _end(hits: int, trials: int, level: float, outer: float) -> float:
    """The outermost share that is not given up, between one that is and the share of hits."""
    places = np.linspace(outer, hits / trials, POINTS)
    accepted = (place for place, share in enumerate(places) if acceptability(hits, trials, share) >= level)
    first = next(accepted, 0)
    inside, outside = places[first], places[max(first - 1, 0)]
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if acceptability(hits, trials, middle) >= level else (inside, middle)
    return float(inside)
