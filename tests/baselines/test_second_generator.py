"""Every editor on a generator that is not StyleGAN2: MobileStyleGAN (arXiv 2104.04767) in miniature, 32 px.

Its styles are affine maps of w without demodulation or ToRGB styles, its widths alternate, and a wavelet step halves
them; it implements ``Synthesis`` and nothing else.
"""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from baselines.controls import Identity, RandomDirection
from baselines.interfacegan import InterFaceGAN
from baselines.mapper_networks import level_starts
from baselines.styleclip_global import StyleClipGlobal
from baselines.styleclip_mapper import StyleClipMapper
from baselines.styleclip_optimization import StyleClipOptimization
from baselines.stylemc import StyleMC
from baselines.tedigan import TediGan
from deltaedit.backbones.latents import Latents
from deltaedit.backbones.synthesis import StyleLayer, Synthesis, style_matrices
from deltaedit.editor import DeltaEdit
from deltaedit.mapper import DeltaMapper, level_indices
from deltaedit.relevance import relevance_matrix
from deltaedit.tools.domain import TrainingSet
from eval.editors.conformance import check_editor

WIDTHS = (16, 16, 4, 16, 16, 4, 16, 16)
SIDES = (4, 8, 8, 8, 16, 16, 16, 32)
D = 8


def inverse_haar(x):
    """[N, 4C, H, W] -> [N, C, 2H, 2W]: of (a, b, c, d) the pixels are half of a±b±c±d."""
    a, b, c, d = x.chunk(4, 1)
    rows = [torch.stack([a + b + c + d, a + b - c - d], -1), torch.stack([a - b + c - d, a - b - c + d], -1)]
    n, channels, height, width = a.shape
    return torch.stack(rows, -2).permute(0, 1, 2, 4, 3, 5).reshape(n, channels, 2 * height, 2 * width) / 2


class Mobile(Synthesis):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)

        def weights(*shape, scale=1.0):
            return nn.Parameter(torch.randn(shape, generator=generator) * scale, requires_grad=False)

        self.resolution, self.w_dim, self.latents = 32, D, len(WIDTHS)
        starts = np.cumsum([0, *WIDTHS]).tolist()
        self.layout = tuple(StyleLayer(SIDES[i], WIDTHS[i], starts[i], i) for i in range(len(WIDTHS)))
        self.layout_rgb = ()
        self.affines = nn.ParameterList(weights(width, D, scale=0.3) for width in WIDTHS)
        self.constant = weights(1, 16, 4, 4)
        self.first = weights(16, 16, 3, 3, scale=1 / 12)
        self.depthwise = nn.ParameterList(weights(width, 1, 3, 3, scale=1 / 3) for width in (4, 16, 4, 16))
        self.pointwise = nn.ParameterList(weights(16, width, 1, 1, scale=width**-0.5) for width in (4, 16, 4, 16))
        self.last = weights(12, 16, 1, 1, scale=0.3)

    def styles(self, w_plus):
        s = [1 + w_plus[:, i] @ affine.T for i, affine in enumerate(self.affines)]
        return torch.cat(s, 1), w_plus.new_zeros(len(w_plus), 0)

    def synthesize(self, s, s_rgb):
        parts = iter(s.split(WIDTHS, 1))

        def styled(x):
            return x * next(parts)[:, :, None, None]

        x = F.conv2d(styled(self.constant.expand(len(s), -1, -1, -1)), self.first, padding=1)
        for block in range(2):
            x = inverse_haar(styled(x))
            for i in (2 * block, 2 * block + 1):
                x = F.conv2d(styled(x), self.depthwise[i], padding=1, groups=x.shape[1])
                x = F.leaky_relu(F.conv2d(x, self.pointwise[i]), 0.2)
        return torch.tanh(inverse_haar(F.conv2d(styled(x), self.last)))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(len(WIDTHS) * D, 192, generator=generator) / 14, requires_grad=False)

    def forward(self, images):
        return (F.adaptive_avg_pool2d(images, 8).flatten(1) @ self.weight.T).view(-1, len(WIDTHS), D)


