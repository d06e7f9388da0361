"""Texts as CLIP features and directions (DeltaEdit, section 3.2): template averages, text deltas, the condition."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip, imagenet_templates


def text_feature(clip: Clip, text: str, templates: Sequence[str] | None = None) -> Tensor:
    """Feature of a text averaged over templates, each normalised, then the mean normalised: float32 [E], unit norm.

    ``templates`` hold one ``{}`` each; None for the 79, ``("{}",)`` for the text as it is.
    """
    patterns = imagenet_templates() if templates is None else templates
    features = clip.encode_texts([pattern.format(text) for pattern in patterns])
    return F.normalize(features.mean(0), dim=0)


def text_delta(clip: Clip, source: str, target: str, templates: Sequence[str] | None = None) -> Tensor:
    """Δt = feature of the target - feature of the source, not normalised: float32 [E]."""
    with torch.no_grad():
        return text_feature(clip, target, templates) - text_feature(clip, source, templates)


def direction(delta: Tensor) -> Tensor:
    """Δ / ‖Δ‖ of float [..., E], for images and texts alike; zero where there is no direction."""
    return F.normalize(delta, dim=-1, eps=1e-5)


def condition(features: Tensor, towards: Tensor) -> Tensor:
    """[i ; Δ], the mapper's condition: features [N, E] and directions [N, E] or [E] -> float [N, 2E]."""
    return torch.cat([features, towards.expand_as(features)], -1)
