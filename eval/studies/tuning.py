"""Hyper-parameters of all editors, chosen by one rule on calibration images; no test image is looked at.

Every value of a small grid edits every prompt at the strength that calibration chooses for it. The best value is that
with most clean success; of all that draw with it (one standard error of the difference over images), the one nearest to
the published value on the grid is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from eval.domains.base import Domain
from eval.editors.registry import parse_methods
from eval.editors.spec import EditorSpec
from eval.editors.timed_editor import TimedEditor
from eval.prompts import Prompt
from eval.runs.calibration import CalibrationImages, look
from eval.runs.names import file_name
from eval.runs.store import Store
from eval.runs.strengths.clean import DRAW, ROUNDING, Search

RULE = "most clean success on the calibration images; of values within one standard error, the nearest to the published"


@dataclass(frozen=True)
class Grid:
    """What is tried of one editor.

    Attributes:
        parameter: of its constructor.
        values: that are tried, in their order.
        published: the authors' value, one of them.
    """

    parameter: str
    values: tuple[float | str, ...]
    published: float | str

    def specs(self, name: str) -> dict[float | str, EditorSpec]:
        """Value -> editor."""
        return {value: parse_methods(f"{name}[{self.parameter}={value}]")[0][0] for value in self.values}


GRIDS: Mapping[str, Grid] = {
    "deltaedit": Grid("threshold", (0.01, 0.03, 0.06, 0.1), 0.03),
    "styleclip-global": Grid("beta", (0.05, 0.1, 0.15, 0.2), 0.15),
    "styleclip-mapper": Grid("lambda_l2", (0.05, 0.2, 0.8), 0.8),
    "stylemc": Grid("preset", ("small", "published"), "published"),
}


@dataclass(frozen=True)
class Tuned:
    """What was found of one value.

    Attributes:
        editor: name.
        parameter: of it.
        value: tried.
        clean: share of clean success over the eligible cells.
        behind: clean success of the best value minus this one's, averaged over images, and its standard error.
        chosen: by the rule.
        published: the authors' value.
    """

    editor: str
    parameter: str
    value: float | str
    clean: float
    behind: tuple[float, float]
    chosen: bool
    published: bool


def tune(
    domain: Domain,
    names: Sequence[str],
    prompts: Sequence[Prompt],
    count: int,
    store: Store,
    done: Callable[[str], None],
) -> list[Tuned]:
    """Try every value with every prompt; what the store holds is not done again.

    Args:
        domain: whose calibration images.
        names: of editors that have a grid.
        prompts: to edit.
        count: of the calibration images.
        store: keeps what was found of each value and prompt.
        done: is told what is finished.
    """
    images = CalibrationImages(domain, count)
    found: dict[tuple[str, float | str], list[np.ndarray]] = {}
    for name in names:
        for value, spec in GRIDS[name].specs(name).items():
            editor = TimedEditor(spec, domain.editing, 0, None, domain.judges)
            cells = [_cells(store, editor, spec.label, prompt, images) for prompt in prompts]
            found[name, value] = cells
            done(f"{name}, {GRIDS[name].parameter} = {value}")
    return [
        row
        for name in names
        for row in choose(name, {value: np.stack(found[name, value]) for value in GRIDS[name].values})
    ]


def _cells(store: Store, editor: TimedEditor, label: str, prompt: Prompt, images: CalibrationImages) -> np.ndarray:
    """Clean success of one prompt at its calibrated strength: float64 [N], NaN where an image is not eligible."""
    file = f"found/{file_name(label)}--{file_name(prompt.name)}.json"
    stored: Mapping[str, Any] | None = store.read_json(file)
    if stored is None:
        editor.fit(prompt)
        judge = partial(look, editor, prompt, images)
        search = Search(judge, images.count)
        search.climb()
        strength = search.decide().strength
        seen = search.seen.get(strength) or judge(strength)
        if len(seen.clean) < images.count:
            seen = seen.and_then(judge(strength, slice(len(seen.clean), images.count)))
        clean = [bool(clean) if eligible else None for clean, eligible in zip(seen.clean, seen.eligible, strict=True)]
        stored = {"strength": strength, "clean": clean}
        store.write_json(file, stored)
    return np.array([np.nan if clean is None else clean for clean in stored["clean"]], dtype=float)


def choose(name: str, cells: Mapping[float | str, np.ndarray]) -> list[Tuned]:
    """The rule.

    Args:
        name: of the editor.
        cells: value of its grid -> clean success, float64 [prompts, images], NaN where an image is not eligible.
    """
    grid = GRIDS[name]
    means = {value: float(np.nanmean(found)) for value, found in cells.items()}
    best = max(means, key=lambda value: means[value])
    behind = {value: _behind(cells[best], found) for value, found in cells.items()}
    close = [
        value for value, (difference, noise) in behind.items() if value == best or difference <= DRAW * noise + ROUNDING
    ]
    steps = {value: abs(grid.values.index(value) - grid.values.index(grid.published)) for value in close}
    chosen = min(close, key=lambda value: (steps[value], -means[value]))
    return [
        Tuned(name, grid.parameter, value, means[value], behind[value], value == chosen, value == grid.published)
        for value in cells
    ]


def _behind(best: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Mean over images of the difference averaged over prompts, and its standard error."""
    apart = best - other
    by_image = apart[:, ~np.isnan(apart).all(0)]
    each = np.nanmean(by_image, 0)
    noise = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else np.nan
    return float(each.mean()) if len(each) else np.nan, noise
