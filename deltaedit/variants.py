"""What only ablations need: other arms of the conditioning (a table is in docs/deltaedit.md), mappers into W+."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.synthesis import StyleLayer
from deltaedit.text import direction, text_feature
from deltaedit.tools.domain import TrainingSet

ARMS = ("delta", "raw", "centred", "pseudo-text")
OUTPUTS = ("S", "W+")
PSEUDO_TEXT_NOISE = 0.75  # length of the noise on an image feature that stands in for a text, of unit length

# DeltaEdit's sixteen demo targets with a gap for the source text: varied texts whose mean is the centre of the texts.
VARIED_TEXTS = (
    "chubby {}", "{} with eyeglasses", "{} with smile", "{} with pale skin", "{} with tanned skin", "{} with big eyes",
    "{} with black clothes", "{} with blue suit", "happy {}", "{} with bangs", "{} with red hair", "{} with black hair",
    "{} with blond hair", "{} with curly hair", "{} with receding hairline", "{} with bowlcut hairstyle",
)  # fmt: skip


def arm_direction(arm: str, target: Tensor, centre: Tensor) -> Tensor:
    """Second half of the condition of an arm other than ``delta``: float [..., E], unit norm.

    ``target`` is a feature [..., E] of unit norm, ``centre`` the mean [E] of its modality, for ``centred``.

    Raises:
        ValueError: there is no such arm.
    """
    if arm not in ARMS:
        raise ValueError(f"The 'arm' parameter must be one of {', '.join(ARMS)}. Got {arm!r} instead.")
    return direction(target - centre) if arm == "centred" else target


def text_centre(clip: Clip, source: str, templates: Sequence[str] | None = None) -> Tensor:
    """Mean feature of the source text and of varied texts about the same thing: float32 [E], shorter than 1."""
    texts = [source, *(text.format(source) for text in VARIED_TEXTS)]
    with torch.no_grad():
        return torch.stack([text_feature(clip, text, templates) for text in texts]).mean(0)


def pseudo_text(features: Tensor, generator: np.random.Generator) -> Tensor:
    """Image features float32 [B, E] with noise, as stand-ins for those of texts; both of unit norm.

    LAFITE (Zhou et al. 2022), equation 5: the noise has length ``PSEUDO_TEXT_NOISE`` and a random direction.
    """
    noise = torch.from_numpy(generator.standard_normal(tuple(features.shape), dtype=np.float32)).to(features)
    return F.normalize(features + PSEUDO_TEXT_NOISE * F.normalize(noise, dim=-1), dim=-1)


def w_plus_layout(rows: int, length: int) -> tuple[StyleLayer, ...]:
    """The rows of W+ as layers, so that a mapper can answer in W+: rows of one resolution lie together.

    >>> [(layer.resolution, layer.start) for layer in w_plus_layout(4, 8)]
    [(4, 0), (8, 8), (8, 16), (16, 24)]
    """
    return tuple(StyleLayer(4 << ((row + 1) // 2), length, row * length, row) for row in range(rows))


def w_plus_images(images: TrainingSet) -> TrainingSet:
    """The training set with its W+ in the place of the styles, float32 [N, L · D].

    Raises:
        ValueError: the domain gives no codes in W+.
    """
    if images.w_plus is None:
        raise ValueError("The 'output' parameter of DeltaEdit cannot be W+: the training set of the domain has no W+.")
    return replace(images, s=images.w_plus.flatten(1))
