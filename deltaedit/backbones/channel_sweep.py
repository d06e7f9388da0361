"""Images of a generator in which one style channel at a time takes other values.

What lies below the changed channel is the same for all its values and computed once. In the changed layer, whose
convolution is linear in the style, one input channel c differs:

    Σ_j w_j * (s'_j x_j) = Σ_j w_j * (s_j x_j) + (s'_c - s_c) (w_c * x_c)

so the whole convolution is computed once, and that of one channel for each of them; the norm follows as usual. From
the next layer on, images pass as in ``Synthesis.synthesize``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from deltaedit.backbones.layers import GAIN, StyledConv
from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.backbones.synthesis import LayerSweep


@dataclass(frozen=True)
class ConvolutionSweep(LayerSweep):
    """``LayerSweep`` of one convolution of StyleGAN2, with the state below it.

    Attributes:
        x: what enters it, [K, channels, H, W].
        image: the image so far, [K, 3, H, W]; None before the first ToRGB.
        convolved: its convolution with the images' own styles, without norm.
    """

    synthesis: StyleGAN2
    x: Tensor
    image: Tensor | None
    convolved: Tensor

    def images(self, channels: Tensor, values: Tensor) -> Tensor:
        """As ``LayerSweep.images``."""
        styles = self.styles(channels, values)
        x = torch.cat([self._changed(c, row) for c, row in zip(channels.tolist(), values, strict=True)])
        image = self.image
        if image is not None:  # `cat`, unlike `repeat`, keeps channels last, in which convolutions are faster
            image = torch.cat([image] * values.numel())
        return self.synthesis.synthesize_above(self.index, x, image, *styles)

    def _changed(self, channel: int, values: Tensor) -> Tensor:
        """Output of the convolution where one channel has each of the values: [V * K, outputs, H, W]."""
        layer, at = _convolution(self.synthesis, self.index), self.synthesis.layout[self.index]
        own, c = self.s[:, at.start : at.stop], channel - at.start
        alone = layer.conv.convolve(self.x[:, c : c + 1] * layer.conv.scale, slice(c, c + 1))
        rows = []
        for value in values:
            style = own.clone()
            style[:, c] = value
            out = torch.addcmul(self.convolved, alone, (value - own[:, c])[:, None, None, None])
            rows.append(layer.activate(layer.conv.normalise(out, style, GAIN)))
        return torch.cat(rows)


def sweep(synthesis: StyleGAN2, s: Tensor, s_rgb: Tensor) -> Iterator[ConvolutionSweep]:
    """Every convolution in turn, with the state below it; see ``Synthesis.sweep``."""
    x: Tensor = synthesis.start(len(s))
    image: Tensor | None = None
    for index in range(len(synthesis.convs)):
        layer, at = _convolution(synthesis, index), synthesis.layout[index]
        style = s[:, at.start : at.stop]
        convolved = layer.conv.convolve(x * (style * layer.conv.scale)[:, :, None, None])
        yield ConvolutionSweep(synthesis, s, s_rgb, index, x, image, convolved)
        x = layer.activate(layer.conv.normalise(convolved, style, GAIN))
        image = synthesis.image_after(index, x, image, s_rgb)


def _convolution(synthesis: StyleGAN2, index: int) -> StyledConv:
    layer: StyledConv = synthesis.convs[index]  # type: ignore[assignment]
    return layer
