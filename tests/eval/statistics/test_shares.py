import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.statistics.shares import (
    beta_binomial_interval,
    clustered_share_interval,
    difference_interval,
    share_interval,
)


def by_scipy(hits, trials, quantile):
    """The same interval from scipy's beta-binomial, its optimiser and its root finder."""

    def profile(mean):
        def loss(log_weight):
            weight = np.exp(log_weight)
            return -scipy.stats.betabinom.logpmf(hits, trials, mean * weight, (1 - mean) * weight).sum()

        return -scipy.optimize.minimize_scalar(loss, bounds=(-6, 9), method="bounded", options={"xatol": 1e-6}).fun

    best = scipy.optimize.minimize_scalar(lambda m: -profile(m), bounds=(1e-4, 1 - 1e-4), method="bounded")
    threshold = profile(best.x) - quantile**2 / 2
    ends = [scipy.optimize.brentq(lambda m: profile(m) - threshold, *sorted((best.x, end))) for end in (1e-6, 1 - 1e-6)]
    return tuple(ends)


@pytest.mark.parametrize(
    ("hits", "trials"),
    [
        ([18, 20, 19, 12, 20, 17, 20, 20], [20] * 8),  # mostly easy prompts
        ([3, 9, 14, 20, 1, 17], [20] * 6),  # very unequal ones
        ([44, 47, 45, 46, 44], [50] * 5),  # alike
        ([1, 0, 0, 2, 0, 0, 0, 1, 0, 5], [16, 15, 12, 16, 16, 9, 16, 16, 11, 16]),
    ],
)
def test_interval_of_beta_binomial_counts_equals_scipy(hits, trials):
    hits, trials = np.array(hits), np.array(trials)
    found = beta_binomial_interval(hits / trials, trials.astype(float), 2.1)
    assert found == pytest.approx(by_scipy(hits, trials, 2.1), abs=0.004)


