"""e4e, image -> W+ (Tov et al. 2021, arXiv 2102.02766): an IR-SE50 body, a pyramid, and a head for each row of W+.

Module names are those of the released checkpoints, so that their state dicts fit.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.layers import EqualLinear

# Output channels and blocks of the body's four stages; each stage halves the side in its first block.
STAGES = ((64, 3), (128, 4), (256, 14), (512, 3))
COARSE_ROWS, MEDIUM_ROWS = 3, 7  # rows of W+ below these see 16 and 32 px; the others 64 px
INPUT_PX = 256
WIDTH = 512  # of the heads, and D


class SqueezeExcitation(nn.Module):
    """Each channel scaled by a number in (0, 1) that follows from the means of all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Block(nn.Module):
    """Residual block of IR-SE50."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        if inputs == outputs:
            self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            SqueezeExcitation(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride]."""
        out: Tensor = self.shortcut_layer(x) + self.res_layer(x)
        return out


class Head(nn.Module):
    """A feature map of 16, 32 or 64 px to one row of W+: convolutions halve it down to one pixel."""

    def __init__(self, side_px: int) -> None:
        super().__init__()
        steps = int(math.log2(side_px))
        self.convs = nn.Sequential(
            *(module for _ in range(steps) for module in (nn.Conv2d(WIDTH, WIDTH, 3, 2, 1), nn.LeakyReLU()))
        )
        self.linear = EqualLinear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 512, side, side] -> [N, 512]."""
        out: Tensor = self.linear(self.convs(x).flatten(1))
        return out


class Encoder4Editing(nn.Module):
    """Image -> W+.

    Args:
        rows: L, rows of W+ (18 at 1024 px).
        from_first: every row is a difference from the first one (e4e); False: a code by itself (pSp, Richardson et al.
            2021, arXiv 2008.00951).

    Attributes:
        w_mean: float [L, 512], added to what the network predicts; the checkpoint's ``latent_avg``.
    """

    w_mean: Tensor

    def __init__(self, rows: int = 18, from_first: bool = True) -> None:
        super().__init__()
        self.from_first = from_first
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        blocks, width = [], 64
        for outputs, count in STAGES:
            blocks += [Block(width, outputs, 2), *(Block(outputs, outputs, 1) for _ in range(count - 1))]
            width = outputs
        self.body = nn.Sequential(*blocks)
        sides = [16 if row < COARSE_ROWS else 32 if row < MEDIUM_ROWS else 64 for row in range(rows)]
        self.styles = nn.ModuleList(Head(side) for side in sides)
        self.latlayer1 = nn.Conv2d(256, WIDTH, 1)
        self.latlayer2 = nn.Conv2d(128, WIDTH, 1)
        self.register_buffer("w_mean", torch.zeros(rows, WIDTH))

    def forward(self, images: Tensor) -> Tensor:
        """Codes of images.

        Args:
            images: float [N, 3, H, W] in [-1, 1]; other sizes than 256 px are resized to that.

        Returns:
            float [N, L, 512].
        """
        if images.shape[-2:] != (INPUT_PX, INPUT_PX):
            images = F.interpolate(images, (INPUT_PX, INPUT_PX), mode="bilinear", align_corners=False, antialias=True)
        fine, medium, coarse = self._maps(self.input_layer(images))
        features = [
            coarse if row < COARSE_ROWS else medium if row < MEDIUM_ROWS else fine for row in range(len(self.styles))
        ]
        first, *others = [head(x) for head, x in zip(self.styles, features, strict=True)]
        rows = [first, *(first + row if self.from_first else row for row in others)]
        return torch.stack(rows, 1) + self.w_mean

    def _maps(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pyramid of 64, 32 and 16 px, 512 channels each."""
        ends, number = [], -1
        for _, count in STAGES:
            number += count
            ends.append(number)
        stages = []
        for i, block in enumerate(self.body):
            x = block(x)
            if i in ends[1:]:
                stages.append(x)
        coarse = stages[2]
        medium = _upsampled(coarse, stages[1]) + self.latlayer1(stages[1])
        fine = _upsampled(medium, stages[0]) + self.latlayer2(stages[0])
        return fine, medium, coarse


def _upsampled(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=True)
