"""The distances between sets of pictures by other formulas, from the features in the chunk files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.reports.why.second.files import ORACLE, Files, Info
from tests.reports.why.second.kernels import HOW, second_cmmd, second_kid
from tests.reports.why.second.selection import COUNTERFACTUAL, INVERSION, Row, chunks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Cell = tuple[str, int]  # prompt, number of the image
Found = float | int | None
NO_SECOND = ("_floor", "_extrapolated", "distance")  # there is no second way to these here
KERNELS = {"kid": ("frechet", second_kid), "cmmd": ("clip", second_cmmd)}  # column -> features, second way


def second_distance(files: Files, row: Row, column: str) -> tuple[Found, str]:
    """A distance of the tables ``main`` and ``frechet``, or what it is over, and how it was found."""
    cells = common_cells(files)
    ending = column.removeprefix(str(files.manifest["frechet_name"]))
    if ending in KERNELS:
        return _kernel(files, row, cells, *KERNELS[ending])
    exact = _counterfactuals(files, cells, "frechet")
    if exact is None:
        return None, "no cell is shared by all, or the domain knows no counterfactuals"
    if ending in NO_SECOND:
        return None, ""
    edits = _edits(files, row, cells, exact, "frechet") if ending in ("", "_split", "different") else exact
    first, second = _halves([source for _, source in cells])
    if ending in ("_n", "n"):
        return len(cells), "counted"
    if ending == "persons":
        return len({source for _, source in cells}), "counted"
    if ending == "different":
        return len({features.tobytes() for features in edits}), "counted"
    if ending == "_split_n":
        return len(first) or None, "counted"
    how = "the singular values of the features' cross product, by plain NumPy"
    if ending == "":
        return (distance(edits, exact) if len(cells) > 1 else None), how
    if len(first) < 2:
        return None, "fewer than two images a half"
    ways = distance(edits[first], exact[second]), distance(edits[second], exact[first])
    return (ways[0] + ways[1]) / 2, how


def _kernel(
    files: Files,
    row: Row,
    cells: list[Cell],
    features: str,
    again: Callable[[np.ndarray, np.ndarray, Sequence[int]], float],
) -> tuple[Found, str]:
    exact = _counterfactuals(files, cells, features)
    if exact is None:
        return None, "no cell is shared by all, or the run holds no such features of counterfactuals"
    persons = [source for _, source in cells]
    return again(_edits(files, row, cells, exact, features), exact, persons), HOW


def _counterfactuals(files: Files, cells: list[Cell], key: str) -> np.ndarray | None:
    """The features of the cells' counterfactuals; None without cells, or where a prompt has none."""
    counterfactuals = {
        name: files.array(f"counterfactuals/{name}.npz", key) for name in {prompt for prompt, _ in cells}
    }
    if not cells or not all(array.size for array in counterfactuals.values()):
        return None
    return np.stack([counterfactuals[prompt][source] for prompt, source in cells])


def common_cells(files: Files) -> list[Cell]:
    """Cells that every editor has at every kind and strength of the main table, prompts in order, then images."""
    groups: dict[tuple[str, ...], set[Cell]] = {}
    for info in files.infos:
        if info["kind"] in (ORACLE, "matched"):
            continue
        strength = "" if info["kind"] == "calibrated" else f"{info['strength']}"
        cells = {(info["prompt"], image) for image in range(info["first"], info["first"] + info["count"])}
        groups.setdefault((info["editor"], info["kind"], strength), set()).update(cells)
    order = [prompt["name"] for prompt in files.prompts]
    shared = set.intersection(*groups.values()) if groups else set()
    return sorted(shared, key=lambda cell: (order.index(cell[0]), cell[1]))


def _edits(files: Files, row: Row, cells: list[Cell], exact: np.ndarray, key: str) -> np.ndarray:
    if row["editor"] == COUNTERFACTUAL:
        return exact
    if row["editor"] == INVERSION and row["kind"] == "reference":
        sources = files.array("sources.npz", key)
        return np.stack([sources[source] for _, source in cells])
    return _gathered(_by_cell(files, chunks_of(files, "main", row), key), cells)


def _by_cell(files: Files, infos: list[Info], key: str) -> dict[Cell, np.ndarray]:
    found = {}
    for info in infos:
        for place, features in enumerate(files.of_chunk(info, key)):
            found[info["prompt"], info["first"] + place] = features
    return found


def _gathered(found: Mapping[Cell, np.ndarray], cells: list[Cell]) -> np.ndarray:
    return np.stack([found[cell] for cell in cells])


def _halves(sources: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Cells of every other image, and of the others, as many."""
    order = {source: number for number, source in enumerate(sorted(set(sources)))}
    even = [place for place, source in enumerate(sources) if order[source] % 2 == 0]
    odd = [place for place, source in enumerate(sources) if order[source] % 2 == 1]
    size = min(len(even), len(odd))
    return np.array(even[:size], dtype=int), np.array(odd[:size], dtype=int)


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of two sets of features [N, D]; the trace of the root is the sum of the singular values of A Bᵀ.

    A and B are the centred features over √(n - 1); where there are more images than features, their triangular factors
    stand for them.

    >>> round(distance(np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])), 6)  # means 1 and 3, variances 2 and 8
    6.0
    """
    one, other = (features.astype(np.float64) for features in (first, second))
    a, b = ((part - part.mean(0)) / np.sqrt(len(part) - 1) for part in (one, other))
    means = one.mean(0) - other.mean(0)
    spreads = float((a**2).sum() + (b**2).sum())
    roots: np.ndarray = np.linalg.svd(_triangle(a) @ _triangle(b).T, compute_uv=False)
    return float(means @ means + spreads - 2 * roots.sum())


def _triangle(rows: np.ndarray) -> np.ndarray:
    """The triangular factor where there are more rows than columns, otherwise the rows."""
    return np.asarray(np.linalg.qr(rows, mode="r")) if len(rows) > rows.shape[1] else rows
