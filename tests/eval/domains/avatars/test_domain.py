import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from eval.domains.avatars import datasets
from eval.domains.avatars.domain import EDITING_NETWORKS, JUDGE_NETWORKS, load
from eval.domains.avatars.factors import FACTOR_NAMES, VALUES
from eval.domains.avatars.networks import EDITING_CLIP, WEIGHTS, build_clip
from eval.domains.avatars.renderer import render
from eval.domains.avatars.weights_io import Weights, avatar_clip
from eval.metrics.counterfactual import psnr


@pytest.fixture(scope="module")
def domain():
    return load()


@pytest.fixture(scope="module")
def sources(domain):
    return domain.test_sources(24)


def prompt_of(domain, name):
    return next(prompt for prompt in domain.prompts if prompt.name == name)


def test_every_prompt_asks_for_a_value_that_exists(domain):
    assert len(domain.prompts) >= 16
    for prompt in domain.prompts:
        assert prompt.value in VALUES[prompt.attribute]


def test_no_network_both_edits_and_judges(domain):
    assert not set(EDITING_NETWORKS) & set(JUDGE_NETWORKS)
    prints = domain.fingerprints
    assert len({prints[name] for name in (*EDITING_NETWORKS, *JUDGE_NETWORKS)}) == 11
    assert domain.judges.fingerprints == {name: prints[name] for name in JUDGE_NETWORKS}


def test_test_portraits_are_those_of_their_own_set(domain, sources):
    people = datasets.portraits("test", 24)
    expected = torch.from_numpy(render(people)).permute(0, 3, 1, 2) / 127.5 - 1
    torch.testing.assert_close(sources.images, expected, atol=1e-6, rtol=0)
    others = np.concatenate([datasets.portraits(name, 500).geometry for name in ("train", "judge", "calibration")])
    assert not (people.geometry[:, None] == others[None]).all(-1).any()


def test_inversions_are_the_same_portraits(domain, sources):
    pictures = domain.editing.images(sources.latents).clamp(-1, 1)
    assert float(psnr(pictures, sources.images).mean()) >= 22
    read = domain.judges.attributes(pictures)
    people = datasets.portraits("test", 24)
    right = np.stack([read[factor].argmax(1).numpy() for factor in FACTOR_NAMES], 1) == people.values
    assert right[people.visible()].mean() >= 0.95


def test_the_counterfactual_has_what_was_asked_for_and_nothing_else(domain):
    prompt = prompt_of(domain, "glasses")
    answer = domain.counterfactuals("test", 24, prompt)
    people = datasets.portraits("test", 24)
    read = {factor: logits.argmax(1).numpy() for factor, logits in domain.judges.attributes(answer).items()}
    assert (read["accessories"] == VALUES["accessories"].index("glasses")).all()
    mouth = FACTOR_NAMES.index("mouth")
    assert (read["mouth"] == people.values[:, mouth]).mean() >= 0.95


def test_answers_differ_from_the_sources_only_inside_the_region(domain, sources):
    for name in ("glasses", "open-mouth", "black-clothes"):
        prompt = prompt_of(domain, name)
        region = domain.region("test", 1, prompt)
        changed = (domain.counterfactuals("test", 24, prompt) - sources.images).abs().amax(1) > 0.1
        assert 0 < region.mean() < 0.6
        assert changed[:, ~torch.from_numpy(region)].float().mean() < 0.002


def test_editors_in_s_reach_everything(domain):
    latents = domain.sample(8, 3)
    assert torch.allclose(latents.s_rgb, latents.s_rgb[:1].expand_as(latents.s_rgb), atol=1e-5)
    assert latents.s.std(0).max() > 0.1


def test_samples_depend_on_their_seed_only(domain):
    a, b, c = domain.sample(3, 1), domain.sample(3, 1), domain.sample(3, 2)
    assert torch.equal(a.s, b.s) and not torch.equal(a.s, c.s)


@pytest.mark.parametrize(
    ("network", "measurement", "required"),
    [
        ("attribute-judge", "accuracy on visible factors: mean", 0.99),
        ("generator", "judge reads the code's value: mean", 0.98),
        ("encoder", "judge reads the inverted value: mean", 0.95),
        ("editing-clip", "zero-shot accuracy on visible factors: mean", 0.95),
        ("judge-clip", "zero-shot accuracy on visible factors: mean", 0.95),
        ("identity", "verification AUC", 0.98),
    ],
)
def test_cards_record_networks_that_are_good_enough(domain, network, measurement, required):
    assert domain.card(network)["measured"][measurement] >= required


def test_judges_that_share_a_network_say_what_each_says_alone(domain, sources):
    judges = domain.judges
    with torch.inference_mode():
        clip, second = judges.clip_and_second(sources.images)
        frechet, realism = judges.frechet_and_realism(sources.images)
        torch.testing.assert_close(clip, judges.clip.encode_images(sources.images))
        alone = judges.second(sources.images)
        assert all(torch.equal(second[factor], alone[factor]) for factor in VALUES)
        torch.testing.assert_close(frechet, judges.frechet(sources.images))
        torch.testing.assert_close(realism, judges.realism(sources.images))
        assert not judges.clip.model.visual.transformer.resblocks[1]._forward_hooks


def test_norms_in_kernels_change_nothing_but_rounding(sources):
    """Against PyTorch's own batch norm after the convolution, and open_clip's whole network as it was stored."""
    weights = Weights(WEIGHTS)
    block, x = weights.features("perceptual").trunk.blocks[0], sources.images
    with torch.inference_mode():
        expected = F.relu(block.norm2(block.second(F.relu(block.norm1(block.first(x))))))
        torch.testing.assert_close(block(x), expected, atol=1e-4, rtol=1e-4)
        plain = build_clip(EDITING_CLIP)
        weights.restore("editing-clip", plain)
        torch.testing.assert_close(
            weights.clip("editing-clip").encode_images(x), avatar_clip(plain).encode_images(x), atol=1e-5, rtol=0
        )
    assert not any(isinstance(part, nn.BatchNorm2d) for part in weights.clip("editing-clip").model.modules())
