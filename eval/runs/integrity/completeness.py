"""How far a run is: which cells are missing, and which of those that are there can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame

COMPARED_SHARE = 0.5  # an editor with fewer cells than this share of the fullest one's would leave others too few


@dataclass(frozen=True)
class Missing:
    """What a run lacks.

    Attributes:
        cells: editor -> how many, of those that lack any.
        expected: how many cells the whole run has.
    """

    cells: Mapping[str, int]
    expected: int

    def __bool__(self) -> bool:
        return bool(self.cells)


@dataclass(frozen=True)
class Shared:
    """The cells on which editors can be compared.

    Attributes:
        rows: bool [n], which; all where editors share none.
        left_out: labels of editors that have too few.
        any: whether they share any.
    """

    rows: np.ndarray
    left_out: tuple[str, ...]
    any: bool


def missing(
    arguments: Mapping[str, Any],
    prompts: Sequence[str],
    chunks: Iterable[Mapping[str, Any]],
    failures: Iterable[Mapping[str, Any]] = (),
) -> Missing:
    """Count the cells that are still to be made; those of an editor that failed at a prompt are not.

    Args:
        arguments: of the manifest.
        prompts: names of all prompts of the run.
        chunks: what the ``.json`` of every finished chunk says.
        failures: what the ``.error.json`` of every failed chunk says.
    """
    images = int(arguments.get("images") or 0)
    wanted = {
        (editor, prompt, strength): images
        for editor in arguments.get("methods", ())
        for prompt in prompts
        for strength in arguments.get("strengths", ())
    }
    expected = sum(wanted.values())
    for chunk in chunks:
        key = (chunk["editor"], chunk["prompt"], _strength(chunk))
        if key in wanted:
            wanted[key] -= chunk["count"]
    failed = {(failure["editor"], failure["prompt"]) for failure in failures}
    lacking: dict[str, int] = {}
    for (editor, prompt, _), count in wanted.items():
        if count > 0 and (editor, prompt) not in failed:
            lacking[editor] = lacking.get(editor, 0) + count
    return Missing(lacking, expected)


def _strength(chunk: Mapping[str, Any]) -> str:
    """The strength as it was asked for.

    >>> _strength({"kind": "matched", "strength": 1.37, "effect_goal": 0.5})
    'matched 0.5'
    """
    if chunk["kind"] == "matched" and chunk.get("effect_goal") is not None:
        return f"matched {chunk['effect_goal']:g}"
    return f"{chunk['strength']:g}" if chunk["kind"] == "given" else str(chunk["kind"])


def shared(rows: DataFrame) -> Shared:
    """The cells of those prompts and images that every editor has at every way of choosing its strength.

    Args:
        rows: as ``Run.rows``.
    """
    pairs = rows.groupby(["prompt", "source"], sort=False).ngroup().to_numpy()
    given = rows["strength"].where(rows["kind"] == "given")
    keys = [rows["editor"], rows["kind"], rows["effect_goal"], given]
    settings = rows.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    counts = np.bincount(settings)
    compared = counts >= COMPARED_SHARE * counts.max()
    common = reduce(np.intersect1d, [np.unique(pairs[settings == s]) for s in np.flatnonzero(compared)])
    if not len(common):
        return Shared(np.ones(len(rows), dtype=bool), (), False)
    chosen = np.isin(pairs, common) & compared[settings]
    left = [label for label in rows["editor"].unique() if not chosen[(rows["editor"] == label).to_numpy()].any()]
    return Shared(chosen, tuple(left), True)


def of_the_same_pairs(cells: DataFrame, rows: DataFrame) -> DataFrame:
    """The cells of those pairs of prompt and image that are among some rows."""
    pairs = set(zip(rows["prompt"], rows["source"], strict=True))
    chosen = [pair in pairs for pair in zip(cells["prompt"], cells["source"], strict=True)]
    return cells[chosen].reset_index(drop=True)


def sentence(found: Missing, rows: DataFrame, each: Shared, prompts: int) -> str:
    """What is missing and on what editors are compared.

    Args:
        found: what is missing.
        rows: the cells that are compared.
        each: how they were chosen.
        prompts: how many the run has.
    """
    lacking = ", ".join(f"{label} {count:,}" for label, count in list(found.cells.items())[:3])
    more = f", and {len(found.cells) - 3} more editors" if len(found.cells) > 3 else ""
    text = f"Unfinished: {sum(found.cells.values()):,} of {found.expected:,} cells are missing ({lacking}{more}). "
    if not each.any:
        return f"{text}Editors share no cell: each mean is over an editor's own cells."
    pairs, names = len(rows[["prompt", "source"]].drop_duplicates()), rows["prompt"].nunique()
    text += f"Editors are compared on the {pairs:,} pairs of prompt and image that all have, of {names} prompts "
    text += f"out of {prompts}."
    return text + (f" Left out, with too few cells: {', '.join(each.left_out)}." if each.left_out else "")
