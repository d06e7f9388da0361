"""Labels made by looking at samples.

Three persons looked at different seeds: ``captions.csv`` is for the editors' side, ``judges.csv`` for the judges, and
``held_out.csv`` is what everything is measured on. 1 means that an attribute is there, 0 that it is not; a blank that
nobody can tell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from eval.domains.faces.networks import FACTORS, LABELS

SETS = ("captions", "judges", "held_out")
MOST = 200  # faces that show a value, to compare edits with
FOLDER = Path(__file__).parent / "labels"


def read(name: str) -> pd.DataFrame:
    """One set of labels: index seed, a column for each attribute, float 1, 0 or NaN."""
    return pd.read_csv(FOLDER / f"{name}.csv", index_col="seed").astype(float)


def values_of(table: pd.DataFrame, factor: str) -> np.ndarray:
    """The number of each face's value of a factor: int64 [N], -1 where nobody can tell."""
    known = table[list(LABELS[factor])].to_numpy()
    return np.where((known == 1).any(1), (known == 1).argmax(1) + 1, np.where((known == 0).all(1), 0, -1))


def seeds_showing(factor: str, value: str) -> list[int]:
    """Seeds of the first labelled faces that show a value, ``MOST`` at most, in ascending order."""
    table = pd.concat([read(name) for name in SETS]).sort_index()
    return [int(seed) for seed in table.index[values_of(table, factor) == FACTORS[factor].index(value)][:MOST]]
