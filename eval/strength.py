"""One strength per (editor, prompt), chosen on calibration images, which are disjoint from the test images.

The sweep is kept as data (strength -> success, kept, effect), so that any rule can choose from it: here the strength
with the best balance of success and kept; a protocol that compares editors at equal effect reads the same sweep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from deltaedit.latents import Latents
from eval.domains.base import Domain
from eval.judging import judge_attributes, round_to_8_bit
from eval.plan import CALIBRATION_IMAGES, DEFAULT_STRENGTH, SWEEP
from eval.prompts import Prompt
from eval.timed_editor import TimedEditor


@dataclass(frozen=True)
class SweepPoint:
    """What one strength does on the calibration images, over the eligible ones.

    Attributes:
        strength: tried.
        success: share that the judge finds to have the value asked for; NaN if no image is eligible.
        kept: mean share of the other visible factors that stay as they were.
        effect: mean movement of the value's one-vs-rest log-odds, in σ.
    """

    strength: float
    success: float
    kept: float
    effect: float


class CalibrationImages:
    """The calibration images and what the attribute judge says of them unedited; made when first used."""

    def __init__(self, domain: Domain, count: int = CALIBRATION_IMAGES) -> None:
        self.domain = domain
        self.count = count

    @cached_property
    def latents(self) -> Latents:
        """Their codes."""
        return usable(self.domain.calibration_sources(self.count).latents)

    @cached_property
    def logits(self) -> Mapping[str, Tensor]:
        """The attribute judge's logits of the reconstructions, [N, V] a factor."""
        with torch.inference_mode():
            return self.domain.judges.attributes(round_to_8_bit(self.domain.editing.images(self.latents)))

    def visible(self, prompt: Prompt) -> np.ndarray:
        """Which factors are seen before and after the exact edit: bool [N, F]."""
        seen = self.domain.visible("calibration", self.count, prompt)
        return np.ones((self.count, len(self.domain.factors)), dtype=bool) if seen is None else seen


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
        edited, _ = editor.edit(images.latents, prompt, strength)
        with torch.inference_mode():
            pictures = images.domain.editing.images(edited)
            judged = judge_attributes(images.domain, images.logits, pictures, prompt, images.visible(prompt))
        points.append(_point(strength, *(np.asarray(column) for column in judged)))
        advance(len(edited))
    return points


def _point(
    strength: float, success: np.ndarray, kept: np.ndarray, eligible: np.ndarray, effect: np.ndarray
) -> SweepPoint:
    return SweepPoint(strength, *(_mean(column[eligible]) for column in (success, kept, effect)))


def _mean(column: np.ndarray) -> float:
    """Mean of the numbers that are there; NaN if none is."""
    numbers = column.astype(float)
    numbers = numbers[~np.isnan(numbers)]
    return float(numbers.mean()) if len(numbers) else math.nan


def best_balance(points: Sequence[SweepPoint]) -> float:
    """The strength that maximises the harmonic mean of success and kept; of equals, the smallest.

    Where no image is eligible, nothing can be chosen: the default strength.

    >>> best_balance([SweepPoint(0.5, 0.2, 1.0, 0.4), SweepPoint(1.0, 0.8, 0.8, 1.1), SweepPoint(2.0, 0.8, 0.8, 2.0)])
    1.0
    """
    scores = [(_harmonic(point.success, point.kept), -point.strength) for point in points]
    scores = [score for score in scores if not math.isnan(score[0])]
    return -max(scores)[1] if scores else DEFAULT_STRENGTH


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def record(editor: str, prompt: str, points: Sequence[SweepPoint]) -> dict[str, object]:
    """What ``strengths/`` keeps of a calibration."""
    return {
        "editor": editor,
        "prompt": prompt,
        "sweep": [asdict(point) for point in points],
        "chosen": best_balance(points),
    }
