import numpy as np
import pytest
import torch

from eval.metrics.identity import floor_and_ceiling, identity_similarity


def test_is_the_cosine():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 5, 7))
    expected = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    found = identity_similarity(torch.from_numpy(first), torch.from_numpy(second))
    assert found.numpy() == pytest.approx(expected)


def test_of_opposite_and_equal_embeddings():
    x = torch.tensor([[3.0, 4.0]])
    assert identity_similarity(x, 2 * x).item() == pytest.approx(1)
    assert identity_similarity(x, -x).item() == pytest.approx(-1)


def test_floor_and_ceiling_are_means_over_pairs():
    # persons a, a, b at 0°, 60°, 90°: same cos 60° = 0.5; different cos 90° = 0 and cos 30° = 0.866
    angles = torch.deg2rad(torch.tensor([0.0, 60.0, 90.0]))
    floor, ceiling = floor_and_ceiling(torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([0, 0, 1]))
    assert ceiling == pytest.approx(0.5)
    assert floor == pytest.approx(np.sqrt(3) / 4)


def test_one_person_has_no_floor():
    assert np.isnan(floor_and_ceiling(torch.eye(2), torch.tensor([1, 1]))[0])
