import numpy as np
import pytest
import scipy.stats

from eval.statistics import image_bootstrap, minimum_detectable_effect, two_way_bootstrap
from eval.statistics.bootstrap import _image_statistics, _two_way_statistics, share_interval
from eval.statistics.variance import cluster_variance, two_way_variance


def cells(images=12, prompts=10, missing=0.2, seed=0):
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=(2, images, 1)) + rng.normal(size=(2, 1, prompts))
    values = 1 + effects + rng.normal(size=(2, images, prompts))
    values[rng.random(values.shape) < missing] = np.nan
    return values


def test_image_variance_is_that_of_image_means_when_no_cell_is_missing():
    values = cells(missing=0)
    image_means = values.mean(2)
    assert np.allclose(cluster_variance(values, 1), image_means.var(1, ddof=1) / 12)


def test_two_way_variance_by_loops():
    values = cells()[0]
    table = [(i, p, v) for (i, p), v in np.ndenumerate(values) if not np.isnan(v)]
    mean = sum(v for *_, v in table) / len(table)

    def part(key):
        residuals = {}
        for row in table:
            residuals[key(row)] = residuals.get(key(row), 0) + row[2] - mean
        groups = len(residuals)
        return sum(r**2 for r in residuals.values()) / len(table) ** 2 * groups / (groups - 1)

    image, prompt, cell = part(lambda r: r[0]), part(lambda r: r[1]), part(lambda r: r[:2])
    expected = max(image, prompt, image + prompt - cell)
    assert np.isclose(two_way_variance(values[None])[0], expected)


@pytest.mark.parametrize("two_way", [False, True])
def test_a_weighted_draw_equals_the_copied_cells(two_way):
    values = cells(6, 5, seed=3)
    image_weights = np.array([[2.0, 0, 1, 1, 2, 0]])
    prompt_weights = np.array([[0.0, 2, 1, 1, 1]]) if two_way else np.ones((1, 5))
    images, prompts = (np.repeat(np.arange(w.size), w[0].astype(int)) for w in (image_weights, prompt_weights))
    copied = values[:, images][:, :, prompts]
    if two_way:
        found = _two_way_statistics(values, image_weights, prompt_weights)
    else:
        found = _image_statistics(values, image_weights)
    for metric in range(2):
        draw, original = copied[metric], values[metric]
        mean, count = np.nanmean(draw), (~np.isnan(draw)).sum()
        residuals = np.nan_to_num(draw - mean)
        # The factors G/(G-1) are those of the experiment, not of the draw: 6 images, 5 prompts.
        by_image, by_prompt = (residuals.sum(1) ** 2).sum() * 6 / 5, (residuals.sum(0) ** 2).sum() * 5 / 4
        squares = max(by_image, by_prompt, by_image + by_prompt - (residuals**2).sum()) if two_way else by_image
        assert np.isclose(found[0, metric], (mean - np.nanmean(original)) * count / np.sqrt(squares))


def test_interval_of_independent_normal_images_is_that_of_student():
    values = np.random.default_rng(1).normal(5, 2, size=(1, 150, 1))
    found = image_bootstrap(values, np.random.default_rng(0), draws=20_000)
    low, high = scipy.stats.t.interval(0.95, 149, values.mean(), scipy.stats.sem(values[0, :, 0]))
    assert abs(found.low[0] - low) < 0.05 * (high - low)
    assert abs(found.high[0] - high) < 0.05 * (high - low)


@pytest.mark.parametrize("two_way", [False, True])
def test_ends_are_the_quantile_of_absolute_studentised_draws(two_way):
    values = cells(15, 9, missing=0.1, seed=4)
    method = two_way_bootstrap if two_way else image_bootstrap
    found = method(values, np.random.default_rng(0), draws=300)
    rng = np.random.default_rng(0)
    image_weights = rng.multinomial(15, np.full(15, 1 / 15), size=300).astype(float)
    if two_way:
        prompt_weights = rng.multinomial(9, np.full(9, 1 / 9), size=300).astype(float)
        draws = _two_way_statistics(values, image_weights, prompt_weights)
    else:
        draws = _image_statistics(values, image_weights)
    for metric in range(2):
        quantile = sorted(abs(draws[:, metric]))[284]  # the 285th of 300
        assert found.high[metric] - found.mean[metric] == pytest.approx(quantile * found.standard_error[metric])
        assert found.mean[metric] - found.low[metric] == pytest.approx(quantile * found.standard_error[metric])


