"""Distances between edits and counterfactuals of the same persons."""

import numpy as np
import pytest

from eval.metrics.frechet import frechet_distance
from eval.metrics.kernel_distances import cmmd, kid
from eval.metrics.set_distances import SetDistances, paired_extrapolation


def persons_with_rows(persons, rows, size, seed):
    """[persons * rows, size]: a person's rows are alike."""
    rng = np.random.default_rng(seed)
    own = np.repeat(rng.standard_normal((persons, size)), rows, axis=0)
    return own + 0.3 * rng.standard_normal((persons * rows, size)), np.repeat(np.arange(persons), rows)


def test_equal_sets_are_at_0_at_every_size():
    x, persons = persons_with_rows(24, 3, 4, 0)
    found = paired_extrapolation(x, x, persons, np.random.default_rng(1))
    assert found.distances == pytest.approx([0] * 6, abs=1e-9)
    assert found.limit == pytest.approx(0, abs=1e-8)
    assert found.sizes == tuple(3 * n for n in (6, 7, 9, 11, 15, 24))


def test_the_whole_set_is_the_last_point_and_subsets_keep_persons_together():
    x, persons = persons_with_rows(20, 4, 3, 2)
    y = x + np.repeat(np.random.default_rng(3).standard_normal((20, 3)), 4, axis=0)
    found = paired_extrapolation(x, y, persons, np.random.default_rng(4))
    assert found.distances[-1] == pytest.approx(frechet_distance(x, y), rel=1e-9)
    assert found.sizes[-1] == 80 and all(size % 4 == 0 for size in found.sizes)
    assert found.distances[0] > found.distances[-1]  # the bias falls with N


def test_the_limit_is_nearer_to_the_truth_than_any_set():
    """Edits miss the counterfactuals by a step and by noise: FD → |step|² + 8·(√1.36 - 1)² for unit normal persons."""
    step, sigma, errors_limit, errors_whole = 0.5, 0.6, [], []
    truth = 8 * step**2 + 8 * (np.sqrt(1 + sigma**2) - 1) ** 2
    for seed in range(40):
        rng = np.random.default_rng(seed)
        counterfactuals = rng.standard_normal((60, 8))
        edits = counterfactuals + step + sigma * rng.standard_normal((60, 8))
        found = paired_extrapolation(edits, counterfactuals, range(60), rng)
        errors_limit.append(found.limit - truth)
        errors_whole.append(found.distances[-1] - truth)
    assert abs(np.mean(errors_limit)) < 0.6 * abs(np.mean(errors_whole))


def test_few_persons_have_no_limit():
    x, persons = persons_with_rows(7, 5, 2, 5)
    found = paired_extrapolation(x, x + 1, persons, np.random.default_rng(6))
    assert np.isnan(found.limit) and found.sizes == found.distances == ()


@pytest.mark.parametrize("cut", [(slice(1, None), slice(None)), (slice(None), slice(1, None))])
def test_unequal_n_is_refused(cut):
    x, persons = persons_with_rows(10, 2, 2, 7)
    with pytest.raises(ValueError, match=r"of equal N. Got (19|20), (19|20) and 20"):
        paired_extrapolation(x[cut[0]], x[cut[1]], persons, np.random.default_rng(8))


def test_the_interval_draws_persons_on_both_sides():
    """A step of the whole set moves every person alike: where nothing else differs, drawing persons changes nothing."""
    x, persons = persons_with_rows(30, 3, 3, 9)
    low, high = SetDistances.interval(x, x + 2.0, persons)
    assert low == pytest.approx(12, abs=1e-6) and high == pytest.approx(12, abs=1e-6)
    noisy = x + 2 + np.repeat(np.random.default_rng(10).standard_normal((30, 3)), 3, axis=0)
    low, high = SetDistances.interval(x, noisy, persons)
    assert high - low > 1
    assert low < frechet_distance(x, noisy) < high


def test_the_floor_is_that_of_other_persons():
    x, persons = persons_with_rows(200, 2, 3, 11)
    assert 0 < SetDistances.floor(x, persons) < 0.2
    assert SetDistances().kid(x, x, persons) == pytest.approx(0, abs=1e-12)


def test_what_is_kept_of_the_answers_is_theirs_alone():
    """Several editors against one set of counterfactuals, then another one; every number is that of fresh distances."""
    x, persons = persons_with_rows(12, 2, 3, 12)
    y, others = persons_with_rows(12, 2, 3, 13)[0], [person // 2 for person in persons]
    kept = SetDistances()
    for edits, counterfactuals, of in ((x, y, persons), (y + 1, y, persons), (x, x + 2, persons), (x, y, others)):
        assert kept.kid(edits, counterfactuals, of) == kid(edits, counterfactuals, of, of)
        assert kept.cmmd(edits, counterfactuals, of) == cmmd(edits, counterfactuals, of, of)
    assert kid(x, y, persons, persons) != kid(x, x + 2, persons, persons) != kid(x, y, others, others)
