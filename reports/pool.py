"""The cells that the distances between sets are taken over, and the features of their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import groupby

import numpy as np

from eval.metrics.set_distances import SetDistances
from eval.runs.reader import ORACLE, Run, Setting

COUNTERFACTUAL, INVERSION = "counterfactual", "inversion"
MOST_CELLS = 8_000  # in a distance: kernels take the square of it, and more would move no digit that is printed
MOST_ROWS, FEWEST_CELLS = 80_000, 2_000  # of all settings together, so that each has fewer cells the more there are
MANY_SETTINGS = 24  # of more no line is drawn through smaller sets


@dataclass(frozen=True)
class Line:
    """One row of the table: whose pictures, and their features.

    Attributes:
        frechet: float32 [N, D].
        clip: float32 [N, E] of the judge CLIP; None in runs that did not store them.
    """

    editor: str
    kind: str
    strength: str
    frechet: np.ndarray
    clip: np.ndarray | None


class Pool:
    """The cells that every setting has, so that N is equal for all, and the features of their counterfactuals."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.distances = SetDistances()
        self.cells = common_cells(run)
        self.persons = [source for _, source in self.cells]
        counterfactuals = self._references("frechet")
        self.known = counterfactuals is not None
        self.counterfactuals = np.zeros((0, 0), np.float32) if counterfactuals is None else counterfactuals
        self.clip_counterfactuals = self._references("clip")
        self._edits: dict[tuple[str, str, str], np.ndarray] = {}  # Fréchet features of settings, read once
        self._distances: dict[tuple[str, str, str], float] = {}

    def _references(self, key: str) -> np.ndarray | None:
        rows = []
        for prompt, cells in groupby(self.cells, lambda cell: cell[0]):
            features = self.run.counterfactual(prompt, key)
            if features is None:
                return None
            rows.append(features[[source for _, source in cells]])
        return np.concatenate(rows) if rows else None

    def distance(self, setting: Setting) -> float | None:
        """Fréchet distance of the edits of a setting; None where it is not known or there are fewer than two cells."""
        if not self.known or len(self.cells) < 2:
            return None
        return self.known_distance(_key(setting), self.edits(setting))

    def known_distance(self, key: tuple[str, str, str], features: np.ndarray) -> float:
        """Fréchet distance of a line's features, computed once: ``main`` and ``frechet`` print the same number."""
        if key not in self._distances:
            self._distances[key] = float(self.distances.distance(features, self.counterfactuals))
        return self._distances[key]

    def edits(self, setting: Setting) -> np.ndarray:
        """Fréchet features of a setting's cells, float32 [N, D] in the order of the pool."""
        if _key(setting) not in self._edits:
            self._edits[_key(setting)] = self.features(setting.rows, "frechet")
        return self._edits[_key(setting)]

    def unedited(self) -> float | None:
        """Fréchet distance of the reconstructions: what doing nothing scores."""
        if not self.known or len(self.cells) < 2:
            return None
        return self.known_distance((INVERSION, "reference", ""), self.run.sources("frechet")[self.persons])

    def lines(self) -> list[Line]:
        """Every setting, then the references: the oracle, the inversion alone, the counterfactuals themselves."""
        clips = self.clip_counterfactuals is not None
        lines = [
            Line(
                setting.editor,
                setting.kind,
                setting.strength,
                self.edits(setting),
                self.features(setting.rows, "clip") if clips else None,
            )
            for setting in self.run.settings
        ]
        oracle = self._oracle(clips)
        inverted = self.run.sources("clip")[self.persons] if clips else None
        return [
            *lines,
            *([oracle] if oracle else []),
            Line(INVERSION, "reference", "", self.run.sources("frechet")[self.persons], inverted),
            Line(COUNTERFACTUAL, "reference", "", self.counterfactuals, self.clip_counterfactuals),
        ]

    def features(self, rows: np.ndarray, key: str) -> np.ndarray:
        """A judge's features of a setting's cells, [N, D] in the order of the pool.

        Raises:
            ValueError: a chunk holds another number of features than cells, so that N would not be equal.
        """
        here = self.run.rows.loc[rows, ["prompt", "source"]]
        here = here[here["source"].isin(set(self.persons))]
        where = dict(zip(zip(here["prompt"], here["source"], strict=True), here.index, strict=True))
        return self.run.features(np.array([where[cell] for cell in self.cells]), key)

    def _oracle(self, clips: bool) -> Line | None:
        """The counterfactuals through the inversion, where the run has all of them."""
        cells = self.run.oracle
        if not len(cells):
            return None
        where = {
            (prompt, int(source)): (chunk, position)
            for prompt, source, chunk, position in zip(
                cells["prompt"], cells["source"], cells["chunk"], cells["position"], strict=True
            )
        }
        if not set(self.cells) <= set(where):
            return None
        rows = [where[cell] for cell in self.cells]
        found = {
            key: np.stack([self.run.chunk_array(chunk, key)[position] for chunk, position in rows])
            for key in ("frechet", *(["clip"] if clips else []))
        }
        return Line(ORACLE, "reference", "", found["frechet"], found.get("clip"))


def _key(setting: Setting) -> tuple[str, str, str]:
    return setting.editor, setting.kind, setting.strength


def common_cells(run: Run, most: int | None = None) -> list[tuple[str, int]]:
    """(prompt, source) that all settings have, in the order of prompts, then sources.

    Args:
        run: opened.
        most: of the first persons, so many that these are all their cells; None: what reports take.
    """
    if not run.settings:
        return []
    if most is None:
        most = min(MOST_CELLS, max(FEWEST_CELLS, MOST_ROWS // len(run.settings)))
    prompts = [prompt["name"] for prompt in run.prompts]
    sources = run.rows["source"].to_numpy(np.int64)
    numbers = run.rows["prompt"].map({name: number for number, name in enumerate(prompts)}).to_numpy(np.int64)
    codes = numbers * (sources.max() + 1) + sources
    common = reduce(np.intersect1d, [codes[setting.rows] for setting in run.settings])
    number, source = np.divmod(common, sources.max() + 1)
    persons, counts = np.unique(source, return_counts=True)
    first = persons[: max(2, int((np.cumsum(counts) <= most).sum()))]
    kept = np.isin(source, first)
    return [(prompts[i], person) for i, person in zip(number[kept].tolist(), source[kept].tolist(), strict=True)]
