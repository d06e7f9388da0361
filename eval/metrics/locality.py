"""Locality: what an edit changed outside the region that its prompt may change.

Averaged over the visible pixels, those outside. (PIE-Bench's code blacks the region out and averages over all pixels,
which adds 10·log10(1 / (1 - m)) dB for a region of share m.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from eval.metrics.counterfactual import check_pictures, psnr_of_error


def outside_psnr(before: Tensor, after: Tensor, region: Tensor) -> Tensor:
    """PSNR over the pixels outside the region.

    Args:
        before: float [N, 3, H, W] in [-1, 1], the reconstructions.
        after: likewise, the edits.
        region: bool [H, W], true where the prompt may change the image; [N, H, W] where each image has its own.

    Returns:
        float [N] in dB; NaN if nothing is outside.
    """
    error = _mean_outside(before, after, region, torch.square)
    return torch.where(error.isnan(), error, psnr_of_error(error))


def outside_l1(before: Tensor, after: Tensor, region: Tensor) -> Tensor:
    """Mean absolute difference over the pixels outside the region: float [N] in [0, 2]; NaN if nothing is outside."""
    return _mean_outside(before, after, region, torch.abs)


def _mean_outside(before: Tensor, after: Tensor, region: Tensor, size: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean size of the differences outside the region: float [N]."""
    check_pictures(before, after)
    difference = size(after - before)
    if region.ndim == 2:
        return difference[:, :, ~region].flatten(1).mean(1)
    return torch.stack([each[:, ~inside].mean() for each, inside in zip(difference, region, strict=True)])
