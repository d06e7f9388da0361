"""One strength per (editor, prompt), chosen on calibration images, which are disjoint from the test images.

The sweep is kept as data (strength -> success, preservation, effect), so that any rule can choose from it: the
strength with the best balance of success and preservation, and, where editors are compared at equal effect, one
strength for each effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from eval.domains.base import Domain
from eval.editors.timed_editor import TimedEditor
from eval.judging.cells import judge_attributes
from eval.judging.synthesis import synthesised
from eval.memory import in_blocks, pictures_at_once
from eval.pixels import round_to_8_bit
from eval.prompts import Prompt
from eval.runs.matching import SweepPoint, gentler_strength, match, next_strength
from eval.runs.plan import CALIBRATION_IMAGES, DEFAULT_STRENGTH, SWEEP


class CalibrationImages:
    """The calibration images and what the attribute judge says of them unedited; made when first used.

    Args:
        domain: whose.
        count: how many.
        batch: no more than these are edited and judged at once.
    """

    def __init__(self, domain: Domain, count: int = CALIBRATION_IMAGES, batch: int = CALIBRATION_IMAGES) -> None:
        self.domain = domain
        self.count = count
        self._batch = batch

    @cached_property
    def latents(self) -> Latents:
        """Their codes."""
        return usable(self.domain.calibration_sources(self.count).latents)

    @cached_property
    def logits(self) -> Mapping[str, Tensor]:
        """The attribute judge's logits of the reconstructions, [N, V] a factor."""

        def read(rows: slice) -> Mapping[str, Tensor]:
            pictures = round_to_8_bit(synthesised(self.domain.editing, self.latents[rows]))
            return self.domain.judges.attributes(pictures)

        with torch.inference_mode():
            parts = in_blocks(read, len(self.latents), self.block)
            return {factor: torch.cat([part[factor] for part in parts]) for factor in parts[0]}

    @property
    def block(self) -> int:
        """How many are edited and judged at once."""
        return pictures_at_once(self.domain.editing.synthesis.resolution, self.domain.editing.device, self._batch)

    def visible(self, prompt: Prompt) -> np.ndarray:
        """Which factors are seen before and after the counterfactual: bool [N, F]; all where it is unknown."""
        seen = self.domain.visible("calibration", self.count, prompt)
        return np.ones((len(self.latents), len(self.domain.factors)), dtype=bool) if seen is None else seen


def usable(latents: Latents) -> Latents:
    """A copy that gradients may go through: domains compute latents in inference mode, editors may optimise them."""
    return Latents(latents.w_plus.clone(), latents.s.clone(), latents.s_rgb.clone())


def sweep(
    editor: TimedEditor,
    prompt: Prompt,
    images: CalibrationImages,
    strengths: Sequence[float] = SWEEP,
    advance: Callable[[int], None] = lambda count: None,
) -> list[SweepPoint]:
    """Edit the calibration images at every strength; judge the attributes only, which is cheap.

    Args:
        editor: fitted for the prompt.
        prompt: what is asked for.
        images: to edit.
        strengths: to try.
        advance: told after every strength how many images were edited.
    """
    points = []
    for strength in strengths:
        points.append(judged_point(editor, prompt, images, strength))
        advance(images.count)
    return points


def judged_point(
    editor: TimedEditor, prompt: Prompt, images: CalibrationImages, strength: float, goal: float | None = None
) -> SweepPoint:
    """Edit the calibration images at one strength and judge their attributes; ``goal`` is the effect that asked."""
    visible = images.visible(prompt)

    def judge(rows: slice) -> tuple[np.ndarray, ...]:
        edited, _ = editor.edit(images.latents[rows], prompt, strength)
        before = {factor: logits[rows] for factor, logits in images.logits.items()}
        pictures = synthesised(images.domain.editing, edited)
        return judge_attributes(images.domain, before, pictures, prompt, visible[rows])

    parts = in_blocks(judge, len(images.latents), images.block)
    success, preserved, eligible, effect = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    success_share, preservation, mean_effect = (_mean(column[eligible]) for column in (success, preserved, effect))
    return SweepPoint(strength, success_share, preservation, mean_effect, goal)


def _mean(column: np.ndarray) -> float:
    """Mean of the numbers that are there; NaN if none is."""
    numbers = column.astype(float)
    numbers = numbers[~np.isnan(numbers)]
    return float(numbers.mean()) if len(numbers) else math.nan


def best_balance(points: Sequence[SweepPoint]) -> float:
    """The strength that maximises the harmonic mean of success and preservation; of equals, the smallest.

    Where no image is eligible, nothing can be chosen: the default strength.

    >>> best_balance([SweepPoint(0.5, 0.2, 1.0, 0.4), SweepPoint(1.0, 0.8, 0.8, 1.1), SweepPoint(2.0, 0.8, 0.8, 2.0)])
    1.0
    """
    scores = [(_harmonic(point.success, point.preservation), -point.strength) for point in points]
    scores = [score for score in scores if not math.isnan(score[0])]
    return -max(scores)[1] if scores else DEFAULT_STRENGTH


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def calibrate(
    editor: TimedEditor,
    prompt: Prompt,
    images: CalibrationImages,
    goals: Sequence[float],
    stored: Mapping[str, Any] | None,
    save: Callable[[Mapping[str, Any]], None],
    advance: Callable[[int], None] = lambda count: None,
) -> None:
    """Judge the sweep, downwards too if need be, then what the goals need besides.

    Whatever is judged is saved at once and never judged again.

    Args:
        editor: fitted for the prompt.
        prompt: what is asked for.
        images: to edit.
        goals: target effects in σ, ascending; none if no effects are matched.
        stored: what was saved earlier; None if nothing was.
        save: called after the sweep and after every further strength with what to keep (see ``record``).
        advance: told after every strength of the sweep how many images were edited.
    """
    if stored is None:
        points = sweep(editor, prompt, images, advance=advance)
        while (strength := gentler_strength(points)) is not None:
            points.insert(0, judged_point(editor, prompt, images, strength))
        save(record(editor.label, prompt.name, points))
    else:
        points = [SweepPoint.from_json(point) for point in [*stored["sweep"], *stored.get("refined", [])]]
    for goal in goals:
        while (strength := next_strength(points, goal)) is not None:
            points.append(judged_point(editor, prompt, images, strength, goal))
            save(record(editor.label, prompt.name, points))
    if goals:
        save(record(editor.label, prompt.name, points, goals))


def record(
    editor: str, prompt: str, points: Sequence[SweepPoint], goals: Sequence[float] | None = None
) -> dict[str, object]:
    """What ``strengths/`` keeps of a calibration.

    Args:
        editor: label.
        prompt: name.
        points: judged so far.
        goals: target effects; None while the search for their strengths is not finished.
    """
    swept = [point for point in points if point.goal is None]
    refined = [point for point in points if point.goal is not None]
    kept: dict[str, object] = {
        "editor": editor,
        "prompt": prompt,
        "sweep": [point.as_json() for point in swept],
        "chosen": best_balance(swept),
    }
    if refined or goals is not None:
        kept["refined"] = [point.as_json() for point in refined]
    if goals is not None:
        kept["matched"] = [asdict(found) | {"met": found.met} for found in (match(points, goal) for goal in goals)]
    return kept
