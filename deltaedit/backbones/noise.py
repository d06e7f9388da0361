"""A synthesis network that adds the same noise maps to every picture, as checkpoints are used."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

from torch import Tensor

from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from deltaedit.backbones.stylegan2 import StyleGAN2


class NoisySynthesis(FastStyleGAN2):
    """``FastStyleGAN2`` whose pictures get its own maps where none are given; ``with_noise`` makes one.

    Attributes:
        maps: one [1, 1, H, W] per convolution.
    """

    maps: Sequence[Tensor]

    def synthesize(self, s: Tensor, s_rgb: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """As ``FastStyleGAN2.synthesize``; ``noise`` None means the network's own maps."""
        return super().synthesize(s, s_rgb, self.maps if noise is None else noise)


def with_noise(synthesis: StyleGAN2, maps: Sequence[Tensor]) -> NoisySynthesis:
    """The same network, weights shared, with noise maps of its own.

    Args:
        synthesis: the network.
        maps: one [1, 1, H, W] per convolution.
    """
    noisy = copy.copy(synthesis)
    noisy.__class__ = NoisySynthesis
    noisy = cast(NoisySynthesis, noisy)
    noisy.maps = list(maps)
    return noisy
