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
from deltaedit.backbones.stylegan2 import Synthesis
from deltaedit.latents import Latents


@dataclass(frozen=True)
class LayerState:
    """One convolution of K images, about to be computed with other styles.

    Attributes:
        synthesis: the generator.
        latents: of the K images.
        index: which convolution.
        x: what enters it, [K, channels, H, W].
        image: the image so far, [K, 3, H, W]; None before the first ToRGB.
        convolved: its convolution with the images' own styles, without norm.
    """

    synthesis: Synthesis
    latents: Latents
    index: int
    x: Tensor
    image: Tensor | None
    convolved: Tensor

    def images(self, channels: Tensor, values: Tensor) -> Tensor:
        """Images with one channel set to a value.

        Args:
            channels: int64 [G], styles of this layer, counted in ``s``.
            values: float32 [G, V], what each of them is set to.

        Returns:
            float32 [G * V * K, 3, H, W], the images fastest, then the values.
        """
        styles = self._styles(channels, values)
        x = torch.cat([self._changed(c, row) for c, row in zip(channels.tolist(), values, strict=True)])
        image = self.image
        if image is not None:  # `cat`, unlike `repeat`, keeps channels last, in which convolutions are faster
            image = torch.cat([image] * values.numel())
        return self.synthesis.synthesize_above(self.index, x, image, *styles)

    def _styles(self, channels: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """``s`` and ``s_rgb`` of every (channel, value, image)."""
        s, copies = self.latents.s, values.numel()
        wide = s.repeat(copies, 1).view(*values.shape, *s.shape)
        wide.scatter_(
            3,
            channels[:, None, None, None].expand(*wide.shape[:3], 1),
            values[:, :, None, None].expand(*wide.shape[:3], 1),
        )
        return wide.flatten(0, 2), self.latents.s_rgb.repeat(copies, 1)

    def _changed(self, channel: int, values: Tensor) -> Tensor:
        """Output of the convolution where one channel has each of the values: [V * K, outputs, H, W]."""
        layer, at = _convolution(self.synthesis, self.index), self.synthesis.layout[self.index]
        own, c = self.latents.s[:, at.start : at.stop], channel - at.start
        alone = layer.conv.convolve(self.x[:, c : c + 1] * layer.conv.scale, slice(c, c + 1))
        rows = []
        for value in values:
            style = own.clone()
            style[:, c] = value
            out = torch.addcmul(self.convolved, alone, (value - own[:, c])[:, None, None, None])
            rows.append(layer.activate(layer.conv.normalise(out, style, GAIN)))
        return torch.cat(rows)


def states_below(synthesis: Synthesis, latents: Latents) -> Iterator[LayerState]:
    """Every convolution in turn, with the state below it; only within ``torch.inference_mode`` or ``no_grad``."""
    x: Tensor = synthesis.start(len(latents))
    image: Tensor | None = None
    for index in range(len(synthesis.convs)):
        layer, at = _convolution(synthesis, index), synthesis.layout[index]
        style = latents.s[:, at.start : at.stop]
        convolved = layer.conv.convolve(x * (style * layer.conv.scale)[:, :, None, None])
        yield LayerState(synthesis, latents, index, x, image, convolved)
        x = layer.activate(layer.conv.normalise(convolved, style, GAIN))
        image = synthesis.image_after(index, x, image, latents.s_rgb)


def _convolution(synthesis: Synthesis, index: int) -> StyledConv:
    layer: StyledConv = synthesis.convs[index]  # type: ignore[assignment]
    return layer
