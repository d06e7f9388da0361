import pytest
import torch

from deltaedit.backbones.fast_stylegan2 import FastStyleGAN2
from deltaedit.backbones.layers import upsample_2x
from deltaedit.backbones.stylegan2 import StyleGAN2, config_f

FORMS = pytest.mark.parametrize("form", [StyleGAN2, FastStyleGAN2])


def network(form=FastStyleGAN2, resolution=64, channels=(8, 8, 8, 8, 4), w_dim=8):
    generator = torch.Generator().manual_seed(0)
    synthesis = form(resolution, channels, w_dim)
    for parameter in synthesis.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return synthesis.requires_grad_(False)


def codes(synthesis, count=3):
    return torch.randn(count, synthesis.latents, synthesis.w_dim, generator=torch.Generator().manual_seed(1))


def layer_by_layer(synthesis, w_plus, noise=None):
    """The network as its figure in the paper has it: w of each layer, convolutions, sum of upsampled RGB."""
    x, image = synthesis.constant.repeat(len(w_plus), 1, 1, 1), 0
    for i, conv in enumerate(synthesis.convs):
        x = conv(x, conv.affine(w_plus[:, i]), None if noise is None else noise[i])
        if i % 2 == 0:
            to_rgb = synthesis.to_rgbs[i // 2]
            rgb = to_rgb(x, to_rgb.affine(w_plus[:, i + 1]))
            image = rgb if i == 0 else upsample_2x(image) + rgb
    return image


@FORMS
@pytest.mark.parametrize("count", [1, 3])
def test_image_is_that_of_the_layers_in_order(count, form):
    synthesis = network(form)
    w_plus = codes(synthesis, count)
    shared = [torch.randn(1, 1, at.resolution, at.resolution) for at in synthesis.layout]
    own = [torch.randn(count, 1, at.resolution, at.resolution) for at in synthesis.layout]
    for noise in (None, shared, own):
        wanted = layer_by_layer(synthesis, w_plus, noise)
        assert wanted.shape == (count, 3, 64, 64)
        torch.testing.assert_close(synthesis(w_plus, noise), wanted, atol=1e-4, rtol=1e-5)


@FORMS
def test_gradients_reach_the_latents(form):
    synthesis = network(form).double()
    s, s_rgb = (code.requires_grad_() for code in synthesis.styles(codes(synthesis, 1).double()))
    slopes = torch.autograd.grad(synthesis.synthesize(s, s_rgb)[0, 1, 10, 20], (s, s_rgb))
    step = 1e-4  # small enough to stay on one side of the activation's kinks
    with torch.no_grad():
        for which in (0, 1):
            channel = int(slopes[which].abs().argmax())
            sides = []
            for sign in (1, -1):
                moved = [s.clone(), s_rgb.clone()]
                moved[which][0, channel] += sign * step
                sides.append(synthesis.synthesize(*moved)[0, 1, 10, 20])
            difference = (sides[0] - sides[1]) / (2 * step)
            torch.testing.assert_close(difference, slopes[which][0, channel], rtol=0.01, atol=1e-3)


def test_image_does_not_depend_on_whether_gradients_are_wanted():
    synthesis = network()
    w_plus = codes(synthesis).requires_grad_()
    with torch.no_grad():
        without = synthesis(w_plus)
    torch.testing.assert_close(without, synthesis(w_plus).detach(), atol=1e-4, rtol=1e-5)


def test_inputs_stay_as_they_are():
    synthesis = network()
    s, s_rgb = synthesis.styles(codes(synthesis))
    before = s.clone(), s_rgb.clone(), synthesis.constant.clone()
    synthesis.synthesize(s, s_rgb)
    assert all(torch.equal(a, b) for a, b in zip(before, (s, s_rgb, synthesis.constant), strict=True))


def test_training_gets_gradients_of_the_weights():
    synthesis = network().requires_grad_(True)
    synthesis(codes(synthesis, 2)).square().mean().backward()
    missing = [name for name, p in synthesis.named_parameters() if p.grad is None and "noise_strength" not in name]
    assert missing == []


def test_layout_of_published_networks():
    with torch.device("meta"):
        sizes = {side: StyleGAN2(side) for side in (256, 512, 1024)}
    assert {side: s.s_size for side, s in sizes.items()} == {256: 5760, 512: 5952, 1024: 6048}
    big = sizes[1024]
    assert big.s_size + big.s_rgb_size == 9088
    assert big.latents == 18
    assert [at.channels for at in big.layout] == [512] * 10 + [256] * 2 + [128] * 2 + [64] * 2 + [32]
    assert [at.latent for at in big.layout] == list(range(17))
    assert [at.latent for at in big.layout_rgb] == list(range(1, 18, 2))
    assert [at.resolution for at in big.layout[:5]] == [4, 8, 8, 16, 16]


def test_wrong_sizes_are_one_sentence():
    for resolution, channels in ((48, (8, 8, 8, 8)), (4, (8,)), (16, (8, 8))):
        with pytest.raises(ValueError, match="power of two") as error:
            StyleGAN2(resolution, channels)
        assert "\n" not in str(error.value)


def test_config_f_widths():
    assert config_f(1024) == (512, 512, 512, 512, 512, 256, 128, 64, 32)


@pytest.mark.parametrize(("resolution", "channels"), [(16, (8, 8, 4)), (128, (4, 4, 4, 3, 2, 2))])
def test_plain_and_fast_form_agree(resolution, channels):
    plain, fast = (network(form, resolution, channels) for form in (StyleGAN2, FastStyleGAN2))
    for layer in (*plain.convs, *plain.to_rgbs, *fast.convs, *fast.to_rgbs):
        layer.clamp = 200.0
    s, s_rgb = plain.styles(codes(plain))
    maps = [torch.randn(1, 1, at.resolution, at.resolution) for at in plain.layout]
    for noise in (None, maps):
        one, other = (form.synthesize(s, s_rgb, noise) for form in (plain, fast))
        torch.testing.assert_close(one, other, atol=1e-5 * float(one.abs().max()), rtol=1e-4)
        assert not torch.equal(one, torch.zeros_like(one))


def test_the_fast_sweep_is_the_general_one():
    plain, fast = network(StyleGAN2, 64, (6, 6, 5, 4, 3)), network(FastStyleGAN2, 64, (6, 6, 5, 4, 3))
    s, s_rgb = plain.styles(codes(plain, 2))
    with torch.inference_mode():
        for general, quick in zip(plain.sweep(s, s_rgb), fast.sweep(s, s_rgb), strict=True):
            at = plain.layout[general.index]
            channels = torch.tensor([at.start, at.stop - 1])
            values = torch.tensor([[3.0, -2.0, 0.5], [1.0, 0.0, -4.0]])
            one, other = (sweep.images(channels, values) for sweep in (general, quick))
            assert one.shape == (2 * 3 * 2, 3, 64, 64)
            torch.testing.assert_close(one, other, atol=1e-5 * float(one.abs().max()), rtol=1e-4)
