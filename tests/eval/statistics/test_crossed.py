from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from eval.statistics.crossed import crossed_estimate, crossed_variance


def by_loops(values, axes=(0, 1, 2)):
    """Variance and Satterthwaite's degrees of freedom with a dictionary of groups for each set of kinds."""
    cells = [(index, values[index]) for index in product(*map(range, values.shape)) if not np.isnan(values[index])]
    mean = sum(value for _, value in cells) / len(cells)
    parts, sizes = {}, {}
    every = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    for kinds in [kinds for kinds in every if set(kinds) <= set(axes)]:
        groups = {}
        for index, value in cells:
            key = tuple(index[kind] for kind in kinds)
            groups[key] = groups.get(key, 0.0) + value - mean
        size = len(groups)
        parts[kinds] = sum(total**2 for total in groups.values()) / len(cells) ** 2 * size / (size - 1)
        sizes[kinds] = size
    signed = sum(part * (1 if len(kinds) % 2 else -1) for kinds, part in parts.items())
    singles = [parts[(kind,)] for kind in axes]
    freedom = sum(singles) ** 2 / sum(parts[(kind,)] ** 2 / (sizes[(kind,)] - 1) for kind in axes)
    return mean, max(signed, *singles), freedom


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 1)])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_variance_and_interval_are_the_formula(missing, axes):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 7, 4)) + rng.normal(size=(3, 1, 1)) + rng.normal(size=(1, 7, 1))
    values[rng.random(values.shape) < missing] = np.nan
    mean, variance, freedom = by_loops(values, axes)
    assert crossed_variance(values, axes) == pytest.approx((variance, freedom))
    found = crossed_estimate(values, axes)
    low, high = stats.t.interval(0.95, freedom, mean, np.sqrt(variance))
    assert (found.mean, found.low, found.high) == pytest.approx((mean, low, high))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(mean) / np.sqrt(variance), freedom))
    assert found.cells == np.isfinite(values).sum()


def test_when_only_trainings_differ_it_is_their_t_interval():
    trainings = np.array([0.3, 0.5, 0.1])
    found = crossed_estimate(np.broadcast_to(trainings[:, None, None], (3, 20, 5)).copy())
    low, high = stats.t.interval(0.95, 2, 0.3, trainings.std(ddof=1) / np.sqrt(3))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.degrees_of_freedom == pytest.approx(2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_cluster_of_a_kind_gives_a_mean_without_interval(axis):
    values = np.random.default_rng(1).normal(size=(3, 6, 4)).take([0], axis)
    found = crossed_estimate(values)
    assert found.mean == pytest.approx(values.mean())
    assert np.isnan([found.low, found.high, found.p]).all()


def test_no_cell_and_no_difference():
    assert np.isnan(crossed_estimate(np.full((3, 4, 2), np.nan)).mean)
    same = crossed_estimate(np.zeros((3, 4, 2)))
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_intervals_cover_about_as_often_as_they_say():
    """A t interval of 3 trainings, 8 prompts and 30 images that differ alike; 0.95 is promised."""
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(300):
        parts = (rng.normal(size=shape) * 0.4 for shape in ((3, 1, 1), (1, 30, 1), (1, 1, 8)))
        found = crossed_estimate(sum(parts) + rng.normal(size=(3, 30, 8)))
        hits += found.low <= 0 <= found.high
    assert hits >= 0.89 * 300
