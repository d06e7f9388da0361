import numpy as np
import pandas as pd
import pytest
import scipy.stats

from eval.errors import UsageError
from eval.statistics import (
    LIKE_THESE,
    POPULATIONS,
    Interval,
    compare_paired,
    grid_of,
    interval_of_mean,
    overlap,
    summarise,
)


def cells(metric, images=14, prompts=9, seed=0):
    """A column of each of two editors, of which some cells do not count, in any order of rows."""
    rng = np.random.default_rng(seed)
    table = pd.MultiIndex.from_product([range(images), [f"p{i}" for i in range(prompts)]], names=["image", "prompt"])
    values = rng.normal(size=(images, 1)) + rng.normal(size=(2, images, prompts))
    values = (values > -1) if metric == "success" else values
    frame = pd.DataFrame({"a": values[0].ravel(), "b": values[1].ravel()}, index=table, dtype=float).reset_index()
    frame.loc[rng.random(len(frame)) < 0.2, "a"] = np.nan
    return frame.sample(frac=1, random_state=seed)


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("metric", ["identity", "success"])
def test_one_number_has_one_interval_wherever_it_is_printed(metric, population):
    frame = cells(metric)
    rows = frame.rename(columns={"a": metric}).assign(editor="a", kind="default", strength=1.0)
    (expected,) = summarise(rows.dropna(), [metric], population=population).itertuples()
    found = interval_of_mean(frame["a"], frame["image"], frame["prompt"], population=population)
    assert (found.mean, found.low, found.high) == (expected.mean, expected.low, expected.high)
    assert (found.cells, found.images) == (expected.cells, expected.images)

    grids = [grid_of(rows.assign(**{metric: frame[name]}), [metric]) for name in "ab"]
    (row,) = compare_paired(*grids, [metric], population=population).itertuples()
    found = interval_of_mean(frame["a"], frame["image"], frame["prompt"], minus=frame["b"], population=population)
    assert (found.mean, found.low, found.high) == (row.difference, row.low, row.high)
    assert found.cells == row.cells == frame["a"].notna().sum()


def test_cells_of_one_image_move_together():
    """Ten copies of each cell carry no more information than one."""
    values, images = np.random.default_rng(0).normal(size=20), np.arange(20)
    once, often = interval_of_mean(values, images), interval_of_mean(np.repeat(values, 10), np.repeat(images, 10))
    assert (once.low, once.high) == (pytest.approx(often.low), pytest.approx(often.high))


def test_independent_images_have_the_interval_of_student():
    values = np.random.default_rng(1).normal(5, 2, size=150)
    found = interval_of_mean(values, range(150), draws=20_000)
    expected = scipy.stats.t.interval(0.95, 149, values.mean(), scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected, abs=0.03)


def test_shares_are_told_by_their_values_or_by_the_caller():
    """Of a share all of whose cells agree, as many independent trials as images; of other metrics nothing varies."""
    exact = scipy.stats.binomtest(20, 20).proportion_ci(0.95, "exact")
    found = interval_of_mean(np.ones(20), np.arange(20))
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    as_number = interval_of_mean(np.ones(20), np.arange(20), share=False)
    assert (as_number.low, as_number.high) == (1, 1)
    kept = np.r_[np.full(19, 1.0), 0.5]
    assert interval_of_mean(kept, np.arange(20), share=True).high <= 1 < interval_of_mean(kept, np.arange(20)).high


def test_fewer_than_two_clusters_or_an_infinite_cell_have_no_interval():
    assert interval_of_mean([np.nan], [0]) == Interval(None, None, None, 0, 0)
    assert interval_of_mean([], []) == Interval(None, None, None, 0, 0)
    assert interval_of_mean([1.0, np.nan, 3.0], ["a", "b", "a"]) == Interval(2.0, None, None, 2, 1)
    assert interval_of_mean([1.0, np.inf], [0, 1]) == Interval(np.inf, None, None, 2, 2)
    one_prompt = interval_of_mean([1.0, 2.0, 4.0], [0, 1, 2], ["p"] * 3, population=LIKE_THESE)
    assert one_prompt == Interval(7 / 3, None, None, 3, 3)


def test_what_cannot_be_computed_is_refused():
    with pytest.raises(UsageError, match="population"):
        interval_of_mean([1.0], [0], population="all")
    with pytest.raises(ValueError, match="no image and prompt twice"):
        interval_of_mean([1.0, 2.0], [0, 0], ["p", "p"], population=LIKE_THESE)
    with pytest.raises(ValueError, match="must name the prompt"):
        interval_of_mean([1.0, 2.0], [0, 1], population=LIKE_THESE)


def test_overlap():
    first = Interval(1.0, 0.5, 1.5, 9, 9)
    assert overlap(first, Interval(2.0, 1.5, 2.5, 9, 9))
    assert not overlap(first, Interval(2.0, 1.6, 2.5, 9, 9))
    assert overlap(first, Interval(9.0, None, None, 1, 1))
