import numpy as np
import pytest

from eval.metrics import kernel_distances
from eval.metrics.kernel_distances import cmmd, kid


def by_loops(x, y, kernel):
    """Squared MMD_u, pair by pair."""

    def mean(pairs):
        return np.mean([kernel(a, b) for a, b in pairs])

    def within(z):
        return mean((z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j)

    return within(x) + within(y) - 2 * mean((a, b) for a in x for b in y)


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return rng.standard_normal((13, 5)), rng.standard_normal((9, 5)) + 0.5


@pytest.mark.parametrize("block", [4, 1024])
def test_kid_equals_the_sum_over_pairs(sets, block, monkeypatch):
    monkeypatch.setattr(kernel_distances, "BLOCK_ROWS", block)
    assert kid(*sets) == pytest.approx(by_loops(*sets, lambda a, b: (a @ b / 5 + 1) ** 3), rel=1e-10)


def test_cmmd_equals_the_sum_over_pairs(sets):
    expected = 1000 * by_loops(*sets, lambda a, b: np.exp(-np.square(a - b).sum() / 200))
    assert cmmd(*sets) == pytest.approx(expected, rel=1e-9)


def by_loops_over_persons(x, y, of_x, of_y, kernel):
    """Squared MMD_u over pairs of rows of different persons."""

    def mean(a, b, of_a, of_b):
        return np.mean([kernel(a[i], b[j]) for i in range(len(a)) for j in range(len(b)) if of_a[i] != of_b[j]])

    return mean(x, x, of_x, of_x) + mean(y, y, of_y, of_y) - 2 * mean(x, y, of_x, of_y)


@pytest.mark.parametrize("block", [4, 1024])
def test_pairs_of_one_person_are_left_out(sets, block, monkeypatch):
    monkeypatch.setattr(kernel_distances, "BLOCK_ROWS", block)
    x, y = sets
    of_x, of_y = [i // 3 for i in range(13)], [(i * 2) % 5 for i in range(9)]
    expected = by_loops_over_persons(x, y, of_x, of_y, lambda a, b: (a @ b / 5 + 1) ** 3)
    assert kid(x, y, of_x, of_y) == pytest.approx(expected, rel=1e-10)
    expected = by_loops_over_persons(x, y, of_x, of_y, lambda a, b: np.exp(-np.square(a - b).sum() / 200))
    assert cmmd(x, y, of_x, of_y) == pytest.approx(1000 * expected, rel=1e-9)


def test_equal_sets_of_the_same_persons_are_at_0(sets):
    persons = [i // 2 for i in range(13)]
    assert kid(sets[0], sets[0], persons, persons) == pytest.approx(0, abs=1e-12)
    assert kid(sets[0], sets[0]) < -0.01  # without persons, pairs of a row with itself count on one side only
    assert np.isnan(kid(sets[0], sets[0], [1] * 13, [1] * 13))


def test_groups_must_fit(sets):
    with pytest.raises(ValueError, match="one for each of the 13 and 9 rows"):
        kid(*sets, list(range(13)))


def test_unbiased_for_equal_distributions():
    rng = np.random.default_rng(1)
    values = [kid(*rng.standard_normal((2, 20, 4))) for _ in range(200)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(200)
    assert min(values) < 0 < max(values)


@pytest.mark.parametrize("distance", [kid, cmmd])
def test_one_image_has_no_distance(distance):
    assert np.isnan(distance(np.ones((1, 3)), np.ones((4, 3))))
