import torch

from deltaedit.backbones.latents import Latents
from deltaedit.backbones.stylegan2 import StyleGAN2


def some_latents(count=3):
    synthesis = StyleGAN2(16, (8, 8, 8), 8)
    w_plus = torch.randn(count, synthesis.latents, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return synthesis, Latents.from_w_plus(synthesis, w_plus)


def test_styles_are_the_affine_layers_of_w_plus():
    synthesis, latents = some_latents()
    layer = synthesis.convs[3].affine  # first convolution at 16 px: row 3 of w_plus
    wanted = latents.w_plus[:, 3] @ layer.weight.t() * layer.scale + layer.bias
    torch.testing.assert_close(latents.s[:, 24:32], wanted)
    assert latents.s.shape == (3, 40)
    assert latents.s_rgb.shape == (3, 24)


def test_parts_joined_again_are_the_whole():
    _, latents = some_latents()
    parts = [latents[:1], latents[[1]], latents[torch.tensor([2])]]
    joined = Latents.cat(parts)
    assert len(latents) == len(joined) == 3
    for name in ("w_plus", "s", "s_rgb"):
        assert torch.equal(getattr(joined, name), getattr(latents, name))


def test_other_styles_leave_the_rest_and_the_original():
    _, latents = some_latents()
    before = latents.s.clone()
    changed = latents.with_s(latents.s + 1)
    assert torch.equal(changed.s, before + 1)
    assert torch.equal(latents.s, before)
    assert changed.s_rgb is latents.s_rgb
    assert changed.w_plus is latents.w_plus


def test_moving_to_a_device_moves_all():
    _, latents = some_latents()
    moved = latents.to("meta")
    assert {moved.w_plus.device.type, moved.s.device.type, moved.s_rgb.device.type} == {"meta"}
