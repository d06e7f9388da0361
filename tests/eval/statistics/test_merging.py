import numpy as np
import pytest

from eval.statistics import LIKE_THESE, THESE_PROMPTS, image_bootstrap, merging, sign_flip_p, two_way_bootstrap
from eval.statistics.merging import groups_of, merged

BOOTSTRAPS = {THESE_PROMPTS: image_bootstrap, LIKE_THESE: two_way_bootstrap}


def skewed(images, prompts=2, seed=0):
    """Cells with effects of images that have a long tail, a tenth of them missing: float64 [1, images, prompts]."""
    rng = np.random.default_rng(seed)
    values = rng.exponential(size=(1, images, 1)) + rng.normal(size=(1, images, prompts))
    return np.where(rng.random(values.shape) < 0.1, np.nan, values)


def test_groups_hold_every_image_once_and_are_of_equal_size():
    assert groups_of(1000) == 1000
    assert groups_of(1001) == 1000
    sums = 2.0 ** np.arange(40)  # a sum tells which images are in it
    many = np.concatenate([sums, np.zeros(2460)])
    found = merged(many)
    assert found.shape == (1000,)
    assert found.sum() == sums.sum()
    assert set(merged(np.ones(2500)).tolist()) == {2.0, 3.0}
    assert merged(sums) is sums


@pytest.mark.parametrize("population", BOOTSTRAPS)
def test_intervals_of_groups_are_those_of_images(population, monkeypatch):
    values, bootstrap = skewed(3000, 10 if population == LIKE_THESE else 2), BOOTSTRAPS[population]
    grouped = bootstrap(values, np.random.default_rng(0), draws=1000)
    monkeypatch.setattr(merging, "MOST", 10_000)
    single = bootstrap(values, np.random.default_rng(0), draws=1000)
    assert grouped.mean == single.mean
    assert grouped.standard_error == single.standard_error
    # The 95 % quantile of 1,000 draws has a standard error of 2 %.
    assert grouped.high - grouped.mean == pytest.approx(single.high - single.mean, rel=0.06)
    if population == THESE_PROMPTS:
        assert grouped.high - grouped.mean == pytest.approx(1.96 * grouped.standard_error, rel=0.05)


@pytest.mark.parametrize("population", BOOTSTRAPS)
def test_p_values_of_groups_are_those_of_images(population, monkeypatch):
    centred = np.concatenate([skewed(3000, 10, seed) - np.nanmean(skewed(3000, 10, seed)) for seed in range(3)])
    error = 1 / np.sqrt(3000)
    differences = centred + np.array([0.5, 1.0, 2.0])[:, None, None] * error * 1.05  # standard error of the mean
    grouped = sign_flip_p(differences, population, np.random.default_rng(0), 2000)
    monkeypatch.setattr(merging, "MOST", 10_000)
    single = sign_flip_p(differences, population, np.random.default_rng(0), 2000)
    assert grouped == pytest.approx(single, abs=0.05)


def test_p_of_groups_is_uniform_without_a_difference():
    """700 tests of 2,000 images in which no editor differs: 5 % lie below .05."""
    differences = np.random.default_rng(1).standard_t(4, (700, 2000, 1))
    p_values = sign_flip_p(differences, THESE_PROMPTS, np.random.default_rng(2), 1000)
    assert (p_values < 0.05).mean() == pytest.approx(0.05, abs=0.025)  # three standard errors
    assert (p_values < 0.5).mean() == pytest.approx(0.5, abs=0.06)
