"""Texts as CLIP directions: template averages, text deltas, and the arms of the conditioning ablation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip


@cache
def imagenet_templates() -> tuple[str, ...]:
    """The 79 templates of StyleCLIP and DeltaEdit: CLIP's 80 for ImageNet without "a photo of many {}."."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    texts = (template("{}") for template in OPENAI_IMAGENET_TEMPLATES)
    return tuple(text for text in texts if text != "a photo of many {}.")


def text_feature(clip: Clip, text: str, templates: Sequence[str] | None = None) -> Tensor:
    """Feature of a text averaged over templates: each normalised, then the mean normalised (DeltaEdit, StyleCLIP).

    Args:
        clip: encodes.
        text: for example ``face with glasses``.
        templates: with one ``{}`` each; default the 79, ``("{}",)`` for none.

    Returns:
        float32 [E], unit norm.
    """
    patterns = imagenet_templates() if templates is None else templates
    features = clip.encode_texts([pattern.format(text) for pattern in patterns])
    return F.normalize(features.mean(0), dim=0)


def text_delta(clip: Clip, source: str, target: str, templates: Sequence[str] | None = None) -> Tensor:
    """Δt = feature of the target - feature of the source, not normalised: float32 [E]."""
    with torch.no_grad():
        return text_feature(clip, target, templates) - text_feature(clip, source, templates)
