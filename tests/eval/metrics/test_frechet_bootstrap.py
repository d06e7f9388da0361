import numpy as np
import pytest

from eval.metrics.frechet import frechet_distance
from eval.metrics.frechet_bootstrap import (
    draw_times,
    frechet_interval,
    influences,
    weighted_distance,
)


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return rng.standard_normal((120, 6)), rng.standard_normal((90, 6)) * 1.3 + 0.4


def test_weights_equal_repeated_rows(sets):
    x, y = sets
    rng = np.random.default_rng(1)
    times_x, times_y = rng.integers(0, 4, len(x)), rng.integers(0, 4, len(y))
    repeated = frechet_distance(np.repeat(x, times_x, axis=0), np.repeat(y, times_y, axis=0))
    assert weighted_distance(x, y, times_x, times_y) == pytest.approx(repeated, rel=1e-10)


def by_scipy_weighted(x, y, shares_x, shares_y):
    import scipy.linalg

    parts = []
    for z, shares in ((x, shares_x), (y, shares_y)):
        mean = shares @ z
        parts.append((mean, ((z - mean).T * shares) @ (z - mean) * len(z) / (len(z) - 1)))
    (m1, s1), (m2, s2) = parts
    return np.square(m1 - m2).sum() + np.trace(s1 + s2) - 2 * np.trace(scipy.linalg.sqrtm(s1 @ s2)).real


@pytest.mark.parametrize("row", [0, 17])
@pytest.mark.parametrize("side", [0, 1])
def test_influence_is_the_derivative(sets, side, row):
    n = len(sets[side])
    direction = np.full(n, -1 / n)
    direction[row] += 1
    values = []
    for step in (1e-5, -1e-5):
        shares = [np.full(len(z), 1 / len(z)) for z in sets]
        shares[side] = shares[side] + step * direction
        values.append(by_scipy_weighted(*sets, *shares))
    assert influences(*sets)[side][row] == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4, abs=1e-4)


def test_influence_exists_with_fewer_images_than_dimensions():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((9, 20)), rng.standard_normal((11, 20)) + 1
    values = []
    for step in (1e-5, -1e-5):
        weights = np.ones(9)
        weights -= step
        weights[3] += 9 * step
        values.append(weighted_distance(x, y, weights, np.ones(11)))
    assert influences(x, y)[0][3] == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4)


def test_linear_draws_follow_exact_ones(sets):
    linear, exact = (frechet_interval(*sets, 400, np.random.default_rng(3), method=way) for way in ("linear", "exact"))
    assert linear.distance == exact.distance == frechet_distance(*sets)
    assert linear.standard_error == pytest.approx(exact.standard_error, rel=0.2)
    assert linear.low < linear.distance < linear.high


def test_standard_error_is_that_of_repeated_experiments():
    rng = np.random.default_rng(4)

    def experiment():
        return rng.standard_normal((300, 4)), rng.standard_normal((300, 4)) * 1.2 + 0.5

    true_spread = np.std([frechet_distance(*experiment()) for _ in range(300)], ddof=1)
    estimates = [frechet_interval(*experiment(), 200, rng).standard_error for _ in range(10)]
    assert np.mean(estimates) == pytest.approx(true_spread, rel=0.2)


def test_copies_of_images_do_not_narrow_the_interval(sets):
    x, y = sets[0][:90], sets[1]
    groups = np.arange(90)
    once = frechet_interval(x, y, 400, np.random.default_rng(5), groups, groups)
    copies = (np.repeat(z, 5, axis=0) for z in (x, y, groups[:, None], groups[:, None]))
    x5, y5, groups_x, groups_y = copies
    clustered = frechet_interval(x5, y5, 400, np.random.default_rng(5), groups_x[:, 0], groups_y[:, 0])
    by_row = frechet_interval(x5, y5, 400, np.random.default_rng(5))
    assert clustered.standard_error == pytest.approx(once.standard_error, rel=0.05)
    assert by_row.standard_error < 0.7 * clustered.standard_error


def test_shared_images_are_drawn_together():
    """The second set is the first one moved: drawing both alike leaves the covariances equal and the distance fixed."""
    x = np.random.default_rng(6).standard_normal((60, 3))
    y = x + np.array([2.0, 0, 0])
    together = frechet_interval(x, y, 100, np.random.default_rng(7), range(60), range(60), method="exact")
    apart = frechet_interval(x, y, 100, np.random.default_rng(7), method="exact")
    assert together.standard_error == pytest.approx(0, abs=1e-9)
    assert apart.standard_error > 0.1
    linear = frechet_interval(x, y, 100, np.random.default_rng(7), range(60), range(60))
    assert linear.standard_error == pytest.approx(0, abs=1e-9)


def test_each_draw_holds_as_many_groups_as_there_are():
    times = draw_times(np.array([0, 1, 1, 2]), np.array([2, 3, 4, 4]), 5, 50, np.random.default_rng(8))
    assert (times[:, :2].sum(1) == 2).all()  # only in the first set
    assert (times[:, 2] == 1).all()  # in both
    assert (times[:, 3:].sum(1) == 2).all()  # only in the second


def test_one_image_has_no_interval(sets):
    x, y = sets
    result = frechet_interval(x, y, 10, np.random.default_rng(9), [0] * len(x), [0] * len(y))
    assert result.distance > 0
    assert np.isnan([result.low, result.high, result.standard_error]).all()
    assert np.isnan(frechet_interval(x[:1], y, 10, np.random.default_rng(9)).distance)


def test_groups_of_one_side_only_are_refused(sets):
    with pytest.raises(ValueError, match="both sides or neither"):
        frechet_interval(*sets, 10, np.random.default_rng(9), groups_x=range(120))


def test_same_seed_same_interval(sets):
    assert frechet_interval(*sets, 50, np.random.default_rng(1)) == frechet_interval(
        *sets, 50, np.random.default_rng(1)
    )
