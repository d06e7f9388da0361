"""StyleGAN2's synthesis network (Karras et al. 2020, arXiv 1912.04958) with access to W, W+ and S.

Three ways in, each a plain tensor:

    w [N, D]  --repeat-->  w_plus [N, L, D]  --affine of each layer-->  s [N, C], s_rgb [N, C_rgb]  -->  image

This is the plain form, which takes gradients; ``fast_stylegan2`` makes the same images faster without them.

`s` holds the styles of the convolutions, one number per input channel, layer after layer; `s_rgb` those of the
ToRGB layers. That is StyleSpace (Wu et al. 2021, arXiv 2011.12799). DeltaEdit and StyleCLIP's global direction edit
`s`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deltaedit.backbones.layers import EqualLinear, StyledConv, ToRGB, upsample_2x
from deltaedit.backbones.synthesis import StyleLayer, Synthesis

# Channels of config-f at each resolution, 4 px to 1024 px.
CONFIG_F = (512, 512, 512, 512, 512, 256, 128, 64, 32)


def config_f(resolution: int) -> tuple[int, ...]:
    """Channels of StyleGAN2 config-f from 4 px up to ``resolution``.

    >>> config_f(256)
    (512, 512, 512, 512, 512, 256, 128)
    """
    return CONFIG_F[: int(math.log2(resolution)) - 1]


class StyleGAN2(Synthesis):
    """StyleGAN2 synthesis network for any resolution and width.

    Args:
        resolution: side of the image in pixels, a power of two from 8 up.
        channels: feature channels at 4, 8, …, ``resolution`` px; default config-f.
        w_dim: size D of a w vector.

    Attributes:
        latents: L, rows of ``w_plus`` (18 at 1024 px).
        layout: the convolutions' place in ``s``, in order.
        layout_rgb: the ToRGB layers' place in ``s_rgb``, in order.
    """

    def __init__(self, resolution: int, channels: Sequence[int] | None = None, w_dim: int = 512) -> None:
        super().__init__()
        channels = tuple(channels) if channels is not None else config_f(resolution)
        levels = int(math.log2(resolution)) - 1
        if 4 * 2 ** (levels - 1) != resolution or levels < 2 or len(channels) != levels:
            raise ValueError(
                f"The 'resolution' parameter of StyleGAN2 must be a power of two from 8 up, with one width for each of "
                f"4, 8, …, resolution px. Got {resolution} px and {len(channels)} widths instead."
            )
        self.resolution, self.w_dim, self.channels = resolution, w_dim, channels
        self.latents = 2 * levels
        self.constant = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        convs = [StyledConv(channels[0], channels[0], w_dim)]
        for below, here in zip(channels, channels[1:], strict=False):
            convs += [StyledConv(below, here, w_dim, upsample=True), StyledConv(here, here, w_dim)]
        self.convs = nn.ModuleList(convs)
        self.to_rgbs = nn.ModuleList(ToRGB(width, w_dim) for width in channels)
        self.layout = _layout(
            [layer.affine for layer in convs], [4 * 2 ** ((i + 1) // 2) for i in range(len(convs))], 0
        )
        rgb_affines = [layer.affine for layer in self.to_rgbs]  # type: ignore[union-attr]
        self.layout_rgb = _layout(rgb_affines, [4 * 2**i for i in range(levels)], 1)  # type: ignore[arg-type]

    def styles(self, w_plus: Tensor) -> tuple[Tensor, Tensor]:
        """Styles of every layer.

        Args:
            w_plus: float [N, L, D].

        Returns:
            s [N, C] and s_rgb [N, C_rgb].
        """
        s = [conv.affine(w_plus[:, at.latent]) for conv, at in zip(self.convs, self.layout, strict=True)]  # type: ignore[operator, union-attr]
        rgb = [layer.affine(w_plus[:, at.latent]) for layer, at in zip(self.to_rgbs, self.layout_rgb, strict=True)]  # type: ignore[operator, union-attr]
        return torch.cat(s, 1), torch.cat(rgb, 1)

    def synthesize(self, s: Tensor, s_rgb: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Image of the given styles.

        Args:
            s: float [N, C].
            s_rgb: float [N, C_rgb].
            noise: one map [N or 1, 1, H, W] per convolution; None for no noise.

        Returns:
            float [N, 3, H, W], trained to lie in [-1, 1]; not clipped.
        """
        x: Tensor = self.start(len(s))
        image: Tensor | None = None
        for index in range(2 * len(self.channels) - 1):  # one convolution at 4 px, two above
            at = self.layout[index]
            x = self.convs[index](x, s[:, at.start : at.stop], None if noise is None else noise[index])
            image = self.image_after(index, x, image, s_rgb)
        assert image is not None  # the last convolution is followed by a ToRGB
        return image

    def start(self, count: int) -> Tensor:
        """The learnt constant for ``count`` images, [count, channels, 4, 4], in the memory format that is fastest.

        Every layer keeps the format of what it gets. On a CPU that is channels last: convolutions then need no
        reordering of the activations and take about half the time.
        """
        layout = torch.channels_last if self.constant.device.type == "cpu" else torch.contiguous_format
        return self.constant.expand(count, -1, -1, -1).contiguous(memory_format=layout)

    def image_after(self, index: int, x: Tensor, image: Tensor | None, s_rgb: Tensor) -> Tensor | None:
        """The image so far, after a convolution with output x: every second one, from the first, has a ToRGB."""
        if index % 2:
            return image
        at = self.layout_rgb[index // 2]
        rgb: Tensor = self.to_rgbs[index // 2](x, s_rgb[:, at.start : at.stop])
        return rgb if image is None else upsample_2x(image) + rgb

    def up_to(self, resolution: int) -> StyleGAN2:
        """The same network, weights shared, that stops at ``resolution`` px (at its own size if that is smaller)."""
        levels = sum(4 * 2**level <= resolution for level in range(len(self.channels)))
        lower = copy.copy(self)
        lower.channels = self.channels[:levels]
        return lower

    def forward(self, w_plus: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """w_plus [N, L, D] -> image [N, 3, H, W]."""
        return self.synthesize(*self.styles(w_plus), noise=noise)


def _layout(affines: Sequence[EqualLinear], resolutions: Sequence[int], first_latent: int) -> tuple[StyleLayer, ...]:
    """Place of each layer's styles; ToRGB layers (first_latent = 1) take every second row of w_plus."""
    layers, start = [], 0
    for i, (affine, resolution) in enumerate(zip(affines, resolutions, strict=True)):
        layers.append(StyleLayer(resolution, affine.weight.shape[0], start, first_latent + i * (1 + first_latent)))
        start = layers[-1].stop
    return tuple(layers)
