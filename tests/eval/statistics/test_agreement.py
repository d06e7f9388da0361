"""Agreement of verdicts, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, precision_score, recall_score

from eval.statistics import interval_of_mean
from eval.statistics.agreement import agreement


def test_equal_to_scikit_learn():
    rng = np.random.default_rng(0)
    true = rng.random(60) < 0.7
    said = np.where(rng.random(60) < 0.8, true, ~true)
    images, prompts = np.repeat(np.arange(15), 4), np.tile(["a", "b", "c", "d"], 15)
    found = agreement(said, true, images, prompts)
    assert found.share.mean == pytest.approx((said == true).mean())
    assert found.kappa.mean == pytest.approx(cohen_kappa_score(true, said))
    assert found.confirmed.mean == pytest.approx(precision_score(true, said))
    assert found.refused.mean == pytest.approx(precision_score(~true, ~said))
    assert recall_score(true, said) != pytest.approx(precision_score(true, said))  # else the roles could be swapped
    assert found.share == interval_of_mean((said == true).astype(float), images, prompts, share=True)


def test_the_interval_of_kappa_by_hand():
    """Both say yes in half of the cells: chance is a half, and kappa twice the share less one."""
    true = np.array([True, False] * 10)
    said = true.copy()
    said[:2] = ~said[:2]
    found = agreement(said, true, np.arange(20))
    for end in ("mean", "low", "high"):
        assert getattr(found.kappa, end) == pytest.approx(2 * getattr(found.share, end) - 1)
    assert found.kappa.mean == pytest.approx(0.8)


def test_what_no_number_can_be_had_of():
    always = agreement([True] * 5, [True] * 5, range(5))
    assert always.share.mean == 1 and always.kappa.mean is None and always.refused.mean is None
    none = agreement([], [], [])
    assert none.share.mean is None and none.kappa.mean is None
