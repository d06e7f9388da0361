"""The distances between a set of edits and the set of their counterfactuals, as the reports ask for them.

Both sets show the same persons, several rows a person: rows of one person are drawn together, on both sides. So a
perfect editor scores 0, and what two samples of *different* persons score at the same N is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from eval.metrics.frechet import checked, distance_of_rows, frechet_distance, frechet_floor, reduced, scaled
from eval.metrics.frechet_bootstrap import frechet_interval
from eval.metrics.kernel_distances import KernelDistance, cmmd, kid

SEED = 0  # same cells, same draws
DRAWS = 1000
REPEATS = 4  # subsets of each size below all persons, whose distances are averaged
FEWEST_PERSONS = 8  # for a fit against 1/N
EXTRAPOLATION_SIZES = 6  # subset sizes of the fit to infinity, evenly spaced in 1/N between N/4 and N


@dataclass(frozen=True)
class Extrapolation:
    """Distances at several sizes and the line through them against 1/N (FID∞, Chong & Forsyth 2020, arXiv 1911.07023).

    Attributes:
        limit: value of the line at 1/N = 0. Noise can make it slightly negative for equal distributions.
        sizes: N of each point.
        distances: distance of each point.
    """

    limit: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


class SetDistances:
    """Everything that the table ``frechet`` prints; the same seed for all editors.

    What is computed of the counterfactuals alone is kept for as long as the same array of them is given.
    """

    distance = staticmethod(frechet_distance)

    def __init__(self) -> None:
        self._within: dict[KernelDistance, tuple[Any, Sequence[Any], float]] = {}
        self._subsets: tuple[Any, Sequence[Any], list[Subset]] | None = None

    def kid(self, edits: Any, counterfactuals: Any, persons: Sequence[Any]) -> float:
        """Kernel Inception Distance over pairs of different persons: 0 for equal sets."""
        return self._between(kid, edits, counterfactuals, persons)

    def cmmd(self, edits: Any, counterfactuals: Any, persons: Sequence[Any]) -> float:
        """CLIP Maximum Mean Discrepancy, likewise."""
        return self._between(cmmd, edits, counterfactuals, persons)

    def _between(self, distance: KernelDistance, edits: Any, counterfactuals: Any, persons: Sequence[Any]) -> float:
        """Row i of both is of the same person; the mean kernel of two counterfactuals is the same for every editor."""
        known = self._within.get(distance)
        if known is None or known[0] is not counterfactuals or known[1] is not persons:
            known = (counterfactuals, persons, distance.within(counterfactuals, persons))
            self._within[distance] = known
        return distance(edits, counterfactuals, persons, persons, known[2])

    @staticmethod
    def interval(edits: Any, counterfactuals: Any, persons: Sequence[Any]) -> tuple[float, float]:
        """Ends of the 95 % bootstrap interval of the Fréchet distance; NaN for fewer than two persons.

        Args:
            edits: [N, D] features.
            counterfactuals: [N, D] features of the counterfactuals to the same cells.
            persons: the source image of each row.
        """
        found = frechet_interval(edits, counterfactuals, DRAWS, np.random.default_rng(SEED), persons, persons)
        return found.low, found.high

    @staticmethod
    def floor(real: Any, persons: Sequence[Any]) -> float:
        """What real images of other persons score against real images, at the N of the whole set."""
        return frechet_floor(real, len(real), np.random.default_rng(SEED), persons)

    def by_size(self, edits: Any, counterfactuals: Any, persons: Sequence[Any]) -> Extrapolation:
        """As ``paired_extrapolation``; every editor is looked at on the same subsets."""
        known = self._subsets
        if known is None or known[0] is not counterfactuals or known[1] is not persons:
            known = counterfactuals, persons, subsets_of(counterfactuals, persons, np.random.default_rng(SEED))
            self._subsets = known
        return extrapolated(edits, known[2])


@dataclass(frozen=True)
class Subset:
    """Some persons of a set.

    Attributes:
        step: number of the size that it belongs to.
        rows: theirs, int [n].
        mean: float64 [D], of the counterfactuals of these rows.
        factor: of their covariance, as ``eval.metrics.frechet.reduced`` gives it.
    """

    step: int
    rows: np.ndarray
    mean: np.ndarray
    factor: np.ndarray


def paired_extrapolation(x: Any, y: Any, persons: Sequence[Any], rng: np.random.Generator) -> Extrapolation:
    """Fréchet distance at several N and its extrapolation to infinitely many persons, for two sets of the same persons.

    Subsets hold all rows of some persons, on both sides: smaller sets then differ from the whole in their size alone.
    Rows drawn one by one would set different persons against each other in small subsets and the same ones in the
    whole, and the line would be too steep.

    Args:
        x: [N, D].
        y: [N, D].
        persons: whose each row is, on both sides.
        rng: draws the persons, without replacement.

    Returns:
        Six sizes from a quarter of the persons to all; their N is in rows. Without points, and the limit NaN, for fewer
        than eight persons.

    Raises:
        ValueError: the sets are not of equal N.
    """
    x, y = checked(x, y)
    if not len(x) == len(y) == len(persons):
        raise ValueError(
            f"Both sets and their persons must be of equal N. Got {len(x)}, {len(y)} and {len(persons)} instead."
        )
    return extrapolated(x, subsets_of(y, persons, rng))


def subsets_of(y: Any, persons: Sequence[Any], rng: np.random.Generator) -> list[Subset]:
    """The subsets of ``paired_extrapolation`` with what is computed of one side alone; none of too few persons."""
    y, _ = checked(y, y)
    labels = np.unique(np.asarray(persons), return_inverse=True)[1]
    count = int(labels.max(initial=-1)) + 1
    if count < FEWEST_PERSONS:
        return []
    found = []
    for step, chosen in enumerate(round(count / share) for share in np.linspace(4, 1, EXTRAPOLATION_SIZES)):
        for _ in range(REPEATS if chosen < count else 1):
            rows = np.flatnonzero(np.isin(labels, rng.permutation(count)[:chosen]))
            mean, scaled_rows = scaled(y[rows])
            found.append(Subset(step, rows, mean, reduced(scaled_rows)))
    return found


def extrapolated(x: Any, subsets: Sequence[Subset]) -> Extrapolation:
    """The line through the distances of a set's subsets [N, D] from those of the other side."""
    if not subsets:
        return Extrapolation(float("nan"), (), ())
    x, _ = checked(x, x)
    sizes, distances = [], []
    for _, group in groupby(subsets, lambda subset: subset.step):
        same_size = list(group)
        sizes.append(round(float(np.mean([len(subset.rows) for subset in same_size]))))
        apart = [distance_of_rows(*scaled(x[one.rows]), one.mean, one.factor) for one in same_size]
        distances.append(float(np.mean(apart)))
    _, limit = np.polyfit(1 / np.asarray(sizes, dtype=np.float64), distances, 1)
    return Extrapolation(float(limit), tuple(sizes), tuple(distances))
