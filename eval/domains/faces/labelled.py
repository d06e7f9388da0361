"""Labels made by looking at samples.

Three persons looked at different seeds: ``captions.csv`` is for the editors' side, ``judges.csv`` for the judges, and
``held_out.csv`` is what everything is measured on. 1 means that an attribute is there, 0 that it is not; a blank that
nobody can tell.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent / "labels"


def read(name: str) -> pd.DataFrame:
    """One set of labels: index seed, a column for each attribute, float 1, 0 or NaN."""
    return pd.read_csv(FOLDER / f"{name}.csv", index_col="seed").astype(float)
