"""Does a picture show a value of a factor, by its pixels alone? Its counterfactual is the nearest, and it is like it.

No network takes part, so none can be fooled. All candidates show the same person and differ in the one factor, so what
an edit changed elsewhere is the same distance from all of them. The nearest one may still be far: a smear, an effect
three times too large and a ruin lie nearest to something. So the picture must also have the counterfactual's structure,
where the counterfactual differs from the original and, apart from that, everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from eval.metrics.counterfactual import RIM_PX, ssim_map

INSIDE, OUTSIDE = 0.45, 0.75  # least mean SSIM, chosen on labels made by looking (docs/protocol.md, Judges and people)
CHANGED = 0.1  # of [-1, 1]: a pixel that differs more, in any colour, is one that the counterfactual changes
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


def shown(images: Tensor, candidates: Tensor, asked: int, originals: Tensor) -> Tensor:
    """Whether the candidate of the value asked for is the nearest, and the picture has its structure.

    Args:
        images: float32 [n, 3, H, W] in [-1, 1].
        candidates: float32 [n, V, 3, H, W], the counterfactuals of all V values of the factor.
        asked: number of the value.
        originals: float32 [n, 3, H, W], before any edit.

    Returns:
        float32 [n], 1 or 0; NaN as in ``shows_value``.
    """
    return shows_value(images, candidates, asked) * is_like(images, candidates[:, asked], originals)


def is_like(images: Tensor, counterfactuals: Tensor, originals: Tensor) -> Tensor:
    """Whether pictures have their counterfactuals' structure, where these differ from the originals and elsewhere.

    Args:
        images: float32 [n, 3, H, W] in [-1, 1].
        counterfactuals: likewise, of the value asked for.
        originals: likewise, before any edit.

    Returns:
        bool [n].
    """
    inside, outside = likeness(images, counterfactuals, originals)
    return (inside.nan_to_num(1.0) >= INSIDE) & (outside.nan_to_num(1.0) >= OUTSIDE)


def likeness(images: Tensor, counterfactuals: Tensor, originals: Tensor) -> tuple[Tensor, Tensor]:
    """Mean SSIM to the counterfactual where it differs from the original, and elsewhere; NaN where there is no pixel.

    Args:
        images: float32 [n, 3, H, W] in [-1, 1].
        counterfactuals: likewise.
        originals: likewise.

    Returns:
        Two float32 [n] in [-1, 1].
    """
    changed = ((counterfactuals - originals).abs().amax(1) > CHANGED).float()
    grown = F.max_pool2d(changed[:, None], 3, 1, 1)[:, 0, RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]  # a rim of 1 px
    similar = ssim_map(images, counterfactuals)
    inside, outside = ((similar * part).sum((1, 2)) / part.sum((1, 2)) for part in (grown, 1 - grown))
    return inside, outside
