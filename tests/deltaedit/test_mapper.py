import math

import numpy as np
import pytest
import torch

from deltaedit.backbones.stylegan2 import StyleGAN2, config_f
from deltaedit.mapper import DeltaMapper, level_indices


def layout_of(resolution, channels=None):
    with torch.device("meta"):
        return StyleGAN2(resolution, channels, 512 if channels is None else 8).layout


def level_sizes(layout):
    return {level: tuple(where.shape) for level, where in level_indices(layout).items()}


def leaky(x):
    return np.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def numpy_mapper(state, prefix, x, norm):
    """Four layers by the formula, PixelNorm over axis 1 as the released code has it."""
    if norm:
        x = x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-8)
    for i in range(4):
        weight, bias = (state[f"{prefix}.mapping.{i + norm}.{name}"].double().numpy() for name in ("weight", "bias"))
        x = leaky(x @ weight.T * (0.01 / math.sqrt(weight.shape[1])) + bias * 0.01)
    return x


def published_shapes():
    """Shapes of the released ``net_face.pth``, written from the paper's table."""
    shapes = {}
    for module, first in (("sm", 1), ("cm", 1), ("fm", 0)):
        for level, length in (("coarse", 512), ("medium", 512), ("fine", 2464)):
            inputs = {"sm": length, "cm": 1024, "fm": 2 * length}[module]
            for i in range(4):
                key = f"{module}_{level}.mapping.{first + i}"
                shapes[f"{key}.weight"] = (length, inputs if i == 0 else length)
                shapes[f"{key}.bias"] = (length,)
    return shapes


def test_keys_and_shapes_at_1024_px_are_the_published_ones():
    with torch.device("meta"):
        mapper = DeltaMapper(layout_of(1024))
    shapes = {key: tuple(value.shape) for key, value in mapper.state_dict().items()}
    assert list(shapes.items()) == list(published_shapes().items())
    assert round(sum(p.numel() for p in mapper.parameters()) / 1e6, 2) == 82.76


@pytest.mark.parametrize(("resolution", "fine"), [(1024, 2464), (512, 2368), (256, 2176)])
def test_levels_of_config_f(resolution, fine):
    assert config_f(resolution)[:5] == (512,) * 5
    assert level_sizes(layout_of(resolution)) == {"coarse": (3, 512), "medium": (4, 512), "fine": (1, fine)}


@pytest.mark.parametrize(
    ("channels", "sizes"),
    [
        ((128, 128, 128, 64, 32), {"coarse": (3, 128), "medium": (3, 128), "fine": (1, 160)}),
        ((8, 8, 8), {"coarse": (3, 8), "medium": (2, 8)}),
        ((8, 8), {"coarse": (3, 8)}),
        ((8, 4), {"coarse": (2, 8), "fine": (1, 4)}),
    ],
)
def test_levels_of_small_generators(channels, sizes):
    assert level_sizes(layout_of(2 ** (len(channels) + 1), channels)) == sizes


@pytest.mark.parametrize("channels", [(6, 6, 6, 4, 2), (6, 6), (6, 4)])
def test_output_is_the_formula(channels):
    layout = layout_of(2 ** (len(channels) + 1), channels)
    torch.manual_seed(0)
    mapper = DeltaMapper(layout, embedding_size=5)
    for name, parameter in mapper.named_parameters():
        if name.endswith("bias"):
            parameter.data = torch.randn(parameter.shape) * 30
    s, condition = torch.randn(4, layout[-1].stop), torch.randn(4, 10)
    state, parts, start = mapper.state_dict(), [], 0
    for level, (count, length) in level_sizes(layout).items():
        styles = s[:, start : start + count * length].double().numpy()
        start += count * length
        conditions = numpy_mapper(state, f"cm_{level}", condition.double().numpy(), True)
        if level == "fine":
            both = np.concatenate([numpy_mapper(state, "sm_fine", styles, True), conditions], 1)
            parts.append(numpy_mapper(state, "fm_fine", both, False))
            continue
        seen = numpy_mapper(state, f"sm_{level}", styles.reshape(4, count, length), True)
        layers = [np.concatenate([seen[:, i], conditions], 1) for i in range(count)]
        parts += [numpy_mapper(state, f"fm_{level}", layer, False) for layer in layers]
    with torch.no_grad():
        np.testing.assert_allclose(mapper(s, condition).numpy(), np.concatenate(parts, 1), rtol=1e-4, atol=1e-5)


def test_a_batch_equals_its_rows():
    layout = layout_of(64, (6, 6, 6, 4, 2))
    mapper = DeltaMapper(layout, embedding_size=5)
    s, condition = torch.randn(3, layout[-1].stop), torch.randn(3, 10)
    rows = torch.cat([mapper(s[i : i + 1], condition[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(mapper(s, condition), rows)


def test_without_levels_one_mapper_takes_all_styles():
    layout = layout_of(64, (6, 6, 6, 4, 2))
    mapper = DeltaMapper(layout, embedding_size=5, levels=False)
    assert set(mapper.levels) == {"fine"}
    assert mapper(torch.randn(2, layout[-1].stop), torch.randn(2, 10)).shape == (2, layout[-1].stop)
