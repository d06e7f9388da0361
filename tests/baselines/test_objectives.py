import dataclasses
import math

import pytest
import torch

from baselines.objectives import (
    block_size,
    clip_distance,
    gradients,
    identity_distance,
    in_blocks,
    needed_identity,
    ramped_rate,
)
from deltaedit.backbones.stylegan2 import StyleGAN2


@pytest.mark.parametrize("outside", [torch.no_grad, torch.inference_mode])
def test_gradients_are_recorded_whatever_the_caller_runs_under(outside):
    with outside():
        given = torch.tensor([3.0])
        with gradients():
            x = given.clone().requires_grad_()
            (slope,) = torch.autograd.grad(x.square().sum(), x)
        assert not torch.is_grad_enabled()
    assert slope.tolist() == [6.0]


def test_distances_are_one_minus_the_cosine():
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-0.6, 0.8]])
    torch.testing.assert_close(clip_distance(features, torch.tensor([1.0, 0.0])), torch.tensor([0.0, 1.0, 1.6]))
    sources = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.6, 0.8]])
    torch.testing.assert_close(identity_distance(features, sources), torch.tensor([1.0, 0.0, 0.72]))


def test_the_rate_is_that_of_the_projector():
    for step in range(300):
        t = step / 300
        down = 0.5 - 0.5 * math.cos(min(1, (1 - t) / 0.25) * math.pi)
        assert ramped_rate(t, 0.1) == pytest.approx(0.1 * down * min(1, t / 0.05), abs=1e-15)


def test_blocks_are_full_and_in_order():
    seen = []

    def work(block):
        seen.append(block.flatten().tolist())
        return block * 10

    joined = in_blocks(work, torch.arange(5.0)[:, None], 2)
    assert seen == [[0, 1], [2, 3], [4, 4]]
    assert joined.flatten().tolist() == [0, 10, 20, 30, 40]
    assert in_blocks(work, torch.zeros(0, 1), 2).shape == (0, 1)


def test_published_sizes_go_one_by_one():
    assert block_size(StyleGAN2(256, (4,) * 7, 4)) == 1
    assert block_size(StyleGAN2(128, (4,) * 6, 4)) == 10


def test_an_identity_term_needs_an_identity_network(tiny_domain):
    without = dataclasses.replace(tiny_domain.editing, identity=None)
    assert needed_identity(without, "stylemc", 0.0) is None
    assert needed_identity(tiny_domain.editing, "stylemc", 0.5) is tiny_domain.editing.identity
    with pytest.raises(ValueError, match=r"stylemc has an identity term of weight 0.5, but the domain 'tiny' has no"):
        needed_identity(without, "stylemc", 0.5)