@pytest.fixture
def domain(tiny_domain):
    """The tiny domain's CLIP and networks for editors, with the second generator."""
    synthesis = Mobile().eval()

    def sample(count, seed):
        rows = [torch.randn(D, generator=torch.Generator().manual_seed(1000 * seed + i)) for i in range(count)]
        return Latents.from_w_plus(synthesis, torch.stack(rows)[:, None].repeat(1, len(WIDTHS), 1))

    def training_set():
        latents = sample(64, 7)
        features = domain.image_features(latents)
        return TrainingSet(latents.s, features, ("sampled",) * 64, latents.w_plus)

    parts = {"synthesis": synthesis, "encoder": Encoder(), "sample": sample, "training_set": training_set}
    domain = dataclasses.replace(tiny_domain.editing, name="second", fingerprint="5" * 64, **parts)
    return domain


EDITORS = {
    "deltaedit": lambda: DeltaEdit(steps=5, relevance_statistics=50, relevance_images=2, threshold=0.0),
    "deltaedit one mapper": lambda: DeltaEdit(steps=5, relevance_statistics=50, relevance_images=2, levels=False),
    "global": lambda: StyleClipGlobal(relevance_images=2, relevance_statistics=50),
    "mapper": lambda: StyleClipMapper(steps=3, images=16),
    "mapper, one": lambda: StyleClipMapper(variant="single", steps=3, images=16),
    "optimization": lambda: StyleClipOptimization(steps=3, lambda_id=0.1),
    "tedigan": lambda: TediGan(steps=3),
    "stylemc": lambda: StyleMC(images=8),
    "interfacegan": InterFaceGAN,
    "identity": Identity,
    "random-direction": lambda: RandomDirection(norm=1.0),
}


@pytest.mark.parametrize("name", EDITORS)
def test_every_editor_keeps_the_contract(domain, tiny_domain, name):
    checks = check_editor(EDITORS[name], domain, domain.sample(3, 1), tiny_domain.prompts[0])
    assert [str(check) for check in checks if not check.passed] == []


def test_deltaedit_can_answer_in_w_plus(domain, tiny_domain):
    editor = DeltaEdit(steps=5, relevance_statistics=50, relevance_images=2, output="W+")
    editor.prepare(domain)
    editor.fit(tiny_domain.prompts[0])
    edited = editor.edit(domain.sample(2, 1), tiny_domain.prompts[0], 1.0)
    assert edited.w_plus.shape == (2, len(WIDTHS), D)
    assert not torch.equal(edited.w_plus, domain.sample(2, 1).w_plus)


def test_sizes_and_images(domain):
    synthesis = domain.synthesis
    assert (synthesis.s_size, synthesis.s_rgb_size) == (sum(WIDTHS), 0)
    latents = domain.sample(2, 0)
    assert latents.s_rgb.shape == (2, 0)
    assert synthesis.up_to(16) is synthesis
    assert torch.equal(synthesis(latents.w_plus), domain.images(latents))


def test_inverse_haar_is_that_of_two_by_two_matrices():
    x = torch.randn(2, 8, 3, 3)
    out = inverse_haar(x)
    for channel in range(2):
        a, b, c, d = (x[:, 2 * part + channel] for part in range(4))
        torch.testing.assert_close(out[:, channel, 0::2, 0::2], (a + b + c + d) / 2)
        torch.testing.assert_close(out[:, channel, 1::2, 1::2], (a - b - c + d) / 2)


