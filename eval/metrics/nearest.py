"""Which value of a factor does a picture show, by its pixels alone? That of the nearest counterfactual.

No network takes part, so none can be fooled. All candidates show the same person and differ in the one factor, so what
an edit changed elsewhere is the same distance from all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

LARGEST_SHIFT_PX = 1  # right and left, up and down: a mouth that sits a pixel lower is the same mouth


def distances(images: Tensor, candidates: Tensor, largest_shift_px: int = LARGEST_SHIFT_PX) -> Tensor:
    """Mean squared distance of every picture to its candidates, the smallest over small shifts of the picture.

    A rim as wide as the largest shift is left out, so that all shifts compare the same pixels of a candidate.

    Args:
        images: float32 [n, C, H, W].
        candidates: float32 [n, V, C, H, W].
        largest_shift_px: 0 does not shift.

    Returns:
        float32 [n, V].
    """
    rim = largest_shift_px
    height, width = images.shape[-2:]
    inner = candidates[..., rim : height - rim, rim : width - rim].flatten(2)
    # |x - c|² = |x - o|² + |c - o|² - 2 (x - o)·(c - o): one pass a shift for all candidates. With one of them as the
    # origin o all numbers are small, so that little is lost to cancellation.
    origin = inner[:, 0]
    offsets = inner - origin[:, None]
    squares = offsets.square().sum(2)
    best = torch.full_like(squares, torch.inf)
    for dy, dx in _shifts(rim):
        moved = images[..., rim + dy : height - rim + dy, rim + dx : width - rim + dx].flatten(1) - origin
        products = torch.bmm(offsets, moved[:, :, None]).squeeze(2)
        best = torch.minimum(best, moved.square().sum(1)[:, None] + squares - 2 * products)
    return best.clamp(min=0) / inner.shape[2]


def _shifts(largest: int) -> Iterator[tuple[int, int]]:
    steps = range(-largest, largest + 1)
    return ((dy, dx) for dy in steps for dx in steps)


def shows_value(images: Tensor, candidates: Tensor, asked: int) -> Tensor:
    """Whether the candidate of the value asked for is nearer than every other one.

    Args:
        images: float32 [n, C, H, W].
        candidates: float32 [n, V, C, H, W], the counterfactuals of all V values of the factor.
        asked: number of the value.

    Returns:
        float32 [n], 1 or 0; NaN where that candidate looks like another one, because the factor is hidden.
    """
    found = distances(images, candidates)
    others = torch.arange(candidates.shape[1]) != asked
    shown = (found[:, asked] < found[:, others].amin(1)).float()
    same = (candidates[:, others] == candidates[:, asked : asked + 1]).flatten(2).all(2).any(1)
    return shown.masked_fill(same, torch.nan)
