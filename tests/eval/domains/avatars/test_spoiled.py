"""Spoiled pictures and their labels by hand, and what the second judge and the judge of realism say of them."""

import numpy as np
import pytest
import torch

from eval.domains.avatars.factors import FACTOR_NAMES, VALUES, sample_portraits
from eval.domains.avatars.networks import WEIGHTS, to_float
from eval.domains.avatars.recipes.second_judge import known_cross_entropy
from eval.domains.avatars.recipes.spoiled import NONE, UNKNOWN, shown_value, spoiled_pixels
from eval.domains.avatars.renderer import render
from eval.domains.avatars.weights_io import Weights

COUNT = 40


@pytest.fixture(scope="module")
def people():
    return sample_portraits(COUNT, 987_654, rho=0.0)


@pytest.fixture(scope="module")
def pictures(people):
    return render(people)


def test_what_lies_between_two_values_is_none():
    """On the way t from black to white the nearer end is t² or (1 - t)² of the whole squared distance away."""
    ways = torch.tensor([0.0, 0.2, 0.4, 0.5, 0.9, 1.0, 2.0])
    images = ways[:, None, None, None].expand(-1, 3, 8, 8)
    references = torch.stack([torch.zeros_like(images), torch.ones_like(images)], 1)
    assert shown_value(images, references).tolist() == [0, 0, UNKNOWN, 2, 1, 1, 2]
    hidden = torch.zeros_like(references)
    assert shown_value(images, hidden).tolist() == [UNKNOWN] * 7


def test_spoiled_pictures_claim_nothing(people, pictures):
    spoiled, labels = spoiled_pixels(pictures, people.values, np.random.default_rng(0))
    assert spoiled.shape == (COUNT, 3, 64, 64) and spoiled.dtype == torch.float32
    assert set(np.unique(labels - NONE)) <= {0, *(UNKNOWN - NONE)}
    assert (labels == NONE).mean() > 0.7
    changed = ((spoiled - to_float(pictures)).abs().amax((1, 2, 3)) > 0.1).numpy()
    assert changed.mean() > 0.9
    assert (labels[~changed] == UNKNOWN).all()  # laid over itself, which says nothing


def test_unknown_labels_weigh_nothing():
    """Logits (0, 0, …): the cross-entropy of a factor of V + 1 answers is log(V + 1), whatever the unknown ones are."""
    logits = {name: torch.zeros(2, len(VALUES[name]) + 1) for name in FACTOR_NAMES}
    labels = torch.zeros(2, len(FACTOR_NAMES), dtype=torch.int64)
    labels[1] = UNKNOWN
    expected = np.mean([np.log(len(VALUES[name]) + 1) for name in FACTOR_NAMES])
    assert known_cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def accepted(judge, images, values):
    """Whether the judge accepts these values: bool [N, F]."""
    answers = judge.accepts(images).values()
    return np.stack([answer[range(len(values)), values[:, i]].numpy() for i, answer in enumerate(answers)], 1)


@torch.no_grad()
def test_the_judges_that_are_shipped(people, pictures):
    weights, images = Weights(WEIGHTS), to_float(pictures)
    second, real = weights.second_judge(), weights.realism()
    own = accepted(second, images, people.values)
    assert own[people.visible()].mean() > 0.95
    ghosts = images.flip(0) / 2 + images / 2
    differ = people.values != people.values[::-1]  # where the two persons differ, a ghost shows neither's value
    assert accepted(second, ghosts, people.values)[differ].mean() < 0.5
    assert (real(images) <= 1).float().mean() > 0.95
    assert (real(torch.randn_like(images).clamp(-1, 1)) > 1).all()
