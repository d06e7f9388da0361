"""How far a picture is from what the generator and the renderer make of real persons.

The features are means and standard deviations of the maps of every block of the Fréchet network, which no other verdict
on a single edit rests on. Its last layer, which the Fréchet distance compares, was trained to ignore everything but the
factors' values and is blind to destroyed pictures; the early blocks are not. The distance is Mahalanobis's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eval.domains.avatars.networks import AttributeNetwork


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
        self.trunk, self.neck = network.trunk, network.neck
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("whitening", whitening, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, 64, 64] in [-1, 1] -> float32 [N]."""
        return self._distance(self.trunk.features(images))

    def with_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The Fréchet features [N, F] and the distance [N] of images, of one look at them."""
        maps = self.trunk.features(images)
        return F.relu(self.neck(maps[-1].flatten(1))), self._distance(maps)

    def _distance(self, maps: Sequence[Tensor]) -> Tensor:
        distance: Tensor = ((map_statistics(maps) - self.mean) @ self.whitening).norm(dim=1)
        return distance


def map_statistics(maps: Sequence[Tensor]) -> Tensor:
    """Mean and standard deviation over the places of every channel of every block [N, C, H, W]: float32 [N, D]."""
    moments: list[Tensor] = []
    for block in maps:
        places = block.float().permute(0, 2, 3, 1).flatten(1, 2)  # channels last, as networks of judges keep them
        mean = places.mean(1)
        squares = (places - mean[:, None]).square().sum(1)  # twice as fast as torch.std
        moments += [mean, (squares / (places.shape[1] - 1)).sqrt()]
    return torch.cat(moments, 1)
