from __future__ import annotations

import math

import numpy as np
import pytest

from eval.runs.plan import SWEEP
from eval.runs.strengths.clean import Choice, Search, Seen, choose, is_better

NAN = float("nan")


def seen(clean: list[int], preservation: float = 0.95, eligible: list[int] | None = None) -> Seen:
    """Edits of which these are clean; an edit is a success where it is clean."""
    n = len(clean)
    some = np.array(clean, dtype=bool)
    kept = np.full(n, preservation)
    return Seen(some, some, kept, np.ones(n), np.ones(n, bool) if eligible is None else np.array(eligible, bool))


def share(of_ten: int) -> list[int]:
    """So many of ten."""
    return [1] * of_ten + [0] * (10 - of_ten)


@pytest.mark.parametrize(
    ("points", "chosen"),
    [
        # four of ten more: difference .4, standard error sqrt(.24 / 9) = .163
        ({1.0: seen(share(4)), 0.5: seen(share(8))}, 0.5),
        # one of ten more: .1, standard error sqrt(.09 / 9) = .1: no better than the noise
        ({1.0: seen(share(4)), 0.5: seen(share(5))}, 1.0),
        ({1.0: seen(share(4)), 2.0: seen(share(2))}, 1.0),
        # .9 at 2 and .8 at .5: the gentler draws with the best
        ({1.0: seen(share(4)), 0.5: seen(share(8)), 2.0: seen(share(9))}, 0.5),
        ({1.0: seen(share(2)), 0.5: seen(share(4)), 2.0: seen(share(9))}, 2.0),
        ({1.0: seen(share(0), eligible=[0] * 10), 0.5: seen(share(9), eligible=[0] * 10)}, 1.0),
    ],
)
def test_the_default_unless_something_is_better_beyond_the_noise(points: dict[float, Seen], chosen: float) -> None:
    assert choose(points).strength == chosen


def test_the_gain_is_the_paired_difference_with_its_standard_error() -> None:
    found = choose({1.0: seen(share(4)), 0.5: seen(share(8))})
    apart = [0] * 4 + [1] * 4 + [0] * 2
    assert found == Choice(0.5, pytest.approx(0.4), pytest.approx(np.std(apart, ddof=1) / math.sqrt(10)))
    assert choose({1.0: seen(share(4))}) == Choice(1.0, 0.0, 0.0)
    assert math.isnan(choose({1.0: seen([1], eligible=[0])}).gain)


def test_only_eligible_images_count() -> None:
    eligible = [0] * 5 + [1] * 5
    assert is_better(seen(share(5)), seen(share(0)))
    assert not is_better(seen(share(5), eligible=eligible), seen(share(0), eligible=eligible))


class Curve:
    """An editor whose clean success depends on the strength alone: the first so many of the images are clean."""

    def __init__(self, shares: dict[float, float], preservation: dict[float, float] | None = None) -> None:
        self.shares = shares
        self.preservation = preservation or {}
        self.edits = 0

    def __call__(self, strength: float, rows: slice) -> Seen:
        count = rows.stop - rows.start
        self.edits += count
        clean = [int((row * 7) % 50 < 50 * self.shares.get(strength, 0.0)) for row in range(rows.start, rows.stop)]
        return seen(clean, self.preservation.get(strength, 0.95))


@pytest.mark.parametrize(
    ("shares", "best"),
    [
        ({0.25: 0.1, 0.5: 0.8, 0.75: 0.5, 1: 0.1, 1.5: 0.1}, 0.5),
        ({0.25: 0.7, 0.5: 0.2, 1: 0.1}, 0.25),
        ({0.5: 0.0, 0.75: 0.4, 1: 0.7, 1.5: 0.5, 2: 0.3}, 1.0),
        ({1: 0.0, 1.5: 0.1, 2: 0.4, 3: 0.8}, 3.0),
        ({0.5: 0.3, 0.75: 0.9, 1: 0.3}, 0.75),
    ],
)
def test_a_search_finds_what_the_sweep_finds_with_half_the_edits(shares: dict[float, float], best: float) -> None:
    found, edits = [], []
    for name in ("climb", "sweep"):
        curve = Curve(shares)
        search = Search(curve, 50)
        getattr(search, name)()
        found.append(search.decide().strength)
        edits.append(curve.edits)
    assert found == [best, best]
    assert edits[1] == 50 * len(SWEEP)
    assert edits[0] <= edits[1] * 0.65


def test_a_search_ends_at_the_default_after_the_first_images_where_nothing_is_better() -> None:
    curve = Curve({0.5: 0.1, 0.75: 0.5, 1: 0.8, 1.5: 0.5, 2: 0.2})
    search = Search(curve, 50)
    search.climb()
    assert search.decide() == Choice(1.0, 0.0, 0.0)
    assert curve.edits == 5 * 20  # .5, 1, 2 and both neighbours of 1


def test_a_search_goes_below_the_sweep_where_its_gentlest_strength_destroys_the_picture() -> None:
    shares = {0.0625: 0.9}
    ruined = {strength: 0.3 for strength in [*SWEEP, 0.125]}
    curve = Curve(shares, ruined)
    search = Search(curve, 50)
    search.climb()
    assert search.decide().strength == 0.0625


def test_no_image_twice_at_one_strength() -> None:
    asked: list[tuple[float, int, int]] = []
    curve = Curve({0.5: 0.8, 1: 0.2})

    def look(strength: float, rows: slice) -> Seen:
        asked.append((strength, rows.start, rows.stop))
        return curve(strength, rows)

    search = Search(look, 50)
    search.climb()
    search.decide()
    assert len(asked) == len(set(asked))
    assert {(first, last) for _, first, last in asked} == {(0, 20), (20, 50)}
    assert [point.images for point in search.points if point.strength in (0.5, 1.0)] == [50, 50]
