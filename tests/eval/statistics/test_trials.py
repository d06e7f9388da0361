import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from eval.statistics.trials import acceptability, trials_interval


def by_sums(hits, trials, share):
    """Blaker's two tails, written as sums of probabilities; an outcome counts by half in its own tail."""
    chances = scipy.stats.binom.pmf(np.arange(trials + 1), trials, share)
    lower = [chances[:k].sum() + chances[k] / 2 for k in range(trials + 1)]
    upper = [chances[k + 1 :].sum() + chances[k] / 2 for k in range(trials + 1)]
    own, others = (lower[hits], upper) if lower[hits] < upper[hits] else (upper[hits], lower)
    return own + max((other for other in others if other <= own * (1 + 1e-9)), default=0.0)


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (1, 20), (7, 20), (20, 50), (49, 50)])
def test_acceptability_by_sums(hits, trials):
    shares = np.array([0.01, 0.05, 0.123, 0.5, 0.77, 0.99])
    found = [acceptability(hits, trials, share) for share in shares]
    assert found == pytest.approx([by_sums(hits, trials, p) for p in shares], abs=1e-9)


def test_unanimous_trials_are_clopper_pearson():
    exact = scipy.stats.binomtest(20, 20).proportion_ci(0.95, "exact")
    assert trials_interval(20, 20, 0.05) == pytest.approx((exact.low, exact.high))
    assert trials_interval(0, 20, 0.05) == pytest.approx((1 - exact.high, 1 - exact.low))


@pytest.mark.parametrize(("hits", "trials"), [(1, 20), (15, 20), (49, 50), (100, 200), (195, 200), (830, 1000)])
def test_ends_are_where_it_stops_being_acceptable_inside_clopper_pearson(hits, trials):
    low, high = trials_interval(hits, trials, 0.05)
    exact = scipy.stats.binomtest(hits, trials).proportion_ci(0.95, "exact")
    assert exact.low < low < hits / trials < high < exact.high
    for end, step in ((low, -1e-6), (high, 1e-6)):
        assert by_sums(hits, trials, end - step) >= 0.05 - 1e-6
        assert by_sums(hits, trials, end + step) < 0.05
    mirrored = trials_interval(trials - hits, trials, 0.05)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize("trials", [20, 50, 200])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_coverage_is_93_to_97_percent_where_any_set_of_answers_is(trials, share):
    """Exact, summed over all answers. 20 trials at .99 can only have 82 or 98 %, 50 only 91 or 99."""
    chances = scipy.stats.binom.pmf(np.arange(trials + 1), trials, share)
    ends = [trials_interval(hits, trials, 0.05) for hits in range(trials + 1)]
    covered = sum(chance for chance, (low, high) in zip(chances, ends, strict=True) if low <= share <= high)
    assert covered == pytest.approx(sum(chances[k] for k in range(trials + 1) if by_sums(k, trials, share) >= 0.05))
    most_likely = np.cumsum(np.sort(chances)[::-1])
    if ((most_likely >= 0.93) & (most_likely <= 0.97)).any():
        assert 0.93 <= covered <= 0.97
    else:
        assert covered == pytest.approx(most_likely[most_likely >= 0.93].min())
