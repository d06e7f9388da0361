"""What the Delta Mapper is asked for: a direction in CLIP space, and the channels that may change."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


def relevance_mask(relevance: Tensor, delta: Tensor, threshold: float) -> Tensor:
    """Channels that an edit may change: bool [C], |R_s Δt| >= τ.

    Args:
        relevance: float [C, E], rows of unit norm.
        delta: float [E].
        threshold: τ; 0 lets every channel pass.

    >>> import torch
    >>> relevance_mask(torch.eye(2), torch.tensor([0.5, -0.01]), 0.03)
    tensor([ True, False])
    """
    return (relevance @ delta).abs() >= threshold


@dataclass(frozen=True)
class Target:
    """What an edit is asked for as the mapper understands it; ``DeltaEdit`` makes it of texts or of two images.

    Attributes:
        towards: float32 [E], second half of the condition.
        mask: bool [C], channels that may change.
    """

    towards: Tensor
    mask: Tensor
