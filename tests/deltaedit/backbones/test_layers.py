import numpy as np
import torch
from torch.nn import functional as F

from deltaedit.backbones.fast_stylegan2 import rendered, rendered_rgb, styled
from deltaedit.backbones.layers import EqualLinear, ModulatedConv, StyledConv, ToRGB, blur, upsample_2x


def convolve_by_hand(x, kernel, pad):
    """Correlation of x [C, H, W] with kernel [O, C, k, k], in float64 and loops."""
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    k = kernel.shape[-1]
    height, width = x.shape[1] - k + 1, x.shape[2] - k + 1
    out = np.zeros((len(kernel), height, width))
    for row in range(height):
        for column in range(width):
            out[:, row, column] = (kernel * x[:, row : row + k, column : column + k]).sum((1, 2, 3))
    return out


def modulated_by_hand(conv, x, style):
    """Scale the weights by the style, then divide each output channel's by their norm (section 2.2 of the paper)."""
    weight = conv.weight.detach().numpy().astype(float)
    weight = weight / np.sqrt(weight[0].size) * style[None, :, None, None]
    if conv.demodulate:
        weight = weight / np.sqrt((weight**2).sum((1, 2, 3), keepdims=True) + 1e-8)
    return weight


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_modulated_convolution_scales_the_weights():
    for kernel, demodulate in ((3, True), (1, False)):
        conv = ModulatedConv(4, 5, kernel, demodulate)
        x, style = random(2, 4, 6, 6), random(2, 4, seed=1)
        got = conv(x, style).detach()
        for row in range(2):
            weight = modulated_by_hand(conv, x[row], style[row].numpy().astype(float))
            wanted = convolve_by_hand(x[row].numpy().astype(float), weight, kernel // 2)
            np.testing.assert_allclose(got[row], wanted, atol=1e-5)


def test_upsampling_inserts_zeros_convolves_and_blurs():
    conv = ModulatedConv(3, 2, 3, upsample=True)
    x, style = random(1, 3, 4, 4), random(1, 3, seed=1)
    weight = modulated_by_hand(conv, x[0], style[0].numpy().astype(float))
    wide = np.zeros((3, 9, 9))  # zeros between the pixels, and room for the transposed kernel
    wide[:, 1:8:2, 1:8:2] = x[0].numpy()
    transposed = convolve_by_hand(wide, weight[:, :, ::-1, ::-1], 1)
    taps = np.array([1, 3, 3, 1])
    low_pass = np.outer(taps, taps) / 16
    wanted = np.concatenate([convolve_by_hand(channel[None], low_pass[None, None], 1) for channel in transposed])
    np.testing.assert_allclose(conv(x, style)[0].detach(), wanted, atol=1e-5)


def test_low_pass_filters_by_hand():
    spike = torch.zeros(1, 1, 5, 5)
    spike[0, 0, 2, 2] = 16
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    assert torch.allclose(blur(spike)[0, 0], torch.outer(taps, taps))
    pixel = torch.full((1, 1, 1, 1), 16.0)
    assert torch.allclose(upsample_2x(pixel)[0, 0], torch.full((2, 2), 9.0))
    constant = torch.ones(2, 3, 6, 6)
    assert torch.allclose(upsample_2x(constant)[:, :, 1:-1, 1:-1], torch.ones(2, 3, 10, 10))


def test_rendering_one_image_equals_the_ordinary_form():
    for upsample in (False, True):
        for clamp in (None, 0.5):
            layer = StyledConv(4, 6, 8, upsample).requires_grad_(False)
            layer.bias.copy_(random(6, seed=2))
            layer.noise_strength.fill_(0.3)
            layer.clamp = clamp
            x, style = random(1, 4, 8, 8), random(1, 4, seed=1)
            side = 16 if upsample else 8
            for noise in (None, random(1, 1, side, side, seed=3)):
                wanted = layer(x, style, noise)
                torch.testing.assert_close(rendered(layer, x, style[0], noise), wanted, atol=1e-5, rtol=1e-5)
                torch.testing.assert_close(styled(layer, x, style, noise), wanted)
                assert (clamp is None) == (wanted.abs().max() > 0.5)


def test_rgb_of_one_image_and_its_clamp():
    layer = ToRGB(4, 8).requires_grad_(False)
    layer.bias.copy_(torch.tensor([0.1, -0.2, 3.0]))
    x, style = random(1, 4, 5, 5), random(1, 4, seed=1)
    weight = layer.conv.weight[:, :, 0, 0] / 2  # four inputs
    wanted = torch.einsum("oc,nchw->nohw", weight * style, x) + layer.bias[:, None, None]
    for clamp in (None, 1.0):
        layer.clamp = clamp
        cut = wanted if clamp is None else wanted.clip(-1, 1)
        torch.testing.assert_close(layer(x, style), cut)
        torch.testing.assert_close(rendered_rgb(layer, x, style[0]), cut)


def test_equalised_linear_layer_by_hand():
    layer = EqualLinear(4, 3, bias_init=2.0, lr_mul=0.01, activate=True)
    x = random(5, 4)
    linear = x.numpy() @ layer.weight.detach().numpy().T * 0.01 / 2 + 2.0 * 0.01
    wanted = np.where(linear > 0, linear, 0.2 * linear) * np.sqrt(2)
    np.testing.assert_allclose(layer(x).detach(), wanted, atol=1e-6)
    assert torch.allclose(layer(x), F.leaky_relu(torch.tensor(linear), 0.2) * 2**0.5, atol=1e-6)
