"""Contrastive learning of images and captions whose truth is known (UniCL, Yang et al. 2022, arXiv 2204.03610)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def contrastive_loss(logits: Tensor, true: Tensor, false: Tensor) -> Tensor:
    """Symmetric cross-entropy against uniform targets over the true pairs.

    Args:
        logits: float [N, T], cosine times scale.
        true: bool [N, T]; false: bool [N, T]; pairs that are neither are left out.
    """
    decided = logits.masked_fill(~(true | false), -1e4)

    def one_way(scores: Tensor, positive: Tensor) -> Tensor:
        counts = positive.sum(1)
        rows = counts > 0
        chosen = (F.log_softmax(scores, 1) * positive).sum(1)[rows] / counts[rows]
        return -(chosen + counts[rows].log()).mean()  # plus the target's entropy: 0 is perfect

    return one_way(decided, true) + one_way(decided.t(), true.t())
