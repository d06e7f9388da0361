"""What is right for a prompt: the counterfactuals and what the judges see in them, made once for all editors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from eval.domains.base import Domain
from eval.metrics.clip_score import PromptFeatures
from eval.metrics.nearest import shown
from eval.pixels import Pictures, round_to_8_bit, to_float, to_levels
from eval.prompts import Prompt


@dataclass(frozen=True)
class Counterfactuals:
    """What is right for one prompt on the first N images of a set.

    Attributes:
        images: exact counterfactuals, float32 [N, 3, H, W] of 8-bit values; None where the domain has none.
        frechet: their features [N, D]; None likewise.
        identity: their unit embeddings [N, E]; None likewise.
        clip: their unit features [N, E] by the judge CLIP; None likewise.
        alternatives: uint8 [N, V, 3, H, W], the counterfactuals of every value of the factor; None likewise.
        asked: number of the value asked for.
        visible: bool [N, F], factors that can be seen before and after.
        region: bool [H, W], pixels that the prompt may change; [N, H, W] where each image has its own.
        samples: Fréchet features [M, D] of real pictures that show the value asked for; None where none are known.
        text_editing: the prompt's texts as the editing CLIP sees them.
        text_judge: as the judge CLIP sees them.
    """

    images: Tensor | None
    frechet: Tensor | None
    identity: Tensor | None
    clip: Tensor | None
    alternatives: Tensor | None
    asked: int
    visible: np.ndarray
    region: np.ndarray
    samples: Tensor | None
    text_editing: PromptFeatures
    text_judge: PromptFeatures


@dataclass(frozen=True)
class Candidates:
    """What the counterfactual's verdict on edits rests on, for one prompt on N images.

    Attributes:
        originals: uint8 [N, 3, H, W].
        alternatives: uint8 [N, V, 3, H, W], the counterfactuals of every value of the factor.
        asked: number of the value asked for.
    """

    originals: Tensor
    alternatives: Tensor
    asked: int

    @classmethod
    def of(cls, domain: Domain, which: str, originals: Pictures, prompt: Prompt) -> Candidates | None:
        """Those of the first images of ``test`` or ``calibration``; None where the counterfactual does not count."""
        if not domain.judges.counterfactual_counts:
            return None
        alternatives = _alternatives(domain, which, len(originals), prompt)
        asked = domain.factors[prompt.attribute].index(prompt.value)
        return None if alternatives is None else cls(to_levels(originals[:]).cpu(), alternatives, asked)

    def __getitem__(self, rows: slice | Tensor) -> Candidates:
        """Some of the images."""
        return replace(self, originals=self.originals[rows], alternatives=self.alternatives[rows])

    def accept(self, edits: Tensor) -> Tensor:
        """Whether edits float32 [N, 3, H, W] in [-1, 1] show the value asked for: bool [N]."""
        candidates, originals = (to_float(each.to(edits.device)) for each in (self.alternatives, self.originals))
        return shown(edits, candidates, self.asked, originals) == 1


@torch.inference_mode()
def judge_counterfactuals(domain: Domain, which: str, count: int, prompt: Prompt, batch: int) -> Counterfactuals:
    """What is right for a prompt, judged once for all editors.

    Args:
        domain: knows the counterfactuals, the visible factors and the region.
        which: ``test`` or ``calibration``.
        count: the first so many images of that set.
        prompt: the edit.
        batch: images at once.
    """
    images = domain.counterfactuals(which, count, prompt)
    images = None if images is None else round_to_8_bit(images).cpu()
    visible = domain.visible(which, count, prompt)
    return Counterfactuals(
        images=images,
        frechet=None if images is None else features_of(domain, domain.judges.frechet, images, batch),
        identity=None if images is None else features_of(domain, domain.judges.identity, images, batch),
        clip=None if images is None else features_of(domain, domain.judges.clip.encode_images, images, batch),
        alternatives=_alternatives(domain, which, count, prompt),
        asked=domain.factors[prompt.attribute].index(prompt.value),
        visible=np.ones((count, len(domain.factors)), dtype=bool)
        if visible is None
        else np.asarray(visible, dtype=bool),
        region=np.asarray(domain.region(which, count, prompt), dtype=bool),
        samples=None if domain.judges.samples is None else domain.judges.samples(prompt.attribute, prompt.value),
        text_editing=PromptFeatures.of(domain.editing.clip, prompt),
        text_judge=PromptFeatures.of(domain.judges.clip, prompt),
    )


def _alternatives(domain: Domain, which: str, count: int, prompt: Prompt) -> Tensor | None:
    """The counterfactuals of every value of the prompt's factor: uint8 [N, V, 3, H, W], a quarter of their floats."""
    pictures = []
    for value in domain.factors[prompt.attribute]:
        images = domain.counterfactuals(which, count, replace(prompt, value=value))
        if images is None:
            return None
        pictures.append(to_levels(images).cpu())
    return torch.stack(pictures, 1)


def blocks_of(count: int, batch: int) -> list[slice]:
    """Rows of ``count`` images, ``batch`` at a time."""
    return [slice(start, min(start + batch, count)) for start in range(0, count, batch)]


def features_of(domain: Domain, network: Callable[[Tensor], Tensor], images: Tensor, batch: int) -> Tensor:
    """A judge's features of all images, in batches: float32 on the CPU."""
    device = domain.editing.device
    return torch.cat([network(images[block].to(device)).float().cpu() for block in blocks_of(len(images), batch)])
