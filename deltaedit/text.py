"""Texts as CLIP directions: template averages, text deltas, and the arms of the conditioning ablation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip

ARMS = ("delta", "raw", "centred", "pseudo-text")

# DeltaEdit's sixteen demo targets with a gap for the source text: varied texts whose mean is the centre of the texts.
VARIED_TEXTS = (
    "chubby {}",
    "{} with eyeglasses",
    "{} with smile",
    "{} with pale skin",
    "{} with tanned skin",
    "{} with big eyes",
    "{} with black clothes",
    "{} with blue suit",
    "happy {}",
    "{} with bangs",
    "{} with red hair",
    "{} with black hair",
    "{} with blond hair",
    "{} with curly hair",
    "{} with receding hairline",
    "{} with bowlcut hairstyle",
)


class TextPrompt(Protocol):
    """What an editor reads of a prompt: its name and its two texts."""

    @property
    def name(self) -> str:
        """Short and unique, for example ``glasses``."""

    @property
    def source(self) -> str:
        """What the image is, for example ``face``."""

    @property
    def target(self) -> str:
        """What it should become, for example ``face with glasses``."""


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


def text_centre(clip: Clip, source: str, templates: Sequence[str] | None = None) -> Tensor:
    """Mean feature of the source text and of varied texts about the same thing: float32 [E], shorter than 1."""
    texts = [source, *(text.format(source) for text in VARIED_TEXTS)]
    with torch.no_grad():
        return torch.stack([text_feature(clip, text, templates) for text in texts]).mean(0)


def direction(arm: str, source: Tensor, target: Tensor, centre: Tensor) -> Tensor:
    """Where an edit goes in CLIP space: the second half of the mapper's condition, for images and for texts alike.

    =========  ============================  ============================
    arm        in training                   in editing
    =========  ============================  ============================
    delta      (i2 - i1) / ‖·‖               (t_target - t_source) / ‖·‖
    raw        i2                            t_target
    centred    (i2 - mean of i) / ‖·‖        (t_target - mean of t) / ‖·‖
    =========  ============================  ============================

    ``pseudo-text`` is ``raw`` with noise on i2 in training (``deltaedit.pairs.pseudo_text``).

    Args:
        arm: ``delta`` (the paper), ``raw``, ``centred`` or ``pseudo-text``.
        source: float [..., E], unit norm.
        target: float [..., E], unit norm.
        centre: float [E], mean feature of the modality; only ``centred`` looks at it.

    Returns:
        float [..., E], unit norm (zero where there is no direction).

    Raises:
        ValueError: an unknown arm.
    """
    if arm in ("raw", "pseudo-text"):
        return target
    if arm not in ARMS:
        raise ValueError(f"The 'arm' parameter of direction must be one of {', '.join(ARMS)}. Got '{arm}' instead.")
    return F.normalize(target - (source if arm == "delta" else centre), dim=-1, eps=1e-5)


def condition(features: Tensor, towards: Tensor) -> Tensor:
    """[i ; Δ], the mapper's condition: features [N, E] and directions [N, E] or [E] -> float [N, 2E]."""
    return torch.cat([features, towards.expand_as(features)], -1)
