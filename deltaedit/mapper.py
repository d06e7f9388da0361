"""The Delta Mapper (DeltaEdit, arXiv 2303.06285, section 3.3): style and condition in, style offset out.

    Δŝ = M(s, [i ; Δ])          s: styles of the convolutions, i: CLIP image feature, Δ: CLIP direction

Styles are treated in three levels. *Coarse* and *medium* layers are equally wide, so that one mapper serves every layer
of the level; all the layers above are one long *fine* vector. In each level

    Δŝ_level = fm([sm(s_level) ; cm([i ; Δ])])

with style module sm, condition module cm and fusion module fm, each four fully connected layers.
At 1024 px (config-f) module names, shapes and state-dict keys are those of the released ``net_face.pth``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.layers import GAIN, SLOPE
from deltaedit.backbones.stylegan2 import EqualLinear, StyleLayer

COARSE_LAYERS = 3  # 4 and 8 px
MEDIUM_LAYERS = 4  # 16 and 32 px
LR_MUL = 0.01  # the learning rate of the mapper is effectively a hundredth of the optimiser's


class PixelNorm(nn.Module):
    """x / root mean square of x over axis 1.

    The released code takes axis 1 whatever the input: of [N, channels] those are the channels, but of the coarse and
    medium styles [N, layers, channels] the layers. Published weights were trained so, hence it stays.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[N, K, …] -> the same shape."""
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class MapperLayer(EqualLinear):
    """An ``EqualLinear`` with leaky ReLU that scales its input and not its weights.

    The product is the same up to rounding, but the weights are the larger ones by far: at 1024 px 83 million, of which
    no scaled copy is written then, nor are their gradients scaled once more.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, lr_mul=LR_MUL, activate=True)

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        return F.leaky_relu(F.linear(x * self.scale, self.weight, self.bias * self.lr_mul), SLOPE) * GAIN


class Mapper(nn.Module):
    """Four fully connected layers with leaky ReLU, after a PixelNorm or not."""

    def __init__(self, inputs: int, outputs: int, norm: bool = True) -> None:
        super().__init__()
        layers = [MapperLayer(width, outputs) for width in (inputs, *[outputs] * 3)]
        self.mapping = nn.Sequential(*([PixelNorm()] if norm else []), *layers)

    def forward(self, x: Tensor) -> Tensor:
        """[N, …, inputs] -> [N, …, outputs]."""
        out: Tensor = self.mapping(x)
        return out


def level_sizes(layout: Sequence[StyleLayer]) -> dict[str, tuple[int, int]]:
    """(vectors, length of each) of the levels of a generator; a level without layers is left out.

    Coarse are the first 3 layers, medium the next 4, both only as far as the layers have the width of the first one;
    fine is the rest as one vector. The published generators have enough wide layers; small ones end a level earlier.

    >>> from deltaedit.backbones.stylegan2 import Synthesis
    >>> level_sizes(Synthesis(64, (8, 8, 8, 4, 2), 8).layout)
    {'coarse': (3, 8), 'medium': (3, 8), 'fine': (1, 10)}
    """
    widths = [layer.channels for layer in layout]
    shared = next((i for i, width in enumerate(widths) if width != widths[0]), len(widths))
    coarse = min(shared, COARSE_LAYERS)
    medium = min(shared - coarse, MEDIUM_LAYERS)
    sizes = {"coarse": (coarse, widths[0]), "medium": (medium, widths[0]), "fine": (1, sum(widths[coarse + medium :]))}
    return {name: (count, length) for name, (count, length) in sizes.items() if count * length > 0}


def w_plus_layout(rows: int, length: int) -> tuple[StyleLayer, ...]:
    """The rows of W+ as layers, so that a mapper can answer in W+ (an ablation): rows of one resolution lie together.

    >>> [(layer.resolution, layer.start) for layer in w_plus_layout(4, 8)]
    [(4, 0), (8, 8), (8, 16), (16, 24)]
    """
    return tuple(StyleLayer(4 << ((row + 1) // 2), length, row * length, row) for row in range(rows))


class DeltaMapper(nn.Module):
    """Predicts the style offset that goes with a CLIP direction.

    Args:
        layout: the generator's ``Synthesis.layout``.
        embedding_size: E, length of a CLIP feature.
        levels: coarse, medium and fine (the paper), or False for one mapper over all styles (an ablation).
    """

    def __init__(self, layout: Sequence[StyleLayer], embedding_size: int = 512, levels: bool = True) -> None:
        super().__init__()
        self.size = layout[-1].stop  # how many numbers go in and come out
        self.levels = level_sizes(layout) if levels else {"fine": (1, self.size)}
        for level, (_, length) in self.levels.items():
            self.add_module(f"sm_{level}", Mapper(length, length))
        for level, (_, length) in self.levels.items():
            self.add_module(f"cm_{level}", Mapper(2 * embedding_size, length))
        for level, (_, length) in self.levels.items():
            self.add_module(f"fm_{level}", Mapper(2 * length, length, norm=False))

    def forward(self, s: Tensor, condition: Tensor) -> Tensor:
        """Style offset.

        Args:
            s: float [N, C], styles of the convolutions.
            condition: float [N, 2E], image feature and direction, each of unit norm.

        Returns:
            float [N, C].
        """
        parts = s.split([count * length for count, length in self.levels.values()], 1)
        return torch.cat([self._level(name, part, condition) for name, part in zip(self.levels, parts, strict=True)], 1)

    def _level(self, level: str, s: Tensor, condition: Tensor) -> Tensor:
        count, length = self.levels[level]
        if level != "fine":
            s = s.reshape(-1, count, length)
        styles = self.get_submodule(f"sm_{level}")(s)
        conditions = self.get_submodule(f"cm_{level}")(condition)  # once per image, then seen by every layer
        if level != "fine":
            conditions = conditions[:, None].expand(-1, count, -1)
        offset: Tensor = self.get_submodule(f"fm_{level}")(torch.cat([styles, conditions], -1))
        return offset.flatten(1)
