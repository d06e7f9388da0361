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
from deltaedit.backbones.stylegan2 import BATCHED_LEVELS, Synthesis, upsample_2x
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
        return _images_above(self.synthesis, self.index, x, self.image, styles)

    def _styles(self, channels: Tensor, values: Tensor) -> Latents:
        """Latents of every (channel, value, image); w_plus does not belong to them and is empty."""
        s, copies = self.latents.s, values.numel()
        wide = s.repeat(copies, 1).view(*values.shape, *s.shape)
        wide.scatter_(
            3,
            channels[:, None, None, None].expand(*wide.shape[:3], 1),
            values[:, :, None, None].expand(*wide.shape[:3], 1),
        )
        return Latents(s.new_zeros(0), wide.flatten(0, 2), self.latents.s_rgb.repeat(copies, 1))

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
        image = _image_after(synthesis, index, x, image, latents)


def _convolution(synthesis: Synthesis, index: int) -> StyledConv:
    layer: StyledConv = synthesis.convs[index]  # type: ignore[assignment]
    return layer


def _images_above(synthesis: Synthesis, index: int, x: Tensor, image: Tensor | None, styles: Latents) -> Tensor:
    """Images of M styles from the outputs x [M, ...] of one convolution and the image so far, of K images.

    On a CPU the larger maps pass one by one, as in ``Synthesis.synthesize``.
    """
    if image is not None:  # `cat`, unlike `repeat`, keeps channels last, in which convolutions are faster
        image = torch.cat([image] * (len(styles) // len(image)))
    image = _image_after(synthesis, index, x, image, styles)
    convolutions = len(synthesis.convs)
    together = 2 * BATCHED_LEVELS - 1 if x.device.type == "cpu" else convolutions
    for above in range(index + 1, min(together, convolutions)):
        at = synthesis.layout[above]
        x = synthesis.convs[above](x, styles.s[:, at.start : at.stop])
        image = _image_after(synthesis, above, x, image, styles)
    assert image is not None  # the last convolution is followed by a ToRGB, and so is the last of those together
    first = max(index + 1, together)
    if first >= convolutions:
        return image
    rows = (slice(row, row + 1) for row in range(len(styles)))
    return torch.cat([_render(synthesis, first, x[row], image[row], styles[row]) for row in rows])


def _image_after(synthesis: Synthesis, index: int, x: Tensor, image: Tensor | None, styles: Latents) -> Tensor | None:
    """The image so far, after a convolution: every second one, from the first, is followed by a ToRGB."""
    if index % 2:
        return image
    at = synthesis.layout_rgb[index // 2]
    rgb: Tensor = synthesis.to_rgbs[index // 2](x, styles.s_rgb[:, at.start : at.stop])
    return rgb if image is None else upsample_2x(image) + rgb


def _render(synthesis: Synthesis, first: int, x: Tensor, image: Tensor, styles: Latents) -> Tensor:
    """The image of one row of styles by the convolutions from ``first`` up: [1, 3, H, W]."""
    for index in range(first, len(synthesis.convs)):
        at = synthesis.layout[index]
        x = _convolution(synthesis, index).render(x, styles.s[0, at.start : at.stop])
        if index % 2 == 0:
            at = synthesis.layout_rgb[index // 2]
            rgb = synthesis.to_rgbs[index // 2].render(x, styles.s_rgb[0, at.start : at.stop])  # type: ignore[operator, union-attr]
            image = upsample_2x(image) + rgb
    return image