def test_alike_clusters_are_one_large_sample():
    """Less spread than chance would give: the likelihood ratio of one binomial."""
    found = beta_binomial_interval(np.full(10, 0.8), np.full(10, 20.0), 1.96)

    def excess(mean):
        ratio = 160 * np.log(0.8 / mean) + 40 * np.log(0.2 / (1 - mean))
        return 2 * ratio - 1.96**2

    expected = scipy.optimize.brentq(excess, 0.5, 0.8), scipy.optimize.brentq(excess, 0.8, 0.99)
    assert found == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize(("two_way", "clusters"), [(False, 20), (True, 4)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_unanimous_cells_are_as_many_trials_as_clusters(two_way, clusters, value):
    found = clustered_share_interval(np.full((20, 4), value), two_way=two_way, tail=0.025)
    exact = scipy.stats.binomtest(int(value * clusters), clusters).proportion_ci(0.95, "exact")
    assert found == pytest.approx((exact.low, exact.high))


tables = st.tuples(st.integers(0, 10**6), st.integers(2, 25), st.integers(2, 9), st.booleans(), st.floats(0, 4))


@settings(max_examples=60, deadline=None)
@given(tables)
def test_properties(table):
    seed, images, prompts, fractions, spread = table
    rng = np.random.default_rng(seed)
    latent = spread * rng.normal(size=(1, prompts)) + rng.normal(size=(4 if fractions else 1, images, prompts))
    values = (latent > -1).mean(0)
    values[rng.random(values.shape) < 0.2] = np.nan
    if np.isnan(values).all(0).any() or np.isnan(values).all(1).any():
        return
    for two_way in (False, True):
        low, high = clustered_share_interval(values, two_way=two_way, tail=0.025)
        assert 0 <= low <= np.nanmean(values) <= high <= 1
        assert high > low
        mirrored = clustered_share_interval(1 - values, two_way=two_way, tail=0.025)
        assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-6)
        shuffled = rng.permuted(values, axis=0) if prompts == 1 else values[rng.permutation(images)]
        assert clustered_share_interval(shuffled, two_way=two_way, tail=0.025) == pytest.approx((low, high), abs=1e-6)


def test_cells_of_an_image_that_repeat_it_add_nothing():
    once = (np.random.default_rng(0).random((40, 1)) < 0.8).astype(float)
    single = clustered_share_interval(once, two_way=False, tail=0.025)
    repeated = clustered_share_interval(np.repeat(once, 16, axis=1), two_way=False, tail=0.025)
    assert repeated[0] == pytest.approx(single[0], abs=0.03)
    assert repeated[1] == pytest.approx(single[1], abs=0.03)


def test_hard_prompts_that_a_sample_may_miss():
    """Prompts that differ by 1, cells by 0.5; 97 % of cells are below the threshold. Eight prompts are drawn."""
    rng = np.random.default_rng(1)
    threshold = scipy.stats.norm.ppf(0.97) * np.hypot(1.0, 0.5)
    covered = 0
    for _ in range(200):
        values = (rng.normal(size=8) + 0.5 * rng.normal(size=(30, 8)) < threshold).astype(float)
        low, high = clustered_share_interval(values, two_way=True, tail=0.025)
        covered += low <= 0.97 <= high
    assert covered >= 0.92 * 200


def test_one_prompt_that_is_less_easy_warns_of_harder_ones():
    """Seven prompts of 30 hits and one of 26: from the standard error alone the interval would begin at 0.88."""
    values = np.ones((30, 8))
    values[:4, 3] = 0.0
    mean, error = values.mean(), values.mean(0).std(ddof=1) / np.sqrt(8)
    low, _ = clustered_share_interval(values, two_way=True, tail=0.025)
    assert low < share_interval(mean, error, 7, 0.025)[0] - 0.02


def test_one_cell_an_image_are_independent_trials():
    """95 hits of 100 images, spread over two prompts that share none."""
    values = np.full((100, 2), np.nan)
    values[:60, 0], values[60:, 1] = 1.0, 1.0
    values[:5, 0] = 0.0
    wilson = scipy.stats.binomtest(95, 100).proportion_ci(0.95, "wilson")
    found = clustered_share_interval(values, two_way=False, tail=0.025)
    assert found == pytest.approx((wilson.low, wilson.high), abs=0.01)


def test_a_difference_of_independent_images_is_newcombes():
    """Pairs of hits and misses: 12 gains and 4 losses of 80; Newcombe (1998) from intervals of the two shares."""
    values = np.r_[np.ones(12), -np.ones(4), np.zeros(64)][:, None]
    gains, losses = (
        clustered_share_interval((values == sign).astype(float), two_way=False, tail=0.025) for sign in (1, -1)
    )
    up, down = 12 / 80, 4 / 80
    phi = -up * down / np.sqrt(up * (1 - up) * down * (1 - down))  # a cell is no gain and loss at once
    below = (up - gains[0]) ** 2 + (losses[1] - down) ** 2 - 2 * phi * (up - gains[0]) * (losses[1] - down)
    above = (gains[1] - up) ** 2 + (down - losses[0]) ** 2 - 2 * phi * (gains[1] - up) * (down - losses[0])
    found = difference_interval(values, two_way=False, tail=0.025)
    assert found == pytest.approx((0.1 - np.sqrt(below), 0.1 + np.sqrt(above)))


@pytest.mark.parametrize("two_way", [False, True])
def test_a_difference_turns_round_with_its_editors_and_is_never_empty(two_way):
    rng = np.random.default_rng(0)
    values = rng.choice([-1.0, 0.0, 0.0, 1.0, np.nan], size=(25, 10))
    low, high = difference_interval(values, two_way=two_way, tail=0.025)
    assert -1 <= low < np.nanmean(values) < high <= 1
    assert difference_interval(-values, two_way=two_way, tail=0.025) == pytest.approx((-high, -low))
    low, high = difference_interval(0 * values, two_way=two_way, tail=0.025)
    exact = scipy.stats.binomtest(0, 10 if two_way else 25).proportion_ci(0.95, "exact").high
    assert (low, high) == pytest.approx((-exact, exact))


def test_shares_of_seven_factors_on_one_prompt_count_as_so_many_trials():
    """One prompt, 30 images of 7 independent factors: about the interval of 210 trials."""
    values = (np.random.default_rng(3).random((7, 30, 1)) < 0.9).mean(0)
    exact = scipy.stats.binomtest(round(210 * values.mean()), 210).proportion_ci(0.95, "exact")
    found = clustered_share_interval(values, two_way=False, tail=0.025)
    assert found == pytest.approx((exact.low, exact.high), abs=0.025)
