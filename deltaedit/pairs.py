"""Text-free training pairs (DeltaEdit, section 3.2).

Two images at random, with styles s1, s2 and CLIP image features i1, i2:

    condition = [i1 ; (i2 - i1) / ‖i2 - i1‖]        answer Δs = s2 - s1

Because images' and texts' differences lie together in CLIP space, a mapper trained on these understands Δt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.domain import TrainingSet
from deltaedit.text import condition, direction

PSEUDO_TEXT_NOISE = 0.75  # length of the noise on an image feature that stands in for a text, of unit length


@dataclass(frozen=True)
class Pairs:
    """A batch to learn from.

    Attributes:
        s: float32 [B, C], styles of the first images.
        condition: float32 [B, 2E].
        delta_s: float32 [B, C], styles of the second images minus those of the first.
    """

    s: Tensor
    condition: Tensor
    delta_s: Tensor


def draw_rows(count: int, images: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the first and second images of ``count`` pairs among ``images``, two int64 [count].

    The released loader walks through all first images before it repeats one and may pair an image with itself, where
    neither loss can teach anything; here both are drawn at random and differ.

    Raises:
        ValueError: fewer than two images.
    """
    if images < 2:
        raise ValueError(f"The 'images' parameter of draw_rows must be 2 or more. Got {images} instead.")
    first = generator.integers(images, size=count)
    return first, (first + generator.integers(1, images, size=count)) % images


def make_pairs(images: TrainingSet, first: Tensor, second: Tensor, arm: str, centre: Tensor) -> Pairs:
    """Pairs of the images of given rows.

    Args:
        images: styles and features.
        first: int64 [B].
        second: int64 [B].
        arm: of the conditioning, see ``deltaedit.text.direction``.
        centre: float32 [E], the mean image feature.
    """
    return _pairs(images, first, second, images.features[second], arm, centre)


def _pairs(images: TrainingSet, first: Tensor, second: Tensor, wanted: Tensor, arm: str, centre: Tensor) -> Pairs:
    s, features = images.s[first], images.features[first]
    towards = direction(arm, features, wanted, centre)
    return Pairs(s, condition(features, towards), images.s[second] - s)


def draw_pairs(
    images: TrainingSet, rows: np.ndarray, count: int, generator: np.random.Generator, arm: str, centre: Tensor
) -> Pairs:
    """``count`` random pairs among the images of ``rows`` int64 [K]; see ``make_pairs`` for the rest."""
    first, second = (torch.from_numpy(rows[chosen]) for chosen in draw_rows(count, len(rows), generator))
    if arm != "pseudo-text":
        return make_pairs(images, first, second, arm, centre)
    return _pairs(images, first, second, pseudo_text(images.features[second], generator), arm, centre)


def pseudo_text(features: Tensor, generator: np.random.Generator) -> Tensor:
    """Image features with noise, which stand in for the features of texts (LAFITE, Zhou et al. 2022, equation 5).

    Args:
        features: float32 [B, E], unit norm.
        generator: draws the noise, of length ``PSEUDO_TEXT_NOISE`` in a random direction.

    Returns:
        float32 [B, E], unit norm.
    """
    noise = torch.from_numpy(generator.standard_normal(tuple(features.shape), dtype=np.float32)).to(features)
    return F.normalize(features + PSEUDO_TEXT_NOISE * F.normalize(noise, dim=-1), dim=-1)
