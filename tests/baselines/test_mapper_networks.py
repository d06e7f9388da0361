import numpy as np
import pytest
import torch

from baselines.mapper_networks import LevelsMapper, SingleMapper, StyleMapper, level_starts, released_number
from deltaedit.backbones.stylegan2 import StyleGAN2


def mapper_by_formula(state, prefix, x, axis):
    """PixelNorm over ``axis`` and four layers, in numpy; x [..., D]."""
    x = x / np.sqrt((x**2).mean(axis, keepdims=True) + 1e-8)
    for layer in range(1, 5):
        weight, bias = (state[f"{prefix}.{layer}.{name}"].numpy().astype(float) for name in ("weight", "bias"))
        x = x @ weight.T * 0.01 / np.sqrt(weight.shape[1]) + bias * 0.01
        x = np.where(x > 0, x, 0.2 * x) * np.sqrt(2)
    return x


def with_biases(network):
    """Biases start at 0; give them values that count."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.data = torch.randn(parameter.shape, generator=generator) * 50
    return network.requires_grad_(False)


@pytest.mark.parametrize(("over_rows", "axis"), [(True, 1), (False, 2)])
def test_levels_are_mapped_apart(over_rows, axis):
    torch.manual_seed(0)
    network, w_plus = with_biases(LevelsMapper(6, over_rows, (2, 5))), torch.randn(3, 7, 6)
    state, x = network.state_dict(), w_plus.numpy().astype(float)
    rows = {"course": slice(0, 2), "medium": slice(2, 5), "fine": slice(5, 7)}
    expected = [mapper_by_formula(state, f"{level}_mapping.mapping", x[:, r], axis) for level, r in rows.items()]
    np.testing.assert_allclose(network(w_plus), np.concatenate(expected, 1), rtol=1e-4, atol=1e-5)


def test_without_a_fine_mapper_fine_rows_stay():
    network, w_plus = LevelsMapper(6, True, (2, 5), fine=False), torch.randn(3, 7, 6)
    out = network(w_plus)
    assert not out[:, 5:].any()
    assert bool(out[:, :5].abs().min(2).values.gt(0).any())
    assert not any("fine" in name for name in network.state_dict())


def test_the_single_mapper_serves_all_rows():
    torch.manual_seed(0)
    network, w_plus = with_biases(SingleMapper(6, True)), torch.randn(3, 7, 6)
    expected = mapper_by_formula(network.state_dict(), "mapping.mapping", w_plus.numpy().astype(float), 1)
    np.testing.assert_allclose(network(w_plus), expected, rtol=1e-4, atol=1e-5)


def test_every_convolution_has_its_mapper_in_s():
    torch.manual_seed(0)
    synthesis = StyleGAN2(16, (8, 6, 4), 8)
    network = with_biases(StyleMapper(synthesis, synthesis.latents))
    s = torch.randn(2, synthesis.s_size)
    parts = np.split(s.numpy().astype(float), np.cumsum([8, 8, 6, 6]), axis=1)  # inputs of the convolutions: 8 8 6 6 4
    names = (0, 2, 3, 5, 6)
    state = network.state_dict()
    expected = [mapper_by_formula(state, f"mapper_{n}.mapping", x, 1) for n, x in zip(names, parts, strict=True)]
    np.testing.assert_allclose(network(s), np.concatenate(expected, 1), rtol=1e-4, atol=1e-5)
    coarse = StyleMapper(synthesis, 2)(s)
    assert not coarse[:, 16:].any()
    assert coarse[:, :16].any()


def test_names_and_sizes_are_those_of_released_files():
    levels = LevelsMapper(512, True, (4, 8)).state_dict()
    wanted = [f"{level}_mapping.mapping.{i}.{part}" for level in ("course", "medium", "fine") for i in range(1, 5)
              for part in ("weight", "bias")]  # fmt: skip
    assert list(levels) == wanted
    assert sum(value.numel() for value in levels.values()) == 3 * 4 * (512 * 512 + 512)
    # All layers at 1024 px are 26; every third from number 1 is a ToRGB.
    assert [released_number(i) for i in range(17)] == [i for i in range(26) if i % 3 != 1]


@pytest.mark.parametrize(("resolution", "rows", "starts"), [(1024, 18, (4, 8)), (256, 14, (4, 8)), (64, 10, (3, 5))])
def test_levels_begin_where_published(resolution, rows, starts):
    synthesis = StyleGAN2(resolution, (2,) * (rows // 2), 2)
    assert synthesis.latents == rows
    assert level_starts(synthesis) == starts
