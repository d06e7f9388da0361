"""How far are the edits, as a set, from the counterfactuals? Fréchet distance, KID and CMMD at equal N."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eval.metrics.book import metric_of
from eval.metrics.set_distances import SetDistances
from eval.runs.reader import ORACLE, Run, Setting
from reports.tables.columns import BY_PERSON, EDITOR, FRECHET, KIND, STRENGTH, Column, count, label, names
from reports.writers.layout import NOT_AVAILABLE, Block, Table, Value, number

COUNTERFACTUAL, INVERSION = "counterfactual", "inversion"
NAME, SIZES_NAME = "frechet", "frechet_sizes"
QUESTION = "How far are the edits, as a set, from the counterfactuals?"
SIZES_QUESTION = "How does the Fréchet distance depend on the number of images?"
POOLED = "cells that all editors and kinds of strength have, pooled over prompts"
SIZES_COLUMNS = {
    "editor": EDITOR,
    "kind": KIND,
    "strength": STRENGTH,
    "n": label("number of edits in the distance"),
    "distance": Column(
        *(FRECHET, "Fréchet distance of edits and counterfactuals of this many cells", metric_of("frechet").source),
        *("frechet", POOLED, ("frechet",)),
    ),
}


def distance_column(ending: str, name: str, interval: str = "") -> Column:
    """A column of ``main`` or ``frechet`` that is named after the domain's distance, as ``fd_avatars_floor``."""
    if ending == "_n":
        return count("number of edits in the distance", POOLED)
    formula = {
        "": "Fréchet distance of edits and counterfactuals of the same cells",
        "_floor": "Fréchet distance of counterfactuals of different persons at this N",
        "_extrapolated": "limit of a line through the distances of smaller sets against 1/N",
    }[ending]
    return Column(FRECHET, formula, metric_of("frechet").source, "frechet", POOLED, (name,), interval)


def frechet_columns(name: str) -> dict[str, Column]:
    """What the columns are, for a domain whose Fréchet distance has this name."""
    kernels = {
        kernel: Column(FRECHET, record.formula, record.source, features, POOLED, (kernel,))
        for kernel, features, record in (("kid", "frechet", metric_of("kid")), ("cmmd", "clip", metric_of("cmmd")))
    }
    return {
        "editor": EDITOR,
        "kind": KIND,
        "strength": STRENGTH,
        "n": count("number of edits in the distance", POOLED),
        "persons": count("number of persons among them", POOLED),
        "different": count("number of different features among them", POOLED),
        name: distance_column("", name, BY_PERSON),
        **{f"{name}{ending}": distance_column(ending, name) for ending in ("_floor", "_extrapolated")},
        **kernels,
    }


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
        features = {prompt: self.run.counterfactual(prompt, key) for prompt in {prompt for prompt, _ in self.cells}}
        if not self.cells or any(array is None for array in features.values()):
            return None
        return np.stack([features[prompt][source] for prompt, source in self.cells])  # type: ignore[index]

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
        cells = self.run.rows.loc[rows, ["prompt", "source"]]
        where = dict(zip(zip(cells["prompt"], cells["source"], strict=True), rows, strict=True))
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


def common_cells(run: Run) -> list[tuple[str, int]]:
    """(prompt, source) that all settings have, in the order of prompts, then sources."""
    sets = []
    for setting in run.settings:
        cells = run.rows.loc[setting.rows, ["prompt", "source"]]
        sets.append(set(zip(cells["prompt"], cells["source"].astype(int), strict=True)))
    order = {prompt["name"]: number for number, prompt in enumerate(run.prompts)}
    return sorted(set.intersection(*sets), key=lambda cell: (order[cell[0]], cell[1])) if sets else []


def frechet_tables(run: Run, pool: Pool) -> tuple[Table, ...]:
    """The distances of every setting, and how they depend on N; nothing where no counterfactuals are known."""
    if not pool.known or len(pool.cells) < 2:
        return ()
    floor = pool.distances.floor(pool.counterfactuals, pool.persons)
    data: list[dict[str, Value]] = []
    points: list[dict[str, Value]] = []
    for line in pool.lines():
        if line.editor == COUNTERFACTUAL:  # against itself: 0 at every N
            data.append(_data(run, pool, line, floor, math.nan))
            continue
        curve = pool.distances.by_size(line.frechet, pool.counterfactuals, pool.persons)
        data.append(_data(run, pool, line, floor, curve.limit))
        points += [
            {"editor": line.editor, "kind": line.kind, "strength": line.strength, "n": size, "distance": distance}
            for size, distance in zip(curve.sizes, curve.distances, strict=True)
        ]
    main = Table(
        NAME,
        QUESTION,
        names(frechet_columns(run.manifest["frechet_name"])),
        tuple(data),
        (_block(run, data, pool),),
        _notes(run, pool, floor),
    )
    sizes = Table(SIZES_NAME, SIZES_QUESTION, names(SIZES_COLUMNS), tuple(points), (_sizes_block(run, points),))
    return (main, sizes) if points else (main,)


