"""StyleGAN2's synthesis network (Karras et al. 2020, arXiv 1912.04958) with access to W, W+ and S.

Three ways in, each a plain tensor:

    w [N, D]  --repeat-->  w_plus [N, L, D]  --affine of each layer-->  s [N, C], s_rgb [N, C_rgb]  -->  image

`s` holds the styles of the convolutions, one number per input channel, layer after layer; `s_rgb` those of the
ToRGB layers. That is StyleSpace (Wu et al. 2021, arXiv 2011.12799); DeltaEdit and StyleCLIP's global direction edit `s`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Channels of config-f at each resolution, 4 px to 1024 px.
CONFIG_F = (512, 512, 512, 512, 512, 256, 128, 64, 32)


def config_f(resolution: int) -> tuple[int, ...]:
    """Channels of StyleGAN2 config-f from 4 px up to ``resolution``.

    >>> config_f(256)
    (512, 512, 512, 512, 512, 256, 128)
    """
    return CONFIG_F[: int(math.log2(resolution)) - 1]


@dataclass(frozen=True)
class StyleLayer:
    """Where one layer's styles stand.

    Attributes:
        resolution: side of the layer's output in pixels.
        channels: how many styles (= input channels of the convolution).
        start: index of the first of them in ``s`` (or in ``s_rgb``).
        latent: which row of ``w_plus`` makes them.
    """

    resolution: int
    channels: int
    start: int
    latent: int

    @property
    def stop(self) -> int:
        """Index after the layer's last style."""
        return self.start + self.channels


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate: weight ~ N(0, 1 / lr_mul²), scaled by lr_mul / √in at run time.

    Args:
        inputs: size of the input vector.
        outputs: size of the output vector.
        bias_init: initial value of the bias, before ``lr_mul``.
        lr_mul: factor on the learning rate of this layer.
        activate: apply leaky ReLU (slope 0.2) times √2, as StyleGAN2's fused activation does.
    """

    def __init__(
        self, inputs: int, outputs: int, bias_init: float = 0.0, lr_mul: float = 1.0, activate: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_mul)
        self.bias = nn.Parameter(torch.full((outputs,), float(bias_init)))
        self.scale = lr_mul / math.sqrt(inputs)
        self.lr_mul = lr_mul
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        out = F.linear(x, self.weight * self.scale, self.bias * self.lr_mul)
        return F.leaky_relu(out, 0.2) * math.sqrt(2) if self.activate else out


class ModulatedConv(nn.Module):
    """Convolution whose input channels are scaled by a style, its output renormalised (demodulated).

    The style scales the activations, not the weights: x·s convolved with one shared kernel and divided by the norm
    that the scaled kernel would have had. Equal to scaling the weights, and one ordinary convolution for the batch.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, demodulate: bool = True, upsample: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.demodulate = demodulate
        self.upsample = upsample

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """X [N, inputs, H, W], style [N, inputs] -> [N, outputs, H, W], or twice the side when upsampling."""
        weight = self.weight * self.scale
        x = x * style[:, :, None, None].to(x.dtype)
        if self.upsample:
            out = blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        else:
            out = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        if self.demodulate:
            with torch.autocast(x.device.type, enabled=False):
                norm = torch.rsqrt(style.float().square() @ weight.float().square().sum((2, 3)).t() + 1e-8)
            out = out * norm[:, :, None, None].to(out.dtype)
        return out


def _binomial(x: Tensor, gain: float) -> Tensor:
    """The 4 x 4 kernel [1, 3, 3, 1] ⊗ [1, 3, 3, 1] / 64 times ``gain``, once per channel: [C, 1, 4, 4]."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device, dtype=x.dtype)
    return (taps[:, None] * taps * (gain / 64)).expand(x.shape[1], 1, 4, 4)


def blur(x: Tensor) -> Tensor:
    """Low-pass after a stride-2 transposed convolution: [N, C, 2H + 1, 2W + 1] -> [N, C, 2H, 2W], gain 4."""
    return F.conv2d(x, _binomial(x, 4.0), padding=1, groups=x.shape[1])


def upsample_2x(x: Tensor) -> Tensor:
    """Zero-insertion and low-pass: [N, C, H, W] -> [N, C, 2H, 2W], gain 4 (a constant stays constant)."""
    return F.conv_transpose2d(x, _binomial(x, 4.0), stride=2, padding=1, groups=x.shape[1])


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, upsample: bool = False) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, inputs, bias_init=1.0)
        self.conv = ModulatedConv(inputs, outputs, 3, upsample=upsample)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
        """X [N, inputs, H, W], style [N, inputs], noise [N or 1, 1, H', W'] or None -> [N, outputs, H', W']."""
        x = self.conv(x, style)
        if noise is not None:
            x = x + self.noise_strength.to(x.dtype) * noise.to(x.dtype)
        return F.leaky_relu(x + self.bias[:, None, None].to(x.dtype), 0.2) * math.sqrt(2)


class ToRGB(nn.Module):
    """1 x 1 modulated convolution to RGB, without demodulation."""

    def __init__(self, inputs: int, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, inputs, bias_init=1.0)
        self.conv = ModulatedConv(inputs, 3, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """X [N, inputs, H, W], style [N, inputs] -> [N, 3, H, W]."""
        return self.conv(x, style) + self.bias[:, None, None]


class Synthesis(nn.Module):
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
                f"The 'resolution' parameter of Synthesis must be a power of two from 8 up, with one width for each of "
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

    @property
    def s_size(self) -> int:
        """C, the length of ``s`` (6048 at 1024 px config-f)."""
        return self.layout[-1].stop

    @property
    def s_rgb_size(self) -> int:
        """C_rgb, the length of ``s_rgb`` (3040 at 1024 px config-f)."""
        return self.layout_rgb[-1].stop

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
        style = [s[:, at.start : at.stop] for at in self.layout]
        style_rgb = [s_rgb[:, at.start : at.stop] for at in self.layout_rgb]
        maps: Sequence[Tensor | None] = noise if noise is not None else [None] * len(style)
        x = self.convs[0](self.constant.expand(len(s), -1, -1, -1), style[0], maps[0])
        image = self.to_rgbs[0](x, style_rgb[0])
        for level in range(1, len(self.channels)):
            x = self.convs[2 * level - 1](x, style[2 * level - 1], maps[2 * level - 1])
            x = self.convs[2 * level](x, style[2 * level], maps[2 * level])
            image = upsample_2x(image) + self.to_rgbs[level](x, style_rgb[level])
        result: Tensor = image
        return result

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
