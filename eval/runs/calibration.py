"""One strength per (editor, prompt), chosen on calibration images, which are disjoint from the test images.

What every strength does is kept as data (strength -> clean success, success, preservation, effect). Chosen is the
strength with most clean success, and, where editors are compared at equal effect, one strength for each effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from eval.domains.base import Domain, Sources
from eval.editors.timed_editor import TimedEditor
from eval.judging.cells import judge_attributes
from eval.judging.counterfactuals import Candidates
from eval.judging.synthesis import synthesised
from eval.memory import in_blocks, pictures_at_once
from eval.metrics.attributes import lacks, log_odds
from eval.metrics.cells.clean import is_clean
from eval.metrics.identity import identity_similarity
from eval.pixels import round_to_8_bit
from eval.prompts import Prompt
from eval.runs.plan import CALIBRATION_IMAGES
from eval.runs.strengths.clean import Search, Seen
from eval.runs.strengths.matching import SweepPoint, match, next_strength


class CalibrationImages:
    """The calibration images and what the judges say of them unedited; made when first used.

    Args:
        domain: has them.
        count: how many.
        batch: no more than these are edited and judged at once.
    """

    def __init__(self, domain: Domain, count: int = CALIBRATION_IMAGES, batch: int = CALIBRATION_IMAGES) -> None:
        self.domain = domain
        self.count = count
        self._batch = batch
        self._candidates: tuple[Prompt, Candidates | None] | None = None  # of the last prompt

    @cached_property
    def _sources(self) -> Sources:
        return self.domain.calibration_sources(self.count)

    @cached_property
    def latents(self) -> Latents:
        """Their codes."""
        return usable(self._sources.latents)

    @property
    def block(self) -> int:
        """How many are edited and judged at once."""
        return pictures_at_once(self.domain.editing.synthesis.resolution, self.domain.editing.device, self._batch)

    @cached_property
    def logits(self) -> Mapping[str, Tensor]:
        """The attribute judge's logits of the reconstructions, [N, V] a factor."""

        def read(rows: slice) -> Mapping[str, Tensor]:
            pictures = round_to_8_bit(synthesised(self.domain.editing, self.latents[rows]))
            return self.domain.judges.attributes(pictures)

        with torch.inference_mode():
            parts = in_blocks(read, len(self.latents), self.block)
            return {factor: torch.cat([part[factor] for part in parts]) for factor in parts[0]}

    @cached_property
    def identity(self) -> Tensor:
        """Unit embeddings [N, E] of the originals by the identity judge."""

        def embedded(rows: slice) -> Tensor:
            return _embedded(self.domain, round_to_8_bit(self._sources.images[rows]), self.block)

        with torch.inference_mode():
            return torch.cat(in_blocks(embedded, len(self.latents), self.block))

    def candidates(self, prompt: Prompt) -> Candidates | None:
        """What the counterfactual's verdict rests on; None where it does not count."""
        if self._candidates is None or self._candidates[0] != prompt:
            self._candidates = prompt, Candidates.of(self.domain, "calibration", self._sources.images, prompt)
        return self._candidates[1]

    def right_effect(self, prompt: Prompt) -> float:
        """The effect that the right answer has, in σ: what shares of an effect are shares of.

        The mean effect of the counterfactuals of the eligible images; where none are known, the median over the real
        pairs of an image that has the value and one that has not. NaN where there is no such image or pair.
        """
        pictures = self.domain.counterfactuals("calibration", self.count, prompt)
        if pictures is not None:
            seen = self.visible(prompt), self.candidates(prompt)
            _, _, eligible, effect = judge_attributes(self.domain, self.logits, pictures, prompt, *seen)
            return float(effect[eligible].mean()) if eligible.any() else nan
        logits = self.logits[prompt.attribute].float().cpu()
        value = self.domain.factors[prompt.attribute].index(prompt.value)
        has = logits.argmax(1) == value if logits.shape[1] > 1 else logits[:, 0] > 0
        odds = log_odds(logits)[:, value]
        apart = (odds[has][:, None] - odds[~has]) / float(self.domain.judges.sigma[prompt.attribute][value])
        return float(np.median(apart.numpy())) if apart.numel() else nan

    def eligible(self, prompt: Prompt) -> np.ndarray:
        """Which images do not show the value yet, though it could be seen: bool [N]."""
        factors = self.domain.factors
        visible = torch.from_numpy(self.visible(prompt)[:, list(factors).index(prompt.attribute)])
        logits = self.logits[prompt.attribute].cpu()
        return lacks(logits, visible, factors[prompt.attribute].index(prompt.value)).numpy()

    def visible(self, prompt: Prompt) -> np.ndarray:
        """Which factors are seen before and after the counterfactual: bool [N, F]; all where it is unknown."""
        seen = self.domain.visible("calibration", self.count, prompt)
        return np.ones((len(self.latents), len(self.domain.factors)), dtype=bool) if seen is None else np.asarray(seen)


