import numpy as np
import pytest
import torch

from eval.metrics.attributes import attribute_change, log_odds


def log_odds_by_probability(logits):
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return np.log(p / (1 - p))


def test_log_odds_are_those_of_the_softmax():
    logits = np.random.default_rng(0).standard_normal((6, 4))
    assert log_odds(torch.from_numpy(logits)).numpy() == pytest.approx(log_odds_by_probability(logits))


def test_log_odds_of_a_sure_judge_are_finite():
    assert log_odds(torch.tensor([[200.0, 0.0, -200.0]])).tolist() == [[200.0, -200.0, -400.0]]


def test_log_odds_of_a_single_logit_are_the_logit():
    assert log_odds(torch.tensor([[2.5], [-1.0]])).tolist() == [[2.5], [-1.0]]


@pytest.fixture
def change():
    """Three factors (target: the first, value 1) and three images.

    Image 0: edited, hair flips. Image 1: had the value already. Image 2: nothing changes, hair and target are hidden.
    """
    before = {
        "glasses": torch.tensor([[2.0, 0], [0, 3], [1, 0]]),
        "hair": torch.tensor([[1.0, 0], [0, 1], [0, 1]]),
        "mouth": torch.tensor([[0.0, 0.5], [4, 0], [0, 4]]),
    }
    after = {
        "glasses": torch.tensor([[0.0, 1], [0, 4], [1, 0]]),
        "hair": torch.tensor([[0.0, 2], [0, 2], [0, 1]]),
        "mouth": torch.tensor([[0.0, 1.5], [1, 0], [0, 4]]),
    }
    sigma = {"glasses": torch.tensor([1.0, 2]), "hair": torch.tensor([3.0, 1]), "mouth": torch.tensor([2.0, 2])}
    visible = torch.tensor([[True, True, True], [True, True, True], [False, False, True]])
    return attribute_change(before, after, sigma, visible, (0, 1))


def test_eligibility_and_success(change):
    assert change.eligible.tolist() == [True, False, False]
    assert change.success.tolist() == [True, True, False]


def test_target_effect_in_sigma(change):
    # two values: the log-odds of value 1 are logit 1 - logit 0: -2 -> 1, 3 -> 4, unchanged; over σ 2
    assert change.target_effect.tolist() == pytest.approx([1.5, 0.5, 0])


def test_effects_are_means_over_the_values(change):
    # image 0: hair 1 -> -2: 3/3 and 3/1, mean 2; mouth 0.5 -> 1.5: 1/2; glasses 3/1 and 3/2, mean 2.25
    assert change.effects[0].tolist() == pytest.approx([2.25, 2, 0.5])
    # image 1: hair 1 -> 2: 1/3 and 1, mean 2/3; mouth 4 -> 1: 1.5
    assert change.effects[1].tolist() == pytest.approx([0.75, 2 / 3, 1.5])
    assert change.effects[2].isnan().tolist() == [True, True, False]


def test_attribute_dependency_leaves_out_the_target_and_what_is_hidden(change):
    assert change.ad_mean.tolist() == pytest.approx([1.25, (2 / 3 + 1.5) / 2, 0])
    assert change.ad_max.tolist() == pytest.approx([2, 1.5, 0])


def test_kept_is_the_share_of_unflipped_factors(change):
    assert change.preservation.tolist() == [0.5, 1, 1]
    assert change.preserved.nan_to_num(nan=-1).tolist() == [[-1, 0, 1], [-1, 1, 1], [-1, -1, 1]]


def test_without_other_visible_factors_there_is_no_collateral():
    logits = {"a": torch.tensor([[0.0, 1.0]]), "b": torch.tensor([[0.0, 1.0]])}
    sigma = {"a": torch.ones(2), "b": torch.ones(2)}
    change = attribute_change(logits, logits, sigma, torch.tensor([[True, False]]), (0, 0))
    assert change.eligible.tolist() == [True]
    assert torch.stack([change.ad_mean, change.ad_max, change.preservation]).isnan().all()


def test_doing_nothing_has_no_effect_and_keeps_everything():
    logits = {"a": torch.randn(4, 3), "b": torch.randn(4, 2)}
    sigma = {"a": torch.ones(3), "b": torch.ones(2)}
    change = attribute_change(logits, logits, sigma, torch.ones(4, 2, dtype=torch.bool), (1, 0))
    assert change.target_effect.tolist() == [0] * 4
    assert change.ad_max.tolist() == [0] * 4
    assert change.preservation.tolist() == [1] * 4
    assert not (change.eligible & change.success).any()
