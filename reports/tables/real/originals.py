"""How far are the edits, as a set, from the original images? For domains that know no counterfactuals.

Against the originals of the *same* persons doing nothing is best, so papers that print only that reward not editing.
Beside it stand the originals of *other* persons, which no editor has seen, and what originals score against those.
"""

from __future__ import annotations

import numpy as np

from eval.metrics.book import metric_of
from eval.metrics.set_distances import SetDistances
from eval.runs.reader import Run
from reports.pool import INVERSION, Pool
from reports.tables.columns import EDITOR, FRECHET, KIND, STRENGTH, Column, count, names
from reports.tables.frechet import POOLED
from reports.writers.layout import Block, Table, Value, number

NAME = "originals"
QUESTION = "How far are the edits, as a set, from the original images?"
_SETS = {
    "same": "edits and originals of the same persons",
    "others": "the edits of one half of the persons and the originals of the other, both ways",
    "floor": "the originals of one half of the persons and those of the other",
}
_DISTANCES = {
    name: Column(
        *(FRECHET, f"Fréchet distance of {sets}", metric_of("frechet").source, "frechet", f"{sets}: {POOLED}"),
        recipes=("frechet",),
    )
    for name, sets in _SETS.items()
}
COLUMNS = {
    "editor": EDITOR,
    "kind": KIND,
    "strength": STRENGTH,
    "n": count("number of edits in the distance to the same persons", POOLED),
    "same": _DISTANCES["same"],
    "others": _DISTANCES["others"],
    "others_n": count("number of edits in each half", POOLED),
    "floor": _DISTANCES["floor"],
}


def originals_table(run: Run, pool: Pool) -> Table | None:
    """Fréchet distances of every setting to the originals; None where counterfactuals are known, or with one cell."""
    if pool.known or len(pool.cells) < 2:
        return None
    originals = run.sources("frechet_originals")[pool.persons]
    halves = _halves(pool.persons)
    lines = [(s.editor, s.kind, s.strength, pool.features(s.rows, "frechet")) for s in run.settings]
    lines.append((INVERSION, "reference", "", run.sources("frechet")[pool.persons]))
    floor = _crossed(pool.distances, originals, originals, halves)
    data: list[dict[str, Value]] = [
        {
            "editor": editor,
            "kind": kind,
            "strength": strength,
            "n": len(pool.cells),
            "same": float(pool.distances.distance(features, originals)),
            "others": _crossed(pool.distances, features, originals, halves),
            "others_n": len(halves[0]),
            "floor": floor,
        }
        for editor, kind, strength, features in lines
    ]
    return Table(NAME, QUESTION, names(COLUMNS), tuple(data), (_block(run, data),), _notes())


def _halves(persons: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the cells of every second person and of the others, cut to the same number."""
    place = {person: position for position, person in enumerate(sorted(set(persons)))}
    parity = np.array([place[person] % 2 for person in persons])
    first, second = np.flatnonzero(parity == 0), np.flatnonzero(parity == 1)
    size = min(len(first), len(second))
    return first[:size], second[:size]


def _crossed(
    distances: SetDistances, edits: np.ndarray, originals: np.ndarray, halves: tuple[np.ndarray, np.ndarray]
) -> float | None:
    """Mean distance of the edits of one half to the originals of the other, both ways; None for halves of one cell."""
    if len(halves[0]) < 2:
        return None
    first, second = halves
    ways = ((edits[first], originals[second]), (edits[second], originals[first]))
    return float(np.mean([distances.distance(*way) for way in ways]))


def _block(run: Run, data: list[dict[str, Value]]) -> Block:
    name = run.manifest["frechet_name"]
    floor = data[0]["floor"]
    floor_text = f", floor {number(float(floor), 1)}" if floor is not None else ""
    header = (
        "editor",
        "strength",
        f"{name} to the same persons (N {data[0]['n']})",
        f"{name} to other persons ↓ (N {data[0]['others_n']}{floor_text})",
    )
    rows = []
    for row in data:
        strength = {"given": str(row["strength"]), "reference": ""}.get(str(row["kind"]), str(row["kind"]))
        shown = (number(None if row[key] is None else float(str(row[key])), 1) for key in ("same", "others"))
        rows.append((str(row["editor"]), strength, *shown))
    return Block("Against original images", header, tuple(rows), texts=2)


def _notes() -> tuple[str, ...]:
    return (
        "No counterfactuals are known here. An editor that does nothing is nearest to the same persons; a right edit "
        "moves away from them.",
        "Other persons: the edits of every second person against the originals of the rest, mean of both ways; the "
        "floor is what originals score so. Distances of other N cannot be compared.",
    )
