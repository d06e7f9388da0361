"""StyleGAN2 for when no gradients are wanted: the images of the plain form, up to rounding, in less time.

Passes after a convolution write in place, as a fresh array costs more than they do. On a CPU, images are made one by
one above 32 px, where activations are large: then style, norm and the activation's gain go into the kernel and the
bias, which saves a pass over the activations for each of them; there those passes cost more than the kernel's, and one
image alone takes less memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.backbones.layers import GAIN, SLOPE, ModulatedConv, StyledConv, ToRGB, blur, upsample_2x
from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.backbones.synthesis import LayerSweep

BATCHED_PX = 32  # side of the largest level that a batch passes as one: up to there kernels outweigh activations,
SMALL = 2**17  # and above it where an activation has no more numbers than this, so that many fit into the cache


class FastStyleGAN2(StyleGAN2):
    """``StyleGAN2``, whose forms without gradients are the fast ones."""

    def synthesize(self, s: Tensor, s_rgb: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """As ``StyleGAN2.synthesize``."""
        if self._tracked(s, s_rgb, *(noise or ())):
            return super().synthesize(s, s_rgb, noise)
        return self.above(0, self.start(len(s)), None, s, s_rgb, noise)

    def sweep(self, s: Tensor, s_rgb: Tensor) -> Iterator[LayerSweep]:
        """As ``Synthesis.sweep``, but what lies below the changed channel is computed once."""
        x: Tensor = self.start(len(s))
        image: Tensor | None = None
        for index, at in enumerate(self.layout):
            layer, style = self.convolution(index), s[:, at.start : at.stop]
            convolved = layer.conv.convolve(x * (style * layer.conv.scale)[:, :, None, None])
            yield ConvolutionSweep(self, s, s_rgb, index, x, image, convolved)
            x = activated(layer, normalised(layer.conv, convolved, style))
            image = self.image_after(index, x, image, s_rgb)

    def convolution(self, index: int) -> StyledConv:
        """One of ``convs``."""
        layer: StyledConv = self.convs[index]  # type: ignore[assignment]
        return layer

    def above(
        self, first: int, x: Tensor, image: Tensor | None, s: Tensor, s_rgb: Tensor, noise: Sequence[Tensor] | None
    ) -> Tensor:
        """Images by the convolutions from ``first`` up.

        Args:
            first: index of a convolution.
            x: what enters it, [N, channels, H, W].
            image: the image of the levels below it, [N, 3, h, w]; None where there is none.
            s: float [N, C]; the styles below that convolution are not looked at.
            s_rgb: float [N, C_rgb].
            noise: as for ``synthesize``.

        Returns:
            float [N, 3, H, W].
        """
        end = 2 * len(self.channels) - 1
        maps = list(noise) if noise is not None else [None] * end
        together = min(end, 2 * self._batched_levels - 1) if self.constant.device.type == "cpu" else end
        for index in range(first, together):
            at = self.layout[index]
            x = styled(self.convolution(index), x, s[:, at.start : at.stop], maps[index])
            image = self.image_after(index, x, image, s_rgb)
        assert image is not None  # the last convolution is followed by a ToRGB, and so is the last of those together
        first = max(first, together)
        if first == end:
            return image
        images = []
        for row in range(len(s)):
            own = [each if each is None or len(each) == 1 else each[row : row + 1] for each in maps]
            images.append(self._rendered(first, x[row : row + 1], image[row : row + 1], s[row], s_rgb[row], own))
        return torch.cat(images)

    def _rendered(
        self, first: int, x: Tensor, image: Tensor, s: Tensor, s_rgb: Tensor, maps: Sequence[Tensor | None]
    ) -> Tensor:
        """``above`` for one image: x and image [1, …], s [C], s_rgb [C_rgb] -> [1, 3, H, W]."""
        for index in range(first, 2 * len(self.channels) - 1):
            at = self.layout[index]
            x = rendered(self.convolution(index), x, s[at.start : at.stop], maps[index])
            if index % 2 == 0:
                at = self.layout_rgb[index // 2]
                to_rgb: ToRGB = self.to_rgbs[index // 2]  # type: ignore[assignment]
                image = upsample_2x(image) + rendered_rgb(to_rgb, x, s_rgb[at.start : at.stop])
        return image

    @property
    def _batched_levels(self) -> int:
        """How many levels (4 px, 8 px, …) a batch passes as one on a CPU."""
        sides = (4 * 2**level for level in range(len(self.channels)))
        pairs = zip(sides, self.channels, strict=True)
        return sum(side <= BATCHED_PX or width * side**2 <= SMALL for side, width in pairs)

    def _tracked(self, *tensors: Tensor) -> bool:
        """Whether gradients are wanted."""
        return torch.is_grad_enabled() and any(t.requires_grad for t in (*tensors, *self.parameters()))


@dataclass(frozen=True)
class ConvolutionSweep(LayerSweep):
    """``LayerSweep`` of one convolution, with the state below it.

    The convolution is linear in the style. Where one input channel c differs,

        Σ_j w_j * (s'_j x_j) = Σ_j w_j * (s_j x_j) + (s'_c - s_c) (w_c * x_c)

    so the whole convolution is computed once, and that of one channel for each of them; the norm follows as usual.

    Attributes:
        x: what enters it, [K, channels, H, W].
        image: the image so far, [K, 3, H, W]; None before the first ToRGB.
        convolved: its convolution with the images' own styles, without norm.
    """

    synthesis: FastStyleGAN2
    x: Tensor
    image: Tensor | None
    convolved: Tensor

    def images(self, channels: Tensor, values: Tensor) -> Tensor:
        """As ``LayerSweep.images``."""
        s, s_rgb = self.styles(channels, values)
        x = torch.cat([self._changed(c, row) for c, row in zip(channels.tolist(), values, strict=True)])
        image = self.image
        if image is not None:  # `cat`, unlike `repeat`, keeps channels last, in which convolutions are faster
            image = torch.cat([image] * values.numel())
        image = self.synthesis.image_after(self.index, x, image, s_rgb)
        return self.synthesis.above(self.index + 1, x, image, s, s_rgb, None)

    def _changed(self, channel: int, values: Tensor) -> Tensor:
        """Output of the convolution where one channel has each of the values: [V * K, outputs, H, W]."""
        layer, at = self.synthesis.convolution(self.index), self.synthesis.layout[self.index]
        own, c = self.s[:, at.start : at.stop], channel - at.start
        alone = layer.conv.convolve(self.x[:, c : c + 1] * layer.conv.scale, slice(c, c + 1))
        rows = []
        for value in values:
            style = own.clone()
            style[:, c] = value
            out = torch.addcmul(self.convolved, alone, (value - own[:, c])[:, None, None, None])
            rows.append(activated(layer, normalised(layer.conv, out, style)))
        return torch.cat(rows)


def styled(layer: StyledConv, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
    """``StyledConv.forward`` in place: x [N, inputs, H, W] (kept), style [N, inputs]."""
    out = layer.conv.convolve(x * (style * layer.conv.scale)[:, :, None, None].to(x.dtype))
    return activated(layer, normalised(layer.conv, out, style), noise)


def normalised(conv: ModulatedConv, out: Tensor, style: Tensor) -> Tensor:
    """Divide a convolution's output by its norm, times the activation's gain, in place."""
    return out.mul_(conv.norm(out, style, GAIN))


def activated(layer: StyledConv, x: Tensor, noise: Tensor | None = None) -> Tensor:
    """Noise, bias and leaky ReLU of a convolution that has the activation's gain already, in place."""
    if noise is not None:
        x = x + (layer.noise_strength * GAIN).to(x.dtype) * noise.to(x.dtype)
    x = F.leaky_relu_(x.add_((layer.bias * GAIN)[:, None, None].to(x.dtype)), SLOPE)
    return x if layer.clamp is None else x.clamp_(-layer.clamp, layer.clamp)


