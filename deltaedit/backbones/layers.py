"""The layers of StyleGAN2 (Karras et al. 2020, arXiv 1912.04958), in their plain form.

The style scales the activations: x·s is convolved with one shared kernel and divided by the norm that the scaled kernel
would have had. ``fast_stylegan2`` has forms of the same layers for when no gradients are wanted.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GAIN = math.sqrt(2)  # of the activation; leaky ReLU is homogeneous, so it may be applied before
SLOPE = 0.2


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
        return F.leaky_relu(out, SLOPE) * GAIN if self.activate else out


class InputScaledLinear(EqualLinear):
    """An ``EqualLinear`` with leaky ReLU that scales its input and not its weights, of which there may be millions."""

    def __init__(self, inputs: int, outputs: int, lr_mul: float) -> None:
        super().__init__(inputs, outputs, lr_mul=lr_mul, activate=True)

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        return F.leaky_relu(F.linear(x * self.scale, self.weight, self.bias * self.lr_mul), SLOPE) * GAIN


class PixelNorm(nn.Module):
    """x / root mean square of x [N, K, …] over an axis."""

    def __init__(self, axis: int = 1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """[N, K, …] -> the same shape."""
        return x * torch.rsqrt(x.square().mean(self.axis, keepdim=True) + 1e-8)


class ModulatedConv(nn.Module):
    """Convolution whose input channels are scaled by a style, its output renormalised (demodulated)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, demodulate: bool = True, upsample: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.demodulate = demodulate
        self.upsample = upsample

    def forward(self, x: Tensor, style: Tensor, gain: float = 1.0) -> Tensor:
        """X [N, inputs, H, W], style [N, inputs] -> [N, outputs, H, W] times ``gain``; twice the side when upsampling.

        ``gain`` belongs to a demodulated convolution: it is part of the norm.
        """
        out = self.convolve(x * (style * self.scale)[:, :, None, None].to(x.dtype))
        return out * self.norm(out, style, gain) if self.demodulate else out

    def convolve(self, x: Tensor, channels: slice = slice(None)) -> Tensor:
        """The convolution alone, of some input channels: [N, C, H, W] -> [N, outputs, H, W], no style, no norm."""
        weight = self.weight[:, channels]
        if self.upsample:
            return blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2)

    def norm(self, out: Tensor, style: Tensor, gain: float) -> Tensor:
        """``gain`` / norm of the kernel that has the style [N, inputs] in it: [N, outputs, 1, 1], of out's dtype."""
        with torch.autocast(out.device.type, enabled=False):
            energy = self.weight.float().square().sum((2, 3)) * self.scale**2
            norm = torch.rsqrt(style.float().square() @ energy.t() + 1e-8) * gain
        return norm[:, :, None, None].to(out.dtype)


@cache
def _kernel(gain: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """[1, 3, 3, 1] ⊗ [1, 3, 3, 1] / 64 times ``gain``, made once a device: [4, 4]."""
    with torch.inference_mode(False):  # gradients may go through it later
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=device, dtype=dtype)
        return taps[:, None] * taps * (gain / 64)


def _binomial(x: Tensor, gain: float) -> Tensor:
    """The low-pass of blurs for the channels of x: [C, 1, 4, 4]."""
    return _kernel(gain, x.device, x.dtype).expand(x.shape[1], 1, 4, 4)


def blur(x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Low-pass after a stride-2 transposed convolution: [N, C, 2H + 1, 2W + 1] -> [N, C, 2H, 2W], gain 4."""
    return F.conv2d(x, _binomial(x, 4.0), bias, padding=1, groups=x.shape[1])


def upsample_2x(x: Tensor) -> Tensor:
    """Zero-insertion and low-pass: [N, C, H, W] -> [N, C, 2H, 2W], gain 4 (a constant stays constant).

    Always in x's own precision: pictures are summed up over the levels by it.
    """
    with torch.autocast(x.device.type, enabled=False):
        return F.conv_transpose2d(x, _binomial(x, 4.0), stride=2, padding=1, groups=x.shape[1])


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU.

    Attributes:
        clamp: activations are clipped to ± this, as NVIDIA's half-precision networks were trained; None for not at all.
    """

    def __init__(self, inputs: int, outputs: int, w_dim: int, upsample: bool = False) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, inputs, bias_init=1.0)
        self.conv = ModulatedConv(inputs, outputs, 3, upsample=upsample)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.clamp: float | None = None

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
        """X [N, inputs, H, W], style [N, inputs], noise [N or 1, 1, H', W'] or None -> [N, outputs, H', W']."""
        x = self.conv(x, style, GAIN)
        if noise is not None:
            x = x + (self.noise_strength * GAIN).to(x.dtype) * noise.to(x.dtype)
        x = F.leaky_relu(x + (self.bias * GAIN)[:, None, None].to(x.dtype), SLOPE)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class ToRGB(nn.Module):
    """1 x 1 modulated convolution to RGB, without demodulation.

    Attributes:
        clamp: as in ``StyledConv``.
    """

    def __init__(self, inputs: int, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, inputs, bias_init=1.0)
        self.conv = ModulatedConv(inputs, 3, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))
        self.clamp: float | None = None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """X [N, inputs, H, W], style [N, inputs] -> [N, 3, H, W]."""
        rgb: Tensor = self.conv(x, style) + self.bias[:, None, None]
        return rgb if self.clamp is None else rgb.clamp(-self.clamp, self.clamp)
