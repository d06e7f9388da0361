"""Which strength has a given effect: bisection on judged strengths, one goal after another.

Everything here is a function of the points judged so far, so that a killed search goes on where it was and ends at the
same strengths. A goal looks at the sweep and at the points that it or a smaller goal asked for, never at later ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eval.runs.plan import DEFAULT_STRENGTH, SWEEP

TOLERANCE = 0.05  # σ; a mean effect that is known less well may be off by its own standard error
MOST_TRIES = 6  # strengths judged for one goal besides the sweep
MARGIN = 0.1  # the next strength keeps this share of the bracket away from its ends
DECIMALS = 4  # of a strength; finer steps change no 8-bit picture
GENTLE_PRESERVATION = 0.9  # share of the other factors that a sweep's smallest strength must leave as they are
MOST_HALVINGS = 6  # of the smallest strength, so that an editor which preserves nothing at any strength ends the search


@dataclass(frozen=True)
class SweepPoint:
    """What one strength does on the calibration images, over the eligible ones.

    Attributes:
        strength: tried.
        success: share that the judge finds to have the value asked for; NaN if no image is eligible.
        preservation: mean share of the other visible factors that stay as they were.
        effect: mean movement of the value's one-vs-rest log-odds, in σ.
        goal: the target effect that asked for it, as ``next_strength`` takes it; None for a point of the sweep.
        clean: share of clean success (``eval.metrics.cells.clean``); NaN in folders that were made before it.
        images: so many were edited; None likewise.
        effect_noise: standard error of ``effect`` over the images, in σ; None where it is not known.
    """

    strength: float
    success: float
    preservation: float
    effect: float
    goal: float | None = None
    clean: float = math.nan
    images: int | None = None
    effect_noise: float | None = None

    @property
    def tolerance(self) -> float:
        """How far its effect may lie from a goal, in σ.

        >>> SweepPoint(1.0, 1, 1, 0.9, effect_noise=0.12).tolerance, SweepPoint(1.0, 1, 1, 0.9).tolerance
        (0.12, 0.05)
        """
        return max(TOLERANCE, self.effect_noise or 0.0)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SweepPoint:
        """As ``as_json`` gave it; null is NaN, and so is a number that earlier versions did not store."""
        numbers = {name: math.nan if stored.get(name) is None else stored[name] for name in _NUMBERS}
        goal, images, noise = (stored.get(name) for name in ("goal", "images", "effect_noise"))
        return cls(**numbers, goal=goal, images=images, effect_noise=noise)

    def as_json(self) -> dict[str, float | None]:
        """All numbers by name; goal, images and noise only where there are some."""
        return {name: value for name, value in asdict(self).items() if name in _NUMBERS or value is not None}


_NUMBERS = ("strength", "success", "preservation", "effect", "clean")


@dataclass(frozen=True)
class Match:
    """The strength for one goal.

    Attributes:
        goal: target effect, in ``whole``.
        strength: the one to use; of a goal out of reach the one with the largest effect.
        effect: of that strength on the calibration images; NaN if no image is eligible.
        reached: some strength of the sweep has at least this effect.
        tolerance: how far the effect may lie from the goal, in σ: its standard error, at least ``TOLERANCE``.
        whole: the effect that a goal of 1 stands for, in σ: the right one of the prompt; 1 where goals are in σ.
        met: it lies within that.
    """

    goal: float
    strength: float
    effect: float
    reached: bool
    tolerance: float = TOLERANCE
    whole: float = 1.0

    @property
    def met(self) -> bool:
        """Whether the effect is the goal, so that the editor may be compared with others there."""
        return self.reached and abs(self.effect - self.goal * self.whole) <= self.tolerance + 1e-9


def gentler_strength(points: Sequence[SweepPoint]) -> float | None:
    """The strength to judge below a sweep whose smallest one already destroys the picture, or None.

    Of such an editor the sweep shows no edit at all: its effect has risen and fallen again below the smallest strength.

    >>> gentler_strength([SweepPoint(0.25, 0.2, 0.4, 1.1), SweepPoint(0.5, 0.2, 0.3, 0.9)])
    0.125
    >>> gentler_strength([SweepPoint(0.25, 0.2, 0.95, 1.1), SweepPoint(0.5, 0.2, 0.3, 1.9)]) is None
    True
    """
    smallest = min(points, key=lambda point: point.strength, default=None)
    if smallest is None or math.isnan(smallest.preservation) or smallest.preservation >= GENTLE_PRESERVATION:
        return None
    return smallest.strength / 2 if smallest.strength > min(SWEEP) / 2**MOST_HALVINGS else None


def next_strength(points: Sequence[SweepPoint], goal: float, whole: float = 1.0) -> float | None:
    """The strength to judge next, or None when the goal is met, out of reach, or tried often enough.

    False position inside the first bracket of the goal, kept away from the bracket's ends so that it shrinks.

    Args:
        points: judged so far.
        goal: target effect, in ``whole``.
        whole: the effect in σ that a goal of 1 stands for; NaN (not known) or not positive: every goal is out of reach.

    >>> next_strength([SweepPoint(1.0, 1, 1, 0.8), SweepPoint(2.0, 1, 1, 1.6)], 1.0)
    1.25
    >>> next_strength([SweepPoint(1.0, 1, 1, 0.8), SweepPoint(2.0, 1, 1, 1.6)], 2.0) is None
    True
    >>> next_strength([SweepPoint(1.0, 1, 1, 0.0)], 1.0, whole=-0.5) is None
    True
    """
    low, high = _bracket(points, goal, whole)
    wanted = goal * whole
    if high is None or any(abs(end.effect - wanted) <= end.tolerance for end in (low, high)):
        return None
    if sum(point.goal == goal for point in points) >= MOST_TRIES:
        return None
    share = (wanted - low.effect) / (high.effect - low.effect)
    share = min(max(share, MARGIN), 1 - MARGIN)
    strength = round(low.strength + share * (high.strength - low.strength), DECIMALS)
    return strength if low.strength < strength < high.strength else None


def match(points: Sequence[SweepPoint], goal: float, whole: float = 1.0) -> Match:
    """The judged strength whose effect is nearest to the goal, next to where the goal is first reached."""
    low, high = _bracket(points, goal, whole)
    if high is None:
        known = [point for point in points if not math.isnan(point.effect) and point.goal is None]
        best = max(known, key=lambda point: (point.effect, -point.strength), default=None)
        strength, effect = (best.strength, best.effect) if best else (DEFAULT_STRENGTH, math.nan)
        return Match(goal, strength, effect, False, whole=whole)
    ends = [end for end in (low, high) if end.strength > 0]
    off = {end: abs(end.effect - goal * whole) for end in ends}
    nearest = min(ends, key=lambda end: (off[end] > end.tolerance, off[end], end.strength))
    return Match(goal, nearest.strength, nearest.effect, True, nearest.tolerance, whole)


def _bracket(points: Sequence[SweepPoint], goal: float, whole: float) -> tuple[SweepPoint, SweepPoint | None]:
    """The first point that reaches the goal and the one below it (strength 0, which changes nothing, is one)."""
    low = SweepPoint(0.0, 0.0, 1.0, 0.0)
    if not goal * whole > 0:  # the right effect is not known, or none: on few images counterfactuals may show nothing
        return low, None
    usable = [point for point in points if point.goal is None or point.goal <= goal]
    for point in sorted(usable, key=lambda point: point.strength):
        if point.effect >= goal * whole:
            return low, point
        if not math.isnan(point.effect):
            low = point
    return low, None


def stored_value(calibration: Mapping[str, Any] | None, goal: float | None) -> float | None:
    """The strength that a stored calibration found: for a goal, or the best balance; None if it is not there yet."""
    if calibration is None:
        return None
    if goal is None:
        return float(calibration["chosen"])
    return next((float(found["strength"]) for found in calibration.get("matched", ()) if found["goal"] == goal), None)
