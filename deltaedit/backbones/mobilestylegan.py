"""MobileStyleGAN's synthesis network (Belousov 2021, arXiv 2104.04767) with access to W, W+ and S.

It was distilled from StyleGAN2 and shares that network's W. Inside it differs: convolutions are depthwise and
pointwise, there is no demodulation at run time, and a level is entered by an inverse Haar transform, which turns four
channels into one of twice the side:

    4 px       constant · style, dense 3 x 3
    8 … 512    · style, inverse Haar; then twice: · style, depthwise 3 x 3, pointwise 1 x 1
    the end    · style, pointwise 1 x 1 to 12 channels, inverse Haar → RGB at 1024 px

A style that enters a convolution is multiplied by the layer's stored gain.
Each convolution is followed by the stored noise, a bias and a leaky ReLU. Every "· style" takes one vector of S, an
affine map of one row of W+: 22 vectors that editors may change, and a last one, which only makes colours (``s_rgb``).

Pictures have 256 px: the mean over 4 x 4 pixels of the picture of 1024 px. Three of the four parts of the last inverse
Haar transform vanish in that mean, so that they are not computed.

The network was only ever shown one w for all layers, and melts where styles belong to none. ``stay_near`` turns on a
guard that is the same for every editor: whatever styles an editor asks for, the picture is that of the w whose styles
are nearest to them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.synthesis import StyleLayer, Synthesis

# Outputs of the pointwise convolutions at 4 px and of each pair at 8, 16, …, 512 px.
WIDTHS = (512, 512, 512, 512, 512, 256, 128, 64)
SLOPE = 0.2
SIDE_PX = 256  # of the pictures


def style_sizes(widths: Sequence[int] = WIDTHS) -> tuple[int, ...]:
    """Lengths of the style vectors, in order; the last one makes colours.

    >>> style_sizes()[:5], len(style_sizes()), sum(style_sizes())
    ((512, 512, 128, 512, 512), 23, 6752)
    """
    sizes = [widths[0]]
    for below, here in zip(widths, widths[1:], strict=False):
        sizes += [below, below // 4, here]
    return (*sizes, widths[-1])


def inverse_haar(x: Tensor) -> Tensor:
    """Four channels become the pixels of 2 x 2 blocks; the transform's factor of 1/2 is left to the caller.

    Args:
        x: float [N, 4c, H, W]: c means, then c times three differences (rows, columns, diagonal), each c in a row.

    Returns:
        float [N, c, 2H, 2W].
    """
    a, b, d, e = x.permute(0, 2, 3, 1).chunk(4, 3)  # channels last, as the activations lie in memory
    left, right, rows, columns = a + b, a - b, d + e, d - e
    above = torch.stack((left + rows, left - rows), 3)
    below = torch.stack((right + columns, right - columns), 3)
    n, h, w, _, c = above.shape
    return torch.stack((above, below), 2).reshape(n, 2 * h, 2 * w, c).permute(0, 3, 1, 2)


class _Affine(nn.Module):
    """One style vector of a row of W+."""

    def __init__(self, w_dim: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, w_dim) / w_dim**0.5)
        self.bias = nn.Parameter(torch.ones(size))

    def forward(self, w: Tensor) -> Tensor:
        """W [N, D] -> [N, size]."""
        return F.linear(w, self.weight, self.bias)


class _Convolution(nn.Module):
    """Depthwise 3 x 3 and pointwise 1 x 1 (or, at 4 px, one dense 3 x 3), noise, bias, leaky ReLU."""

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, side: int, dense: bool = False) -> None:
        super().__init__()
        self.dense = dense
        if not dense:
            self.depthwise = nn.Parameter(torch.randn(inputs, 1, 3, 3) / 3)
        kernel = 3 if dense else 1
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) / (inputs**0.5 * kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("noise", torch.zeros(1, 1, side, side))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """X [1, inputs, H, W] and the style of its channels [inputs] -> [1, outputs, H, W]."""
        if self.dense:
            x = F.conv2d(x * style[:, None, None], self.weight, self.bias, padding=1)
        else:  # the style goes into the kernel, which is smaller than the activations
            kernel = self.depthwise * style[:, None, None, None]
            x = F.conv2d(F.conv2d(x, kernel, padding=1, groups=len(style)), self.weight, self.bias)
        return F.leaky_relu_(x.add_(self.noise), SLOPE)


class MobileSynthesis(Synthesis):
    """Synthesis network of MobileStyleGAN.

    Args:
        widths: feature channels at 4, 8, … px; default those of the published network. The picture of N widths has
            2 ** (N + 2) px before it is averaged down to at most 256.
        w_dim: size D of a w vector.
    """

    gains: Tensor
    nearest_w: Tensor | None
    style_offset: Tensor | None

    def __init__(self, widths: Sequence[int] = WIDTHS, w_dim: int = 512) -> None:
        super().__init__()
        sizes = style_sizes(widths)
        sides = [4 * 2 ** ((i + 2) // 3) for i in range(len(sizes) - 1)]  # 4, then three vectors a level
        self.resolution, self.w_dim, self.latents = min(SIDE_PX, 2 * sides[-1]), w_dim, len(sizes)
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.affines = nn.ModuleList(_Affine(w_dim, size) for size in sizes)
        self.register_buffer("gains", torch.ones(len(sizes)))  # what the style vectors are multiplied by
        convs = [_Convolution(widths[0], widths[0], 4, dense=True)]
        for level, (below, here) in enumerate(zip(widths, widths[1:], strict=False)):
            side = 8 * 2**level
            convs += [_Convolution(below // 4, here, side), _Convolution(here, here, side)]
        self.convs = nn.ModuleList(convs)
        self.to_rgb = nn.Parameter(torch.randn(12, widths[-1], 1, 1) / widths[-1] ** 0.5)
        self.rgb_bias = nn.Parameter(torch.zeros(12))
        layers, start = [], 0
        for row, (size, side) in enumerate(zip(sizes, sides, strict=False)):
            layers.append(StyleLayer(side, size, start, row))
            start += size
        self.layout = tuple(layers)
        self.register_buffer("nearest_w", None, persistent=False)  # [D, C] with the guard: w of s less its offset
        self.register_buffer("style_offset", None, persistent=False)  # [C], styles of w = 0
        self.layout_rgb = (StyleLayer(2 * sides[-1], sizes[-1], 0, len(sizes) - 1),)

    def stay_near(self, spread: Tensor) -> None:
        """Draw pictures of the nearest w from now on, whatever the styles.

        Args:
            spread: float [C], standard deviation of every style over samples: distances are counted in these.
        """
        with torch.no_grad():
            zero = torch.zeros(1, self.latents, self.w_dim)
            offset = self.styles(zero)[0][0]
            units = torch.eye(self.w_dim)[:, None].expand(-1, self.latents, -1)
            affine = (self.styles(units)[0] - offset).T.double()  # [C, D]
            weighted = affine / spread.double().square()[:, None]
            self.nearest_w = torch.linalg.solve(affine.T @ weighted, weighted.T).float()
            self.style_offset = offset.clone()

    def styles(self, w_plus: Tensor) -> tuple[Tensor, Tensor]:
        """w_plus float [N, L, D] -> s [N, C] and s_rgb [N, C_rgb]."""
        parts = [affine(w_plus[:, row]) for row, affine in enumerate(self.affines)]
        return torch.cat(parts[:-1], 1), parts[-1]

    def synthesize(self, s: Tensor, s_rgb: Tensor) -> Tensor:
        """Pictures of styles s [N, C] and s_rgb [N, C_rgb]: float [N, 3, 256, 256], about [-1, 1], not clipped.

        Pictures are computed one by one: one of them at 512 px fills the caches of any processor.
        """
        if self.nearest_w is not None and self.style_offset is not None:
            w = F.linear(s - self.style_offset, self.nearest_w)
            s, s_rgb = self.styles(w[:, None].expand(-1, self.latents, -1))
        sizes = [at.channels for at in self.layout]
        pictures = []
        for row, rgb in zip(s, s_rgb, strict=True):
            styles = [style * gain for style, gain in zip((*row.split(sizes), rgb), self.gains, strict=True)]
            pictures.append(self._picture(styles))
        return torch.cat(pictures)

    def _picture(self, styles: Sequence[Tensor]) -> Tensor:
        """One picture of its style vectors, the gains included."""
        style = iter(styles)
        x = self.constant.contiguous(memory_format=torch.channels_last)
        for number, conv in enumerate(self.convs):
            if number % 2:  # the first convolution of a level
                x = inverse_haar(x * (next(style) / 2)[:, None, None])
            x = conv(x, next(style))
        side, rgb = 2 * x.shape[-1], next(style)  # of the whole picture
        if side == self.resolution:
            return inverse_haar(F.conv2d(x, self.to_rgb * rgb[:, None, None], self.rgb_bias) / 2)
        means = F.conv2d(x, self.to_rgb[:3] * rgb[:, None, None], self.rgb_bias[:3]).float() / 2
        return F.avg_pool2d(means, side // (2 * self.resolution)).contiguous()
