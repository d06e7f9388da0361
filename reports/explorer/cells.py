"""The numbers of every edit whose picture is in the explorer, and why others are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reports.explorer.images import Pictures
from reports.explorer.numbers import rounded
from reports.explorer.stops import Choices, Stop

if TYPE_CHECKING:
    from pandas import DataFrame

DIGITS = 4  # significant
SHOWN = (
    *("target_effect", "ad_mean", "ad_max", "preservation", "identity", "clip_score_judge", "directional_judge"),
    *("counterfactual_psnr_db", "counterfactual_ssim", "counterfactual_identity"),
    *("inversion_psnr_db", "outside_psnr_db", "outside_l1", "edit_l1"),
)
FLAGS = ("eligible", "success")


def cells(choices: Choices, shown: Pictures) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Stop -> editor -> prompt -> ``strength``, ``tile`` and columns with one entry a person, or ``error``.

    ``changed`` lists the other factors whose first choice is another one after the edit, as numbers of the factors.
    """
    shown_prompts = [prompt["name"] for prompt in choices.prompts]
    place = {source: number for number, source in enumerate(shown.sources)}
    found: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for stop in choices.stops:
        rows = choices.run.rows.loc[stop.rows]
        rows = rows[rows["source"].isin(place) & rows["prompt"].isin(shown_prompts)]
        for (editor, prompt), group in rows.groupby(["editor", "prompt"], sort=False):
            tiles = shown.tiles.get(stop.name, {}).get(editor, {}).get(prompt, [None] * len(place))
            entry = {"strength": rounded(float(group["strength"].iloc[0]), DIGITS), "tile": tiles}
            entry |= _columns(group, place) | {"changed": _changed(choices, group, place)}
            found.setdefault(stop.name, {}).setdefault(str(editor), {})[str(prompt)] = entry
        for failure in choices.run.failures:
            if _is_of(failure, stop):
                mine = found.setdefault(stop.name, {}).setdefault(failure["editor"], {})
                mine.setdefault(failure["prompt"], {"error": str(failure["error"])})
    return found


def _columns(group: DataFrame, place: dict[int, int]) -> dict[str, list[Any]]:
    where = [place[int(source)] for source in group["source"]]
    columns: dict[str, list[Any]] = {}
    for name in (*FLAGS, *SHOWN):
        if name in group and group[name].notna().any():
            values: list[Any] = [None] * len(place)
            for position, value in zip(where, group[name].to_numpy(np.float64), strict=True):
                values[position] = rounded(float(value), DIGITS)
            columns[name] = values
    return columns


def _changed(choices: Choices, group: DataFrame, place: dict[int, int]) -> list[list[int] | None]:
    names = [f"preservation.{factor}" for factor in choices.run.factors]
    known = [(number, name) for number, name in enumerate(names) if name in group]
    changed: list[list[int] | None] = [None] * len(place)
    for source, preservation in zip(
        group["source"], group[[name for _, name in known]].to_numpy(np.float64), strict=True
    ):
        changed[place[int(source)]] = [n for (n, _), value in zip(known, preservation, strict=True) if value == 0]
    return changed


def _is_of(failure: dict[str, Any], stop: Stop) -> bool:
    """The error file does not say how the strength was chosen; its name does, and only a label in the grid needs it."""
    way = f"matched-{stop.goal:g}-" if stop.goal is not None else f"{stop.kind}-"
    if f"--{way}" not in str(failure["id"]):
        return False
    return stop.kind != "given" or f"given-{float(failure['strength']):g}" == stop.name
