"""The networks of StyleCLIP's latent mapper; modules carry the released names, so that released state dicts fit."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from baselines.objectives import SMALL_PX
from deltaedit.backbones.synthesis import Synthesis
from deltaedit.mapper import Mapper

SIDES = (8, 32)  # pixels of the last layers of the coarse and of the medium level, of generators other than StyleGAN2


class RowMapper(nn.Module):
    """A ``Mapper`` for a few rows of W+.

    Args:
        size: D.
        over_rows: PixelNorm averages over the rows, as the released code does (axis 1 of [N, rows, D], whatever that
            is); otherwise over the channels of each row, as StyleGAN's mapping network does.
    """

    def __init__(self, size: int, over_rows: bool) -> None:
        super().__init__()
        self.mapping = Mapper(size, size).mapping
        self.over_rows = over_rows

    def forward(self, rows: Tensor) -> Tensor:
        """[N, rows, D] -> [N, rows, D]."""
        out: Tensor = self.mapping(rows if self.over_rows else rows.flatten(0, 1))
        return out.view_as(rows)


class SingleMapper(nn.Module):
    """One mapper for all rows of W+."""

    def __init__(self, size: int, over_rows: bool) -> None:
        super().__init__()
        self.mapping = RowMapper(size, over_rows)

    def forward(self, w_plus: Tensor) -> Tensor:
        """[N, L, D] -> [N, L, D]."""
        out: Tensor = self.mapping(w_plus)
        return out


class LevelsMapper(nn.Module):
    """A mapper each for the coarse, medium and fine rows of W+; without a fine one those rows stay.

    Args:
        size: D.
        over_rows: see ``RowMapper``.
        starts: first row of the medium and of the fine level.
        fine: whether there is a fine mapper.
    """

    def __init__(self, size: int, over_rows: bool, starts: tuple[int, int], fine: bool = True) -> None:
        super().__init__()
        self.starts = starts
        self.course_mapping = RowMapper(size, over_rows)  # spelt as released
        self.medium_mapping = RowMapper(size, over_rows)
        self.fine_mapping = RowMapper(size, over_rows) if fine else None

    def forward(self, w_plus: Tensor) -> Tensor:
        """[N, L, D] -> [N, L, D]."""
        medium, fine = self.starts
        levels = [self.course_mapping(w_plus[:, :medium]), self.medium_mapping(w_plus[:, medium:fine])]
        rest = w_plus[:, fine:]
        return torch.cat([*levels, torch.zeros_like(rest) if self.fine_mapping is None else self.fine_mapping(rest)], 1)


class StyleMapper(nn.Module):
    """A mapper for the styles of each convolution; those of the ToRGB layers stay.

    Args:
        synthesis: whose styles.
        rows: convolutions that take their styles from a later row of W+ have no mapper and stay.
    """

    def __init__(self, synthesis: Synthesis, rows: int) -> None:
        super().__init__()
        self.layout = synthesis.layout
        for number, at in enumerate(self.layout):
            if at.latent < rows:
                self.add_module(f"mapper_{released_number(number)}", Mapper(at.channels, at.channels))

    def forward(self, s: Tensor) -> Tensor:
        """[N, C] -> [N, C]."""
        offsets = []
        for number, at in enumerate(self.layout):
            mapper = self._modules.get(f"mapper_{released_number(number)}")
            styles = s[:, at.start : at.stop]
            offsets.append(torch.zeros_like(styles) if mapper is None else mapper(styles))
        return torch.cat(offsets, 1)


def released_number(convolution: int) -> int:
    """Number of a convolution in StyleCLIP's list of all layers: conv and ToRGB at 4 px, then conv, conv, ToRGB.

    >>> [released_number(i) for i in range(6)]
    [0, 2, 3, 5, 6, 8]
    """
    return convolution + (convolution + 1) // 2


def level_starts(synthesis: Synthesis) -> tuple[int, int]:
    """First row of W+ of the medium and of the fine level.

    For StyleGAN2 from 256 px up rows 0-3, 4-7 and the rest, as published. Smaller ones have so few rows that next to
    none would be fine: theirs are split in the shares that the 18 rows of 1024 px have (4, 4 and 10), starts rounded
    up. Generators of other rows are split where their layers pass 8 and 32 px.

    >>> from deltaedit.backbones.stylegan2 import StyleGAN2
    >>> level_starts(StyleGAN2(64, (8, 8, 8, 8, 8), 8))
    (3, 5)
    """
    rows = synthesis.latents
    if any(at.resolution != 4 << ((row + 1) // 2) for row, at in enumerate(synthesis.layout)):
        medium, fine = (
            min((at.latent for at in synthesis.layout if at.resolution > px), default=rows) for px in (8, 32)
        )
        return medium, fine
    if synthesis.resolution >= SMALL_PX:
        return 4, 8
    return math.ceil(rows * 4 / 18), math.ceil(rows * 8 / 18)