def _data(run: Run, pool: Pool, line: Line, floor: float, limit: float) -> dict[str, Value]:
    name = run.manifest["frechet_name"]
    low = high = math.nan
    if line.editor != COUNTERFACTUAL:  # its distance to itself is 0 without any interval
        low, high = pool.distances.interval(line.frechet, pool.counterfactuals, pool.persons)
    cmmd = None
    if line.clip is not None and pool.clip_counterfactuals is not None:
        cmmd = pool.distances.cmmd(line.clip, pool.clip_counterfactuals, pool.persons)
    few = len(set(pool.persons)) < 2 and line.editor != COUNTERFACTUAL
    return {
        "editor": line.editor,
        "kind": line.kind,
        "strength": line.strength,
        "n": len(pool.cells),
        "persons": len(set(pool.persons)),
        "different": len(np.unique(line.frechet, axis=0)),
        name: pool.known_distance((line.editor, line.kind, line.strength), line.frechet),
        f"{name}_low": NOT_AVAILABLE if few else low,
        f"{name}_high": NOT_AVAILABLE if few else high,
        f"{name}_floor": floor,
        f"{name}_extrapolated": limit,
        "kid": pool.distances.kid(line.frechet, pool.counterfactuals, pool.persons),
        "cmmd": cmmd,
    }


def _block(run: Run, data: list[dict[str, Value]], pool: Pool) -> Block:
    name = run.manifest["frechet_name"]
    header = ("editor", "strength", f"{name} ↓", "95 %", "at N → ∞", "KID ↓", "CMMD ↓")
    rows = []
    for row in data:
        ends = (row[f"{name}_low"], row[f"{name}_high"])
        span = f"{_text(ends[0], 1)} to {_text(ends[1], 1)}" if _text(ends[0], 1) else ""
        strength = {"given": str(row["strength"]), "reference": ""}.get(str(row["kind"]), str(row["kind"]))
        mark = f" ({row['different']} different)" if _repeats(row) else ""
        figures = (_text(row[name], 1), span, _text(row[f"{name}_extrapolated"], 1))
        rows.append((f"{row['editor']}{mark}", strength, *figures, _text(row["kid"], 3), _text(row["cmmd"], 3)))
    return Block(f"{len(pool.cells)} pictures of {len(set(pool.persons))} persons each", header, tuple(rows), texts=2)


def _repeats(row: dict[str, Value]) -> bool:
    """Whether an editor gives one picture several times, so that N overstates what there is; references aside."""
    return row["kind"] != "reference" and int(row["different"] or 0) < int(row["n"] or 0)


def _text(value: Value, digits: int) -> str:
    if isinstance(value, str):
        return value
    return number(None if value is None else float(value), digits)


def _sizes_block(run: Run, points: list[dict[str, Value]]) -> Block:
    """One column an N."""
    sizes = sorted({int(point["n"] or 0) for point in points})
    lines = dict.fromkeys((str(p["editor"]), str(p["kind"]), str(p["strength"])) for p in points)
    rows = []
    for line in lines:
        known = {p["n"]: p["distance"] for p in points if (p["editor"], p["kind"], p["strength"]) == line}
        rows.append((line[0], {"reference": ""}.get(line[1], line[1]), *(_text(known.get(n), 1) for n in sizes)))
    title = f"{run.manifest['frechet_name']} of so many pictures, all of the same number of persons"
    return Block(title, ("editor", "strength", *(f"N {n}" for n in sizes)), tuple(rows), texts=2)


def _notes(run: Run, pool: Pool, floor: float) -> tuple[str, ...]:
    name = run.manifest["frechet_name"]
    return (
        "Only cells that all editors and strengths have, so N is equal: the edits pooled over prompts against the "
        "counterfactuals of the same cells. Both sides show the same persons, so a perfect editor scores 0.",
        f"Scale: counterfactuals of *other* persons score {number(floor, 1)} at this N. A distance below that is "
        "smaller than the chance of drawing persons; a good editor need not reach it.",
        "Oracle: the counterfactuals through the inversion, the best that an editor of this generator can score. "
        "Inversion: the reconstructions, what doing nothing scores; it can be better than what an editor scores, as an "
        "edit that fails adds its own errors, so read success first.",
        "95 %: bootstrap over persons, of the distance at this N. At N → ∞: line through the distances of smaller sets "
        "against 1/N; where it lies far below, N is small for these features and only rows of this table compare.",
        f"KID on the features of {name}, CMMD on those of the judge CLIP: over pairs of different persons, unbiased, 0 "
        "for a perfect editor."
        + ("" if pool.clip_counterfactuals is not None else " This run stored no CLIP features, so CMMD is blank."),
    )
