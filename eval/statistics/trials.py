"""Interval of a share of independent trials: one cell an image.

Clopper and Pearson's interval covers up to 99 % where few trials leave few possible answers, and intervals of equal
tails miss on one side only near 0 and 1. Blaker's (2000, Can. J. Stat. 28:783) gives a value of the share up when this
many hits and everything less likely at the other end are together too rare; counting the hits themselves by half
(mid-p, Lancaster 1961, J. Am. Stat. Assoc. 56:223) brings the coverage near 95 % wherever an answer allows it.
"""

from __future__ import annotations

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


def acceptability(hits: int, trials: int, shares: np.ndarray) -> np.ndarray:
    """How well each share [K] goes with this many hits: float64 [K] in [0, 1]."""
    from scipy.special import betainc

    counts = np.arange(trials + 1)
    below = np.zeros((len(shares), trials + 2))  # chance of fewer than k hits, k = 0 to trials + 1
    below[:, 1:-1] = betainc(trials - counts[:-1], counts[:-1] + 1.0, 1 - shares[:, None])
    below[:, -1] = 1.0
    lower = (below[:, :-1] + below[:, 1:]) / 2  # tails that hold k itself by half
    upper = 1 - lower
    own = np.minimum(lower[:, hits], upper[:, hits])[:, None]
    other = np.where((lower[:, hits] < upper[:, hits])[:, None], upper, lower)
    return np.asarray(own[:, 0] + np.where(other <= own * (1 + 1e-9), other, 0.0).max(1))


def _end(hits: int, trials: int, level: float, outer: float) -> float:
    """The outermost share that is not given up, between one that is and the share of hits."""
    places = np.linspace(outer, hits / trials, POINTS)
    first = int(np.argmax(acceptability(hits, trials, places) >= level))
    inside, outside = places[first], places[max(first - 1, 0)]
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        accepted = acceptability(hits, trials, np.array([middle]))[0] >= level
        inside, outside = (middle, outside) if accepted else (inside, middle)
    return float(inside)
