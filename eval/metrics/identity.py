"""Identity similarity: do two pictures show the same person, by an identity network that no editor optimises?"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def identity_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Cosine of face embeddings, row by row.

    Args:
        first: float [N, E].
        second: float [N, E].

    Returns:
        float [N] in [-1, 1].
    """
    return F.cosine_similarity(first, second, dim=1).clamp(-1, 1)


def floor_and_ceiling(embeddings: Tensor, persons: Tensor) -> tuple[float, float]:
    """Mean cosine over all pairs of different persons, and over all pairs of pictures of one person.

    Args:
        embeddings: unit float [N, E].
        persons: int [N], who is on each picture.

    Returns:
        Floor and ceiling; NaN where there is no such pair.
    """
    cosines = embeddings @ embeddings.T
    same = persons[:, None] == persons
    pair = ~torch.eye(len(persons), dtype=torch.bool, device=persons.device)
    return float(cosines[~same].mean()), float(cosines[same & pair].mean())
