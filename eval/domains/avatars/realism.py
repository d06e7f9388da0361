"""How far a picture is from what the generator and the renderer make of real persons.

The features are means and standard deviations of the maps of every block of the Fréchet network, which no other verdict
on a single edit rests on. Its last layer, which the Fréchet distance compares, was trained to ignore everything but the
factors' values and is blind to destroyed pictures; the early blocks are not. The distance is Mahalanobis's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eval.domains.avatars.networks import AttributeNetwork, Trunk


class Realism(nn.Module):
    """Images -> distance from real pictures, in units of the one that 999 of 1,000 unseen real pictures stay below.

    Args:
        network: the Fréchet network.
        mean: float32 [D], of the features of real pictures.
        whitening: float32 [D, D], what makes their covariance the unit matrix over the square of the threshold.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, network: AttributeNetwork, mean: Tensor, whitening: Tensor) -> None:
        super().__init__()
        self.trunk = network.trunk
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("whitening", whitening, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, 64, 64] in [-1, 1] -> float32 [N]."""
        distance: Tensor = ((map_statistics(self.trunk, images) - self.mean) @ self.whitening).norm(dim=1)
        return distance


def map_statistics(trunk: Trunk, images: Tensor) -> Tensor:
    """Mean and standard deviation over the places of every channel of every block: float32 [N, D]."""
    maps = [block.float().flatten(2) for block in trunk.features(images)]
    return torch.cat([part for block in maps for part in (block.mean(2), block.std(2))], 1)
