"""CLIP score and directional CLIP similarity. Both are computed with the editing CLIP and with the judge CLIP.

The score uses the plain target text (Hessel et al. 2021, arXiv 2104.08718, without the factor 2.5); the direction uses
texts averaged over the 79 templates, as the editors do (StyleGAN-NADA, arXiv 2108.00946, equation 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip
from deltaedit.text import text_delta
from eval.prompts import Prompt

# CLIP features of equal images differ by float32 rounding alone; a shorter delta than this has no direction.
SHORTEST_DELTA = 1e-5


@dataclass(frozen=True)
class PromptFeatures:
    """A prompt as one CLIP sees it.

    Attributes:
        target: unit float32 [E], the plain target text.
        delta: float32 [E], target minus source over the templates.
    """

    target: Tensor
    delta: Tensor

    @classmethod
    def of(cls, clip: Clip, prompt: Prompt) -> PromptFeatures:
        """Encode a prompt's texts."""
        return cls(clip.encode_texts([prompt.target])[0], text_delta(clip, prompt.source, prompt.target))


def clip_score(images: Tensor, text: Tensor) -> Tensor:
    """``max(100·cos(E_I(x'), E_T(t')), 0)``.

    Args:
        images: image features [N, E].
        text: feature of the target text [E].

    Returns:
        float [N] in [0, 100].
    """
    return (100 * F.cosine_similarity(images, text[None], dim=1)).clamp(0, 100)


def directional_similarity(before: Tensor, after: Tensor, text_delta: Tensor) -> Tensor:
    """``cos(E_I(x') - E_I(x), E_T(t') - E_T(t))``.

    Args:
        before: image features [N, E] of the reconstructions.
        after: image features [N, E] of the edits.
        text_delta: [E].

    Returns:
        float [N] in [-1, 1]; 0 where the image or the text did not change: no edit went in no direction, and a NaN
        would leave the cells out in which an editor does nothing.
    """
    delta = after - before
    cosine = F.cosine_similarity(delta, text_delta[None], dim=1).clamp(-1, 1)
    moved = (delta.norm(dim=1) > SHORTEST_DELTA) & (text_delta.norm() > SHORTEST_DELTA)
    return torch.where(moved, cosine, torch.zeros_like(cosine))
