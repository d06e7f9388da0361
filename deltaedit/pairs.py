"""Text-free training pairs (DeltaEdit, section 3.2).

Two images at random, with styles s1, s2 and CLIP image features i1, i2:

    condition = [i1 ; (i2 - i1) / ‖i2 - i1‖]        answer Δs = s2 - s1

Because images' and texts' differences lie together in CLIP space, a mapper trained on these understands Δt.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deltaedit.text import condition, direction
from deltaedit.tools.domain import TrainingSet
from deltaedit.variants import arm_direction, pseudo_text


@dataclass(frozen=True)
class Pairs:
    """A batch to learn from."""

    s: Tensor  # float32 [B, C], styles of the first images
    condition: Tensor  # float32 [B, 2E]
    delta_s: Tensor  # float32 [B, C], styles of the second images minus those of the first


def draw_rows(count: int, images: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the first and second images of ``count`` pairs among 2 ``images`` or more, two int64 [count].

    The released loader walks through the first images and may pair one with itself, which teaches nothing; here both
    are drawn at random and differ.
    """
    if images < 2:
        raise ValueError(f"The 'images' parameter of draw_rows must be 2 or more. Got {images} instead.")
    first = generator.integers(images, size=count)
    return first, (first + generator.integers(1, images, size=count)) % images


def draw_pairs(
    images: TrainingSet, rows: np.ndarray, count: int, generator: np.random.Generator, arm: str, centre: Tensor
) -> Pairs:
    """``count`` random pairs among the images of ``rows`` int64 [K]; see ``make_pairs`` for the rest."""
    first, second = (torch.from_numpy(rows[chosen]) for chosen in draw_rows(count, len(rows), generator))
    return make_pairs(images, first, second, arm, centre, generator)


def make_pairs(
    images: TrainingSet, first: Tensor, second: Tensor, arm: str, centre: Tensor, generator: np.random.Generator
) -> Pairs:
    """Pairs of the images of rows ``first`` and ``second``, int64 [B] each.

    ``arm`` conditions them: ``delta`` is the paper's; the others (``deltaedit.variants``) need ``centre``, the mean
    image feature, float32 [E], or a ``generator`` of noise.
    """
    s1, s2, i1, i2 = images.s[first], images.s[second], images.features[first], images.features[second]
    if arm == "delta":
        towards = direction(i2 - i1)
    else:
        i2 = pseudo_text(i2, generator) if arm == "pseudo-text" else i2
        towards = arm_direction(arm, i2, centre)
    return Pairs(s1, condition(i1, towards), s2 - s1)
