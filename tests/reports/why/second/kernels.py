"""KID and CMMD by another way: person by person, in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

HOW = "the kernel's mean over pairs of different persons, person by person, by plain NumPy"


def second_kid(edits: np.ndarray, counterfactuals: np.ndarray, persons: Sequence[int]) -> float:
    """Squared maximum mean discrepancy with the kernel (x·y / D + 1)³ over pairs of different persons.

    Args:
        edits: [N, D].
        counterfactuals: [N, D], row i of the same cell.
        persons: the source image of each row.

    >>> round(second_kid(np.array([[0.0], [1.0]]), np.array([[0.0], [2.0]]), [0, 1]), 6)  # 1 + 1 - 2 · 1
    0.0
    >>> round(second_kid(np.array([[1.0], [1.0]]), np.array([[2.0], [2.0]]), [0, 1]), 6)  # 8 + 125 - 2 · 27
    79.0
    """
    return _discrepancy(edits, counterfactuals, persons, lambda x, y: (y @ x / len(x) + 1) ** 3)


def second_cmmd(edits: np.ndarray, counterfactuals: np.ndarray, persons: Sequence[int]) -> float:
    """1000 times that with the kernel exp(-|x - y|² / 200) on unit features.

    >>> round(second_cmmd(np.array([[1.0, 0], [1, 0]]), np.array([[0.0, 1], [0, 1]]), [0, 1]), 3)  # 2000(1 - exp(-.01))
    19.9
    """

    def gaussian(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        squares: np.ndarray = np.exp(-((x - y) ** 2).sum(1) / 200)
        return squares

    return 1000 * _discrepancy(edits, counterfactuals, persons, gaussian)


def _discrepancy(
    edits: np.ndarray,
    counterfactuals: np.ndarray,
    persons: Sequence[int],
    kernel: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> float:
    """``kernel`` is given a row [D] and rows [M, D], and gives [M]."""
    x, y, person = edits.astype(np.float64), counterfactuals.astype(np.float64), np.asarray(persons)
    sums, pairs = np.zeros(3), 0
    for one in np.unique(person):
        mine, others = person == one, person != one
        pairs += int(mine.sum()) * int(others.sum())
        for i in np.flatnonzero(mine):
            sums += [kernel(a[i], b[others]).sum() for a, b in ((x, x), (y, y), (x, y))]
    return float((sums[0] + sums[1] - 2 * sums[2]) / pairs) if pairs else float("nan")
