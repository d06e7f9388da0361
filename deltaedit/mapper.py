"""The Delta Mapper (DeltaEdit, arXiv 2303.06285, section 3.3): style and condition in, style offset out.

    Δŝ = M(s, [i ; Δ])          s: styles of the convolutions, i: CLIP image feature, Δ: CLIP direction

*Coarse* and *medium* layers are equally wide, so that one mapper serves every layer of the level; all the layers above
are one long *fine* vector. In each level, with four fully connected layers each in sm, cm and fm,

    Δŝ_level = fm([sm(s_level) ; cm([i ; Δ])])          style, condition and fusion module

At 1024 px (config-f) module names, shapes and state-dict keys are those of the released ``net_face.pth``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deltaedit.backbones.layers import InputScaledLinear, PixelNorm
from deltaedit.backbones.synthesis import StyleLayer

COARSE_LAYERS, MEDIUM_LAYERS = 3, 4  # 4 and 8 px, 16 and 32 px
COARSE_PX, MEDIUM_PX = 8, 32  # the last sides of these levels where widths alternate
LR_MUL = 0.01  # the learning rate of the mapper is effectively a hundredth of the optimizer's


class Mapper(nn.Module):
    """Four fully connected layers with leaky ReLU, after a PixelNorm over an axis or not.

    The released code takes axis 1 also of the coarse and medium styles [N, layers, channels], where it is the layers.
    Published weights were trained so, hence it stays for them.
    """

    def __init__(self, inputs: int, outputs: int, norm: bool = True, axis: int = 1) -> None:
        super().__init__()
        layers = [InputScaledLinear(width, outputs, LR_MUL) for width in (inputs, *[outputs] * 3)]
        self.mapping = nn.Sequential(*([PixelNorm(axis)] if norm else []), *layers)

    def forward(self, x: Tensor) -> Tensor:
        """[N, …, inputs] -> [N, …, outputs]."""
        out: Tensor = self.mapping(x)
        return out


def level_indices(layout: Sequence[StyleLayer]) -> dict[str, Tensor]:
    """Where the styles of each level stand in ``s``: int64 [vectors, length of each]; a level without any is left out.

    Coarse are the first 3 layers, medium the next 4, both only as far as they are as wide as the first one; fine is the
    rest as one vector. Where a layer is wider than one before it (MobileStyleGAN: 512, 128, 512, …), that would leave
    nearly all to the fine vector: there the layers up to 8 px, up to 32 px and above are split by width.

    >>> by_width = level_indices([StyleLayer(4, 2, 0, 0), StyleLayer(8, 1, 2, 1), StyleLayer(8, 2, 3, 2)])
    >>> {name: where.tolist() for name, where in by_width.items()}
    {'coarse_2': [[0, 1], [3, 4]], 'coarse_1': [[2]]}
    """
    widths = [at.channels for at in layout]
    places = [torch.arange(at.start, at.stop) for at in layout]
    if widths != sorted(widths, reverse=True):
        groups: dict[str, list[Tensor]] = {}
        for at, place in zip(layout, places, strict=True):
            level = "coarse" if at.resolution <= COARSE_PX else "medium" if at.resolution <= MEDIUM_PX else "fine"
            groups.setdefault(f"{level}_{at.channels}", []).append(place)
        return {name: torch.stack(parts) for name, parts in groups.items()}
    wide = min(widths.count(widths[0]), COARSE_LAYERS + MEDIUM_LAYERS)
    parts = {"coarse": places[: min(wide, COARSE_LAYERS)], "medium": places[COARSE_LAYERS:wide]}
    levels = {name: torch.stack(part) for name, part in parts.items() if part}
    return {**levels, "fine": torch.cat(places[wide:])[None]} if places[wide:] else levels


class DeltaMapper(nn.Module):
    """Predicts the style offset that goes with a CLIP direction.

    Args:
        layout: the generator's ``Synthesis.layout``.
        embedding_size: E, length of a CLIP feature.
        levels: coarse, medium and fine (the paper), or False for one mapper over all styles (an ablation).
    """

    order: Tensor

    def __init__(self, layout: Sequence[StyleLayer], embedding_size: int = 512, levels: bool = True) -> None:
        super().__init__()
        self.size = layout[-1].stop  # C, how many numbers go in and come out
        with torch.device("cpu"):  # places are known even where the weights are not to be
            whole = torch.arange(self.size)[None]
            levels_in_s = level_indices(layout) if levels else {"fine": whole}
            order = torch.cat([where.flatten() for where in levels_in_s.values()]).argsort()
        self._contiguous = torch.equal(order, whole[0])
        self.register_buffer("order", order, persistent=False)
        self.levels = {level: (len(where), where.shape[1]) for level, where in levels_in_s.items()}  # vectors, length
        for level, where in levels_in_s.items():
            self.register_buffer(f"where_{level}", where, persistent=False)
            length = where.shape[1]
            by_width = "_" in level  # ours: the norm is over the channels of a layer, not over layers as released
            self.add_module(f"sm_{level}", Mapper(length, length, axis=-1 if by_width else 1))
        for level, (_, length) in self.levels.items():
            self.add_module(f"cm_{level}", Mapper(2 * embedding_size, length))
        for level, (_, length) in self.levels.items():
            self.add_module(f"fm_{level}", Mapper(2 * length, length, norm=False))

    def forward(self, s: Tensor, condition: Tensor) -> Tensor:
        """Style offset Δŝ of styles s, float [N, C] -> [N, C]; condition [N, 2E] is [i ; Δ], each of unit norm."""
        parts = [self._level(level, s[:, self.get_buffer(f"where_{level}")], condition) for level in self.levels]
        offset = torch.cat(parts, 1)
        return offset if self._contiguous else offset[:, self.order]

    def _level(self, level: str, s: Tensor, condition: Tensor) -> Tensor:
        """Offset of one level's styles: [N, vectors, length] -> [N, vectors * length]."""
        count = s.shape[1]
        s = s[:, 0] if count == 1 else s
        styles = self.get_submodule(f"sm_{level}")(s)
        conditions = self.get_submodule(f"cm_{level}")(condition)  # once per image, then seen by every layer
        if count > 1:
            conditions = conditions[:, None].expand(-1, count, -1)
        offset: Tensor = self.get_submodule(f"fm_{level}")(torch.cat([styles, conditions], -1))
        return offset.flatten(1)
