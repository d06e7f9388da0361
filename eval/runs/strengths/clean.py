"""The strength with most clean success, found with few edits; the default where nothing is better beyond the noise.

A coarse search climbs a ladder of strengths on the first images only; the strengths that may be the best are then
looked at on all of them, the default always among them, and differences are judged image by image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from eval.runs.plan import COARSE_IMAGES, DEFAULT_STRENGTH, SWEEP
from eval.runs.strengths.matching import SweepPoint, gentler_strength

FIRST = (0.5, 1.0, 2.0)  # strengths that every search looks at
FINALISTS = 2  # strengths besides the default that are looked at on all images
DRAW = 1.0  # standard errors that a strength must be better by, to be preferred to a gentler one or to the default
ROUNDING = 1e-9  # one image of a difference is exactly one standard error


@dataclass(frozen=True)
class Seen:
    """What the judges saw of some edits at one strength.

    Attributes:
        clean: bool [n], clean success.
        success: bool [n], the value asked for is shown.
        preservation: float64 [n], share of the other visible attributes that stayed; NaN where none can be seen.
        effect: float64 [n], in σ.
        eligible: bool [n], the image did not have the value yet.
    """

    clean: np.ndarray
    success: np.ndarray
    preservation: np.ndarray
    effect: np.ndarray
    eligible: np.ndarray

    def point(self, strength: float, goal: float | None = None) -> SweepPoint:
        """Means over the eligible images."""
        columns = (self.success, self.preservation, self.effect)
        success, preservation, effect = (_mean(column[self.eligible]) for column in columns)
        clean = _mean(self.clean[self.eligible])
        noise = _standard_error(self.effect[self.eligible])
        return SweepPoint(strength, success, preservation, effect, goal, clean, int(self.eligible.sum()), noise)

    @classmethod
    def only(cls, eligible: np.ndarray, edits: Sequence[Seen]) -> Seen:
        """What was seen where only the eligible images were edited.

        Args:
            eligible: bool [n].
            edits: of these, in order, in parts.
        """
        success, number = np.zeros(len(eligible), dtype=bool), np.full(len(eligible), math.nan)
        whole = cls(success, success.copy(), number, number.copy(), eligible)
        for name in ("clean", "success", "preservation", "effect"):
            getattr(whole, name)[eligible] = np.concatenate([getattr(part, name) for part in edits] or [()])
        return whole

    def and_then(self, more: Seen) -> Seen:
        """These edits and those of the images after them."""
        names = ("clean", "success", "preservation", "effect", "eligible")
        return Seen(**{name: np.concatenate([getattr(self, name), getattr(more, name)]) for name in names})


Look = Callable[[float, slice], Seen]  # edits the calibration images of these rows at a strength


@dataclass
class Search:
    """A search for one editor and prompt.

    Args:
        look: edits and judges.
        count: of the calibration images.
    """

    look: Look
    count: int
    seen: dict[float, Seen] = field(default_factory=dict)

    @property
    def points(self) -> list[SweepPoint]:
        """What was looked at, by strength."""
        return [self.seen[strength].point(strength) for strength in sorted(self.seen)]

    def climb(self) -> None:
        """Look at the first images until the best strength lies between two that are no better."""
        for strength in FIRST:
            self._extend(strength, min(COARSE_IMAGES, self.count))
        while wanted := [strength for strength in self._beside_the_best() if strength not in self.seen]:
            for strength in wanted:
                self._extend(strength, min(COARSE_IMAGES, self.count))

    def sweep(self, strengths: Sequence[float] = SWEEP) -> None:
        """Look at every strength, and at gentler ones while the gentlest destroys the picture, on all images."""
        for strength in strengths:
            self._extend(strength, self.count)
        while (gentler := gentler_strength(self.points)) is not None:
            self._extend(gentler, self.count)

    def decide(self) -> Choice:
        """Look at the strengths that may be the best on all images, and choose."""
        finalists = self._finalists()
        if finalists == [DEFAULT_STRENGTH]:
            return Choice(DEFAULT_STRENGTH, 0.0, 0.0)
        for strength in finalists:
            self._extend(strength, self.count)
        whole = {strength: seen for strength, seen in self.seen.items() if len(seen.clean) == self.count}
        return choose(whole)

    def _extend(self, strength: float, count: int) -> None:
        known = self.seen.get(strength)
        done = 0 if known is None else len(known.clean)
        if done < count:
            more = self.look(strength, slice(done, count))
            self.seen[strength] = more if known is None else known.and_then(more)

    def _beside_the_best(self) -> list[float]:
        """The neighbours of the best strength on the ladder; below it, where even the gentlest destroys the picture."""
        best = max(self.points, key=_promise)
        ladder = sorted({*SWEEP, *self.seen})
        place = ladder.index(best.strength)
        wanted = ladder[max(0, place - 1) : place + 2]
        gentler = gentler_strength(self.points)
        return [*wanted, gentler] if gentler is not None and (place == 0 or not best.clean > 0) else wanted

    def _finalists(self) -> list[float]:
        """The default and the best of those that the first images do not show to be worse than the best."""
        if all(math.isnan(point.clean) for point in self.points):  # no image is eligible
            return []
        rows = min(len(seen.clean) for seen in self.seen.values())
        part = {strength: _first(seen, rows) for strength, seen in self.seen.items()}
        ranked = sorted(part, key=lambda strength: _rank(part[strength].point(strength)), reverse=True)
        close = [strength for strength in ranked if not is_better(part[ranked[0]], part[strength])]
        others = [strength for strength in close if strength != DEFAULT_STRENGTH][:FINALISTS]
        return [DEFAULT_STRENGTH, *others]


@dataclass(frozen=True)
class Choice:
    """The strength that was chosen.

    Attributes:
        strength: the number.
        gain: its clean success minus that of the default; 0 for the default, NaN where no image is eligible.
        noise: standard error of the gain over the images.
    """

    strength: float
    gain: float
    noise: float


def choose(seen: dict[float, Seen]) -> Choice:
    """The default, unless a strength is better by more than the noise; of those the gentlest that draws with the best.

    Args:
        seen: strength -> what was seen of the same images; the default is among them where any is.
    """
    default = seen.get(DEFAULT_STRENGTH)
    if default is None or not default.eligible.any():
        return Choice(DEFAULT_STRENGTH, math.nan, math.nan)
    better = {strength: one for strength, one in seen.items() if is_better(one, default)}
    if not better:
        return Choice(DEFAULT_STRENGTH, 0.0, 0.0)
    best = max(better, key=lambda strength: _rank(better[strength].point(strength)))
    chosen = min(strength for strength, one in better.items() if not is_better(better[best], one))
    return Choice(chosen, *_difference(better[chosen], default))


def is_better(one: Seen, other: Seen) -> bool:
    """Whether one strength has more clean success than another on the same images, beyond the noise."""
    difference, noise = _difference(one, other)
    return difference > DRAW * noise + ROUNDING


def _difference(one: Seen, other: Seen) -> tuple[float, float]:
    """Mean difference of clean success over the images that are eligible, and its standard error."""
    apart = one.clean[one.eligible].astype(float) - other.clean[other.eligible].astype(float)
    if len(apart) < 2:
        return 0.0, math.nan
    return float(apart.mean()), float(apart.std(ddof=1) / math.sqrt(len(apart)))


def _first(seen: Seen, rows: int) -> Seen:
    names = ("clean", "success", "preservation", "effect", "eligible")
    return Seen(**{name: getattr(seen, name)[:rows] for name in names})


def _rank(point: SweepPoint) -> tuple[float, float, float]:
    """Most clean success; of equals what preserves more, then the gentler."""
    return _low(point.clean), _low(point.preservation), -point.strength


def _promise(point: SweepPoint) -> tuple[float, float, float]:
    """Where to look on: clean success; without any, the balance of its parts; without success, the larger effect."""
    parts = point.success + point.preservation
    balance = 2 * point.success * point.preservation / parts if parts else 0.0
    return _low(point.clean), _low(balance), _low(point.effect)


def _low(number: float) -> float:
    return -math.inf if math.isnan(number) else number


def _standard_error(column: np.ndarray) -> float | None:
    """Of the mean of the numbers that are there; None of fewer than two."""
    numbers = column.astype(float)
    numbers = numbers[~np.isnan(numbers)]
    return float(numbers.std(ddof=1) / math.sqrt(len(numbers))) if len(numbers) > 1 else None


def _mean(column: np.ndarray) -> float:
    """Mean of the numbers that are there; NaN if none is."""
    numbers = column.astype(float)
    numbers = numbers[~np.isnan(numbers)]
    return float(numbers.mean()) if len(numbers) else math.nan