def test_cells_of_one_image_count_as_one():
    one_each = np.random.default_rng(1).normal(size=(1, 40, 1))
    single = image_bootstrap(one_each, np.random.default_rng(0))
    repeated = image_bootstrap(np.repeat(one_each, 16, axis=2), np.random.default_rng(0))
    assert np.allclose(single.low, repeated.low)
    assert np.allclose(single.high, repeated.high)


def test_unequal_prompts_widen_only_the_interval_of_prompts_like_these():
    rng = np.random.default_rng(0)
    values = 3.0 * rng.normal(size=(1, 1, 16)) + rng.normal(size=(1, 100, 16))
    these = image_bootstrap(values, np.random.default_rng(0))
    like_these = two_way_bootstrap(values, np.random.default_rng(0))
    assert these.high[0] - these.low[0] < 0.2  # 4 · 1/√1600 = 0.1
    assert like_these.high[0] - like_these.low[0] > 2  # 4.3 · 3/√16 = 3.2


@pytest.mark.parametrize("values", [np.ones((1, 1, 16)), np.full((1, 3, 2), np.nan)])
def test_fewer_than_two_images_have_no_interval(values):
    found = image_bootstrap(values, np.random.default_rng(0))
    assert np.isnan([found.low[0], found.high[0]]).all()
    assert found.mean[0] == 1 or np.isnan(values).all()


def test_one_prompt_says_nothing_of_prompts_like_it():
    found = two_way_bootstrap(np.random.default_rng(0).normal(size=(1, 50, 1)), np.random.default_rng(0))
    assert np.isnan(found.low[0])
    assert np.isfinite(found.mean[0])


def test_three_images_get_the_interval_of_student():
    values = np.array([[[1.0], [2.0], [4.0]]])
    found = image_bootstrap(values, np.random.default_rng(0))
    low, high = scipy.stats.t.interval(0.95, 2, 7 / 3, scipy.stats.sem([1, 2, 4]))
    assert (found.low[0], found.high[0]) == pytest.approx((low, high))


def test_a_constant_metric_has_no_width_but_a_unanimous_share_has():
    ones = np.ones((2, 20, 4))
    found = image_bootstrap(ones, np.random.default_rng(0), shares=np.array([False, True]))
    assert (found.low[0], found.high[0]) == (1, 1)
    exact = scipy.stats.binomtest(20, 20).proportion_ci(0.95, "exact")
    assert (found.low[1], found.high[1]) == pytest.approx((exact.low, exact.high))


def test_share_interval_of_independent_trials_is_close_to_clopper_pearson():
    mean, trials = 0.9, 200
    found = share_interval(mean, np.sqrt(mean * (1 - mean) / trials), 1e9, 0.025)
    exact = scipy.stats.binomtest(180, 200).proportion_ci(0.95, "exact")
    assert found == pytest.approx((exact.low, exact.high), abs=1e-6)


def test_infinite_values_leave_no_interval_and_harm_no_other_metric():
    values = cells(missing=0)
    spoilt = values.copy()
    spoilt[0, 0, 0] = np.inf
    clean, found = (image_bootstrap(v, np.random.default_rng(0)) for v in (values, spoilt))
    assert found.mean[0] == np.inf
    assert np.isnan(found.low[0])
    assert found.low[1] == pytest.approx(clean.low[1])


def test_same_seed_same_interval():
    first, again, other = (two_way_bootstrap(cells(), np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(first.low, again.low)
    assert not np.array_equal(first.low, other.low)


def test_minimum_detectable_effect_has_the_power_of_the_noncentral_t():
    freedom = np.array([15.0, 199.0])
    effect = minimum_detectable_effect(np.array([0.1, 0.1]), freedom)
    critical = scipy.stats.t.ppf(0.975, freedom)
    power = scipy.stats.nct.sf(critical, freedom, effect / 0.1)
    assert power == pytest.approx([0.8, 0.8], abs=0.015)
