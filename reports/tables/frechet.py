"""Fréchet distances of edits to the exact answers, with the floor that real images reach at the same N."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reports.run import Run, Setting

FrechetDistance = Callable[[np.ndarray, np.ndarray], float]  # features float32 [N, D] twice -> distance


@dataclass(frozen=True)
class Distances:
    """Fréchet distances of one set of images; None where there are fewer than two.

    Attributes:
        paired: against the exact answers of the same cells.
        pairs: N of that.
        split: of one half of the persons against the exact answers of the other half, mean of both ways.
        halves: N of that.
    """

    paired: float | None
    pairs: int
    split: float | None
    halves: int


NONE = Distances(None, 0, None, 0)


class Pool:
    """The cells that every setting has, so that N is equal for all, and the features of their exact answers.

    The even and the odd of those source images make two halves of different persons. The exact answers of one half
    against those of the other give the floor: what a perfect editor scores at that N.
    """

    def __init__(self, run: Run, distance: FrechetDistance) -> None:
        self._run, self._distance = run, distance
        self._cells = _common_cells(run)
        references = {prompt: run.reference(prompt, "frechet") for prompt in {prompt for prompt, _ in self._cells}}
        self.known = bool(self._cells) and all(features is not None for features in references.values())
        if self.known:
            self._answers = np.stack([references[prompt][source] for prompt, source in self._cells])  # type: ignore[index]
            self._first, self._second = _halves([source for _, source in self._cells])

    def edits(self, setting: Setting) -> Distances:
        """Distances of the edits of a setting."""
        if not self.known:
            return NONE
        cells = self._run.rows.loc[setting.rows, ["prompt", "source"]]
        where = dict(zip(zip(cells["prompt"], cells["source"], strict=True), setting.rows, strict=True))
        return self._measure(self._run.features(np.array([where[cell] for cell in self._cells]), "frechet"))

    def unedited(self) -> Distances:
        """Distances of the reconstructions: what doing nothing scores."""
        if not self.known:
            return NONE
        return self._measure(self._run.sources("frechet")[[source for _, source in self._cells]])

    def exact(self) -> Distances:
        """Distances of the exact answers themselves; their ``split`` is the floor."""
        return self._measure(self._answers) if self.known else NONE

    def _measure(self, features: np.ndarray) -> Distances:
        pairs, halves = len(features), len(self._first)
        paired = float(self._distance(features, self._answers)) if pairs > 1 else None
        if halves < 2:
            return Distances(paired, pairs, None, halves)
        first, second = self._first, self._second
        ways = [(features[first], self._answers[second]), (features[second], self._answers[first])]
        return Distances(paired, pairs, float(np.mean([self._distance(*way) for way in ways])), halves)


def _common_cells(run: Run) -> list[tuple[str, int]]:
    """(prompt, source) that all settings have, in the order of prompts, then sources."""
    sets = []
    for setting in run.settings:
        cells = run.rows.loc[setting.rows, ["prompt", "source"]]
        sets.append(set(zip(cells["prompt"], cells["source"].astype(int), strict=True)))
    order = {prompt["name"]: number for number, prompt in enumerate(run.prompts)}
    return sorted(set.intersection(*sets), key=lambda cell: (order[cell[0]], cell[1])) if sets else []


def _halves(sources: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of two sets of cells of equal size that share no person."""
    parity = np.array([sorted(set(sources)).index(source) % 2 for source in sources])
    first, second = np.flatnonzero(parity == 0), np.flatnonzero(parity == 1)
    size = min(len(first), len(second))
    return first[:size], second[:size]
