from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.errors import UsageError
from eval.statistics import LIKE_THESE, THESE_PROMPTS, holm, indistinguishable_groups, letters, sign_flip_p
from eval.statistics.permutation import sign_patterns, studentised
from eval.statistics.variance import two_way_variance


def test_few_images_are_flipped_in_every_way():
    differences = np.array([[[0.9, 1.1], [2.0, np.nan], [-0.5, 0.1], [1.0, 1.0]]])
    sums = [2.0, 2.0, -0.4, 2.0]
    totals = [abs(sum(s * v for s, v in zip(signs, sums, strict=True))) for signs in product((1, -1), repeat=4)]
    expected = np.mean([total >= sum(sums) - 1e-9 for total in totals])
    assert sign_flip_p(differences, THESE_PROMPTS, np.random.default_rng(0))[0] == pytest.approx(expected)


def test_agrees_with_scipy_on_many_images():
    differences = np.random.default_rng(0).normal(0.25, 1, size=60)
    found = sign_flip_p(differences[None, :, None], THESE_PROMPTS, np.random.default_rng(0))[0]
    other = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    assert found == pytest.approx(other.pvalue, abs=0.006)


def test_observed_statistic_is_the_mean_over_its_two_way_standard_error():
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(9, 7))
    differences[rng.random((9, 7)) < 0.2] = np.nan
    present = ~np.isnan(differences)
    found = studentised(np.nan_to_num(differences), present, np.ones((1, 9), np.float32))[0]
    assert found == pytest.approx(abs(np.nanmean(differences)) / np.sqrt(two_way_variance(differences[None])[0]))


def test_a_flipped_statistic_is_that_of_the_flipped_cells():
    rng = np.random.default_rng(0)
    differences = rng.normal(1, 1, size=(9, 7))
    signs = np.where(rng.random(9) < 0.5, -1.0, 1.0)
    flipped = differences * signs[:, None]
    found = studentised(differences, np.ones((9, 7), bool), signs[None])[0]
    assert found == pytest.approx(abs(flipped.mean()) / np.sqrt(two_way_variance(flipped[None])[0]))


@pytest.mark.parametrize("population", [THESE_PROMPTS, LIKE_THESE])
def test_no_difference_at_all_has_p_1(population):
    assert sign_flip_p(np.zeros((1, 20, 16)), population, np.random.default_rng(0)).tolist() == [1.0]


@pytest.mark.parametrize("population", [THESE_PROMPTS, LIKE_THESE])
def test_a_large_difference_is_found_and_does_not_depend_on_units(population):
    rng = np.random.default_rng(0)
    differences = 0.5 + 0.1 * rng.normal(size=(1, 40, 16))
    small = sign_flip_p(differences * 1e-6, population, np.random.default_rng(0))
    assert small[0] < 0.001
    assert small == sign_flip_p(differences, population, np.random.default_rng(0))


def test_one_prompt_that_differs_is_no_finding_for_prompts_like_these():
    differences = 0.01 * np.random.default_rng(0).normal(size=(1, 50, 16))
    differences[:, :, 3] += 1
    these, like_these = (
        sign_flip_p(differences, population, np.random.default_rng(0), 2000)[0]
        for population in (THESE_PROMPTS, LIKE_THESE)
    )
    assert these < 0.001
    assert like_these > 0.1


def test_too_few_clusters_or_infinite_differences_have_no_p():
    infinite = np.zeros((1, 5, 5))
    infinite[0, 0, 0] = np.inf
    rng = np.random.default_rng(0)
    assert np.isnan(sign_flip_p(np.ones((1, 1, 16)), THESE_PROMPTS, rng)).all()
    assert np.isnan(sign_flip_p(np.ones((1, 16, 1)), LIKE_THESE, rng)).all()
    assert np.isnan(sign_flip_p(infinite, THESE_PROMPTS, rng)).all()


def test_unknown_population():
    with pytest.raises(UsageError, match="There is no population 'all'"):
        sign_flip_p(np.ones((1, 2, 2)), "all", np.random.default_rng(0))


def test_all_patterns_are_distinct_up_to_their_mirror_image():
    signs = sign_patterns(5, 100, np.random.default_rng(0))
    assert (signs[0] == 1).all()
    assert len({tuple(row) for row in np.concatenate([signs, -signs])}) == 32


def test_false_alarms_are_as_rare_as_promised():
    rng = np.random.default_rng(0)
    p_values = sign_flip_p(rng.normal(size=(400, 20, 4)) + rng.normal(size=(400, 20, 1)), THESE_PROMPTS, rng, 500)
    assert 0.02 < (p_values < 0.05).mean() < 0.09


def test_holm_by_hand():
    found = holm(np.array([0.04, 0.01, np.nan, 0.03, 0.5]))
    assert found == pytest.approx([0.09, 0.04, np.nan, 0.09, 0.5], nan_ok=True)
    assert holm(np.array([])).tolist() == []


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values):
    tests = len(p_values)
    rejected = set()
    for step, row in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[row] * (tests - step) >= 0.05:
            break
        rejected.add(int(row))
    assert set(np.flatnonzero(holm(np.array(p_values)) < 0.05)) == rejected


names = st.integers(1, 6).map(lambda count: [f"e{row}" for row in range(count)])


@settings(max_examples=60)
@given(names, st.data())
def test_groups_are_the_maximal_sets_without_a_difference(editors, data):
    pairs = [(a, b) for row, a in enumerate(editors) for b in editors[row + 1 :]]
    different = [pair for pair in pairs if data.draw(st.booleans())]

    def alike(group):
        return not any(a in group and b in group for a, b in different)

    subsets = [
        frozenset(e for e, taken in zip(editors, mask, strict=True) if taken)
        for mask in product((0, 1), repeat=len(editors))
    ]
    sets = [group for group in subsets if group and alike(group)]
    expected = {group for group in sets if not any(group < other for other in sets)}
    assert set(map(frozenset, indistinguishable_groups(editors, different))) == expected


def test_pairs_may_come_in_either_order():
    assert letters(["a", "b", "c"], [("c", "a"), ("b", "a")]) == {"a": "a", "b": "b", "c": "b"}
    assert indistinguishable_groups([], []) == []
