import numpy as np
import pytest
import torch

from deltaedit.backbones.generator import Generator, MappingNetwork
from deltaedit.backbones.stylegan2 import StyleGAN2


def generator():
    torch.manual_seed(0)
    made = Generator(StyleGAN2(16, (8, 8, 8), 6), z_dim=5, mapping_layers=2).requires_grad_(False)
    made.w_mean.copy_(torch.arange(6.0))
    for i in range(5):
        made.get_buffer(f"noise_{i}").normal_()
    for layer in made.synthesis.convs:
        layer.noise_strength.fill_(0.5)
    return made


def test_mapping_by_hand():
    torch.manual_seed(0)
    mapping = MappingNetwork(5, 6, 2).requires_grad_(False)
    z = torch.randn(3, 5)
    x = z.numpy() / np.sqrt((z.numpy() ** 2).mean(1, keepdims=True) + 1e-8)
    for layer, inputs in zip(mapping.layers, (5, 6), strict=True):
        layer.bias.normal_()
        x = x @ (layer.weight.numpy() * 0.01 / np.sqrt(inputs)).T + layer.bias.numpy() * 0.01
        x = np.maximum(x, 0.2 * x) * np.sqrt(2)
    np.testing.assert_allclose(mapping(z), x, rtol=1e-4)


def test_truncation_draws_the_first_rows_to_the_mean():
    made, z = generator(), torch.randn(2, 5)
    w = made.mapping(z)
    half = made.w_plus(z, 0.5, cutoff=4)
    torch.testing.assert_close(half[:, 3], (w + torch.arange(6.0)) / 2)
    torch.testing.assert_close(half[:, 4], w)
    assert torch.equal(made.w_plus(z)[:, 0], made.w_plus(z)[:, 5])
    torch.testing.assert_close(made.w_plus(z, 0.0), torch.arange(6.0).expand(2, 6, 6))


def test_noise_is_fixed_random_or_none():
    made, z = generator(), torch.randn(2, 5)
    assert torch.equal(made(z), made(z))
    assert not torch.allclose(made(z), made(z, noise="none"))
    maps = [made.noise("random", 2, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(maps[0][4], maps[1][4])
    assert not torch.equal(maps[0][4], maps[2][4])
    assert [tuple(m.shape) for m in maps[0]] == [(2, 1, side, side) for side in (4, 8, 8, 16, 16)]
    with pytest.raises(ValueError, match="fixed, random, none"):
        made.noise("constant")


def test_measured_mean_is_the_mean_of_w():
    made = generator()
    z = torch.randn(64, 5, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(made.measure_w_mean(64, seed=3), made.mapping(z).mean(0))