def test_relevance_by_the_general_sweep_is_that_of_channel_by_channel(domain):
    latents, mean, std = domain.sample(3, 0), torch.ones(sum(WIDTHS)), torch.full((sum(WIDTHS),), 0.3)
    got = relevance_matrix(domain.synthesis, domain.clip, latents, mean, std, 2.0, batch=7)
    for channel in (0, 17, 33, 50, 103):
        unit = []
        for k in range(3):
            features = []
            for value in (1.6, 0.4):
                s = latents.s[k : k + 1].clone()
                s[0, channel] = value
                image = domain.synthesis.synthesize(s, latents.s_rgb[k : k + 1])
                features.append(domain.clip.encode_images(image)[0].double().numpy())
            difference = features[0] - features[1]
            unit.append(difference / np.linalg.norm(difference))
        row = np.mean(unit, 0)
        assert got[channel].double().numpy() @ row / np.linalg.norm(row) > 1 - 1e-3


def test_matrices_of_the_styles_are_the_affine_weights(domain):
    for matrix, weight in zip(style_matrices(domain.synthesis), domain.synthesis.affines, strict=True):
        torch.testing.assert_close(matrix, weight.double(), atol=1e-6, rtol=1e-5)


def test_layers_of_one_level_and_width_share_a_mapper(domain):
    where = level_indices(domain.synthesis.layout)
    sizes = {name: tuple(index.shape) for name, index in where.items()}
    expected = {"coarse_16": (3, 16), "coarse_4": (1, 4), "medium_16": (3, 16), "medium_4": (1, 4)}
    assert sizes == expected
    assert sorted(torch.cat([index.flatten() for index in where.values()]).tolist()) == list(range(sum(WIDTHS)))


def test_offset_of_layers_that_share_a_mapper_is_the_formula(domain):
    """Each layer through its level's mapper alone, written out; the norm is over its channels."""
    torch.manual_seed(0)
    mapper = DeltaMapper(domain.synthesis.layout, embedding_size=5)
    for name, parameter in mapper.named_parameters():
        if name.endswith("bias"):
            parameter.data = torch.randn(parameter.shape) * 30
    state = {name: value.double().numpy() for name, value in mapper.state_dict().items()}

    def four_layers(prefix, x, norm):
        if norm:
            x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-8)
        for i in range(4):
            weight, bias = (state[f"{prefix}.mapping.{i + norm}.{part}"] for part in ("weight", "bias"))
            x = x @ weight.T * (0.01 / math.sqrt(weight.shape[1])) + bias * 0.01
            x = np.where(x > 0, x, 0.2 * x) * math.sqrt(2)
        return x

    s, condition, expected = torch.randn(4, sum(WIDTHS)), torch.randn(4, 10), []
    for at in domain.synthesis.layout:
        level = f"{'coarse' if at.resolution <= 8 else 'medium'}_{at.channels}"
        styles = four_layers(f"sm_{level}", s[:, at.start : at.stop].double().numpy(), True)
        conditions = four_layers(f"cm_{level}", condition.double().numpy(), True)
        expected.append(four_layers(f"fm_{level}", np.concatenate([styles, conditions], 1), False))
    with torch.no_grad():
        np.testing.assert_allclose(mapper(s, condition).numpy(), np.concatenate(expected, 1), rtol=1e-4, atol=1e-5)


def test_the_mapper_of_the_real_generator_stays_small():
    widths = (512, *(512, 128, 512) * 4, 512, 128, 256, 256, 64, 128, 128, 32, 64, 64)
    sides = (4, *(side for side in (8, 16, 32, 64, 128, 256, 512) for _ in range(3)), 1024)
    starts = np.cumsum([0, *widths]).tolist()
    assert starts[-1] == 6752
    layout = [StyleLayer(sides[i], widths[i], starts[i], i) for i in range(len(widths))]
    with torch.device("meta"):
        mapper = DeltaMapper(layout)
    assert {level.partition("_")[0] for level in mapper.levels} == {"coarse", "medium", "fine"}
    assert 10e6 < sum(parameter.numel() for parameter in mapper.parameters()) < 25e6


def test_rows_of_the_latent_mapper_split_at_8_and_32_px(domain):
    assert level_starts(domain.synthesis) == (4, 8)  # rows of 4, 8, 8, 8; 16, 16, 16, 32 px
