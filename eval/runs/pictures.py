"""The pictures that a run stores, found by what they show."""

from __future__ import annotations

import numpy as np

from eval.errors import UsageError, unknown
from eval.runs.reader import Run

SOURCES = {"original": "images", "reconstruction": "reconstructions"}  # what is called so -> its array in sources.npz
COUNTERFACTUAL = "counterfactual"


def stored_picture(
    run: Run, editor: str, prompt: str, image: int | str = 0, strength: str | float | None = None
) -> np.ndarray:
    """One picture of a run.

    Args:
        run: opened.
        editor: label of an editor, or ``original``, ``reconstruction``, ``counterfactual``.
        prompt: its name.
        image: number or name of the source image.
        strength: a number or a kind, such as ``default``; None for the setting that figures show.

    Returns:
        uint8 [H, W, 3].

    Raises:
        UsageError: the run has no such picture.
    """
    names = [each["name"] for each in run.prompts]
    if prompt not in names:
        raise unknown(f"prompt in {run.folder}", prompt, names)
    source = _source(run, image)
    if editor in SOURCES:
        return np.asarray(run.sources(SOURCES[editor])[source])
    if editor == COUNTERFACTUAL:
        counterfactuals = run.counterfactual(prompt, "images")
        if counterfactuals is None:
            raise UsageError(f"The domain of {run.folder} knows no counterfactuals.")
        return np.asarray(counterfactuals[source])
    if editor not in run.editors:
        raise unknown(f"editor in {run.folder}", editor, [*run.editors, *SOURCES, COUNTERFACTUAL])
    return _edit(run, editor, prompt, source, strength)


def _source(run: Run, image: int | str) -> int:
    """Row of a source image."""
    if isinstance(image, str):
        if image not in run.names:
            raise unknown(f"image in {run.folder}", image, run.names)
        return run.names.index(image)
    if not 0 <= image < len(run.names):
        raise UsageError(f"The run {run.folder} has the images 0 to {len(run.names) - 1}. Got {image} instead.")
    return image


def _edit(run: Run, editor: str, prompt: str, source: int, strength: str | float | None) -> np.ndarray:
    """The stored picture of an edit."""
    rows = run.every_row
    cells = rows[(rows["editor"] == editor) & (rows["prompt"] == prompt)]
    if strength is None:
        shown = next(setting for setting in run.headlines if setting.editor == editor)
        cells = cells[cells.index.isin(shown.rows)]
    else:
        column = "kind" if isinstance(strength, str) else "strength"
        found = cells[cells[column] == strength]
        if not len(found):
            there = [*cells["kind"].unique(), *(f"{value:g}" for value in cells["strength"].unique())]
            raise unknown(f"strength of {editor}, {prompt}", str(strength), there)
        cells = found
    for chunk in cells.loc[cells["source"] == source, "chunk"]:
        kept = run.chunk_array(chunk, "kept").tolist()
        if source in kept:
            return np.asarray(run.chunk_array(chunk, "images")[kept.index(source)])
    raise UsageError(
        f"The picture of {editor}, {prompt}, image {source} is not stored in {run.folder}: a run keeps the first ones."
    )
