"""How far a picture is from real ones, by what the maps of the Fréchet network are like on average.

The statistics are those of the maps of every block, which no other verdict on a single edit rests on alone. The layer
that the Fréchet distance compares sees what is shown and is blind to destroyed pictures; the early blocks are not. The
distance is Mahalanobis's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn


class Eyes(Protocol):
    """What a Fréchet network must have."""

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, 3, H, W] in [-1, 1] -> statistics [N, D] of its maps, and the Fréchet features [N, F]."""


class Realism(nn.Module):
    """Images -> distance from real pictures, in units of the one that (nearly) all unseen real pictures stay below.

    Args:
        network: the Fréchet network, with ``look``.
        mean: float32 [D], of the statistics of real pictures.
        whitening: float32 [D, D], what makes their covariance the unit matrix over the square of the threshold.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, whitening: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("whitening", whitening, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, H, W] in [-1, 1] -> float32 [N]."""
        return self.with_features(images)[1]

    def with_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The Fréchet features [N, F] and the distance [N] of images, of one look at them."""
        eyes: Eyes = self.network  # type: ignore[assignment]
        statistics, features = eyes.look(images)
        return features, ((statistics - self.mean) @ self.whitening).norm(dim=1)


def fit(seen: Tensor, checks: Sequence[Tensor], real: float, shrinkage: float) -> tuple[Tensor, Tensor, float]:
    """Mean and whitening of ``Realism``, from statistics of real pictures.

    Args:
        seen: float [N, D], what mean and covariance are estimated from.
        checks: [M, D] of unseen real pictures, one or more: the share ``real`` of each stays below the threshold.
        real: that share.
        shrinkage: share of the mean variance in every direction, for those that hardly vary.

    Returns:
        mean float64 [D], whitening float64 [D, D] with the threshold in it, and the threshold.
    """
    seen = seen.double()
    mean, deviation = seen.mean(0), seen.std(0) + 1e-3 * seen.std()
    covariance = np.cov(((seen - mean) / deviation).numpy().T)
    size = len(covariance)
    covariance = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / size * np.eye(size)
    values, vectors = np.linalg.eigh(covariance)
    whitening = torch.from_numpy(vectors / np.sqrt(values)) / deviation[:, None]
    distances = [((part.double() - mean) @ whitening).norm(dim=1).numpy() for part in checks]
    threshold = max(float(np.quantile(part, real)) for part in distances)
    return mean, whitening / threshold, threshold
