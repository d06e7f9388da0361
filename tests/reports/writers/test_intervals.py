import math

import numpy as np
import pytest

from reports.writers.intervals import Interval, interval, overlap


def slow_interval(values, sources, images, draws, seed):
    """The definition, one draw after the other: list the drawn images' cells, take their mean."""
    counts = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=draws)
    means = []
    for count in counts:
        cells = [v for v, s in zip(values, sources, strict=True) for _ in range(count[s])]
        if cells:
            means.append(math.fsum(cells) / len(cells))
    means.sort()
    return means[math.ceil(0.025 * len(means)) - 1], means[math.ceil(0.975 * len(means)) - 1]


def test_interval_is_the_percentiles_of_drawn_images():
    rng = np.random.default_rng(3)
    values, sources = rng.normal(size=40), rng.integers(0, 6, 40)
    got = interval(values, sources, 7, draws=600, seed=5)
    low, high = slow_interval(values, sources, 7, 600, 5)
    assert got.mean == pytest.approx(math.fsum(values) / 40)
    assert (got.low, got.high) == (pytest.approx(low), pytest.approx(high))


def test_cells_of_one_image_move_together():
    """Ten copies of each cell carry no more information than one."""
    values, sources = np.arange(20.0), np.arange(20)
    once, often = interval(values, sources, 20), interval(np.repeat(values, 10), np.repeat(sources, 10), 20)
    assert (once.low, once.high) == (pytest.approx(often.low), pytest.approx(often.high))


def test_missing_numbers_are_left_out():
    assert interval(np.array([1.0, np.nan, 3.0]), np.array([0, 1, 2]), 3).mean == 2.0
    assert interval(np.array([np.nan]), np.array([0]), 3) == Interval(None, None, None, 0, 0)


def test_an_infinite_value_makes_the_draws_that_hold_it_infinite():
    got = interval(np.array([1.0, np.inf]), np.array([0, 1]), 2)
    assert (got.mean, got.low, got.high) == (math.inf, 1.0, math.inf)


def test_overlap():
    first = Interval(1.0, 0.5, 1.5, 9, 9)
    assert overlap(first, Interval(2.0, 1.5, 2.5, 9, 9))
    assert not overlap(first, Interval(2.0, 1.6, 2.5, 9, 9))
    assert overlap(first, Interval(9.0, None, None, 1, 1))