def usable(latents: Latents) -> Latents:
    """A copy that gradients may go through: domains compute latents in inference mode, editors may optimise them."""
    return Latents(latents.w_plus.clone(), latents.s.clone(), latents.s_rgb.clone())


def look(
    editor: TimedEditor, prompt: Prompt, images: CalibrationImages, strength: float, rows: slice = slice(None)
) -> Seen:
    """Edit some calibration images at one strength and ask the judges that decide what is clean.

    Images that show the value already are not edited: nothing that is chosen by looks at them.

    Args:
        editor: fitted for the prompt.
        prompt: what is asked for.
        images: to edit.
        strength: tried.
        rows: which of the images.
    """
    eligible = images.eligible(prompt)[rows]
    edited = torch.arange(images.count)[rows][torch.from_numpy(eligible)]
    parts = in_blocks(lambda part: _look(editor, prompt, images, strength, edited[part]), len(edited), images.block)
    return Seen.only(eligible, parts)


def _look(editor: TimedEditor, prompt: Prompt, images: CalibrationImages, strength: float, rows: Tensor) -> Seen:
    edited, _ = editor.edit(images.latents[rows], prompt, strength)
    domain = images.domain
    before = {factor: logits[rows.to(logits.device)] for factor, logits in images.logits.items()}
    pictures = synthesised(domain.editing, edited)
    candidates = images.candidates(prompt)
    right = None if candidates is None else candidates[rows]
    judged = judge_attributes(domain, before, pictures, prompt, images.visible(prompt)[rows.numpy()], right)
    success, preservation, eligible, effect = (np.asarray(column) for column in judged)
    clean = torch.from_numpy(success & eligible)
    if clean.any():  # the identity of the others does not matter
        identity = _embedded(domain, round_to_8_bit(pictures[clean.to(pictures.device)]), images.block)
        same = identity_similarity(images.identity[rows][clean], identity)
        preserved = torch.from_numpy(preservation)[clean]
        clean[clean.clone()] = is_clean(clean[clean], preserved, same, domain.judges.same_person)
    return Seen(clean.numpy(), success, preservation, effect, eligible)


@torch.inference_mode()
def _embedded(domain: Domain, images: Tensor, block: int) -> Tensor:
    """Unit embeddings of images by the identity judge: float32 on the CPU."""
    device = domain.editing.device
    return torch.cat([domain.judges.identity(part.to(device)).float().cpu() for part in images.split(block)])


def calibrate(
    editor: TimedEditor,
    prompt: Prompt,
    images: CalibrationImages,
    goals: Sequence[float],
    stored: Mapping[str, Any] | None,
    save: Callable[[Mapping[str, Any]], None],
    whole: float = 1.0,
) -> None:
    """Find the strength with most clean success, then those that the goals need.

    With goals every strength of the sweep is judged on all images, downwards too if need be; without, few of them. What
    is saved is never judged again.

    Args:
        editor: fitted for the prompt.
        prompt: what is asked for.
        images: to edit.
        goals: target effects, in ``whole``, ascending; none if no effects are matched.
        stored: what was saved earlier; None if nothing was.
        save: called after the search and after every further strength with what to keep.
        whole: the effect in σ that a goal of 1 stands for, see ``CalibrationImages.right_effect``.
    """
    judge = partial(look, editor, prompt, images)
    if stored is None:
        search = Search(judge, images.count)
        search.sweep() if goals else search.climb()
        choice = search.decide()
        points = search.points
        chosen = {"chosen": choice.strength, "gain": choice.gain, "noise": choice.noise}
        save(record(editor.label, prompt.name, points, chosen))
    else:
        points = [SweepPoint.from_json(point) for point in [*stored["sweep"], *stored.get("refined", [])]]
        chosen = {name: stored[name] for name in ("chosen", "gain", "noise") if name in stored}
    for goal in goals:
        while (strength := next_strength(points, goal, whole)) is not None:
            points.append(judge(strength).point(strength, goal))
            save(record(editor.label, prompt.name, points, chosen))
    if goals:
        save(record(editor.label, prompt.name, points, chosen, goals, whole))


def record(
    editor: str,
    prompt: str,
    points: Sequence[SweepPoint],
    chosen: Mapping[str, float],
    goals: Sequence[float] | None = None,
    whole: float = 1.0,
) -> dict[str, object]:
    """What ``strengths/`` keeps of a calibration.

    Args:
        editor: label.
        prompt: name.
        points: judged so far.
        chosen: the strength with most clean success, its gain over the default and the noise of that.
        goals: target effects; None while the search for their strengths is not finished.
        whole: the effect in σ that a goal of 1 stands for.
    """
    refined = [point for point in points if point.goal is not None]
    kept: dict[str, object] = {
        "editor": editor,
        "prompt": prompt,
        "sweep": [point.as_json() for point in points if point.goal is None],
        **chosen,
    }
    if refined or goals is not None:
        kept["refined"] = [point.as_json() for point in refined]
    if goals is not None:
        kept["matched"] = [
            asdict(found) | {"met": found.met} for found in (match(points, goal, whole) for goal in goals)
        ]
    return kept