def kernel(conv: ModulatedConv, style: Tensor, gain: float) -> Tensor:
    """The kernel of one image, style [inputs] and gain in it: [outputs, inputs, k, k]."""
    weight = conv.weight * (style * conv.scale)[:, None, None]
    if conv.demodulate:
        norm = torch.rsqrt(torch.linalg.vector_norm(weight, dim=(1, 2, 3)).square() + 1e-8)
        weight *= (norm * gain)[:, None, None, None]
    return weight


def rendered(layer: StyledConv, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
    """``StyledConv.forward`` of one image: x [1, inputs, H, W], style [inputs], noise [1, 1, H', W']."""
    weight, bias = kernel(layer.conv, style, GAIN), layer.bias * GAIN
    if layer.conv.upsample:
        x = blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), bias)
    else:
        x = F.conv2d(x, weight, bias, padding=1)
    if noise is not None:
        x += noise * (layer.noise_strength * GAIN)
    x = F.leaky_relu_(x, SLOPE)
    return x if layer.clamp is None else x.clamp_(-layer.clamp, layer.clamp)


def rendered_rgb(layer: ToRGB, x: Tensor, style: Tensor) -> Tensor:
    """``ToRGB.forward`` of one image: x [1, inputs, H, W], style [inputs]."""
    rgb = F.conv2d(x, kernel(layer.conv, style, 1.0), layer.bias)
    return rgb if layer.clamp is None else rgb.clamp_(-layer.clamp, layer.clamp)
