from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.runs.plan import GOALS, SWEEP
from eval.runs.strengths.matching import (
    MOST_HALVINGS,
    MOST_TRIES,
    TOLERANCE,
    Match,
    SweepPoint,
    gentler_strength,
    match,
    next_strength,
)

NAN = float("nan")


def points(*pairs: tuple[float, float]) -> list[SweepPoint]:
    return [SweepPoint(strength, 0.5, 0.9, effect) for strength, effect in pairs]


def curve(strength: float, steepness: float, ceiling: float) -> float:
    """An effect that saturates, as those of editors do."""
    return ceiling * math.tanh(steepness * strength)


def search(steepness: float, ceiling: float, most: int = 10_000) -> list[SweepPoint]:
    """All points of a search over the goals; after ``most`` refinements it is killed and started again once."""
    found = [SweepPoint(s, 0, 0, curve(s, steepness, ceiling)) for s in SWEEP]
    made = 0
    for attempt in range(2):
        found = [SweepPoint.from_json(point.as_json()) for point in found]
        for goal in GOALS:
            while (strength := next_strength(found, goal)) is not None:
                if attempt == 0 and made == most:
                    break
                found.append(SweepPoint(strength, 0, 0, curve(strength, steepness, ceiling), goal))
                made += 1
            if attempt == 0 and made == most:
                break
    return found


def test_false_position_by_hand() -> None:
    """Between (1, 0.8) and (2, 1.6) the effect 1.2 is expected at 1.5, the effect 1.0 at 1.25."""
    assert next_strength(points((1, 0.8), (2, 1.6)), 1.2) == 1.5
    assert next_strength(points((1, 0.8), (2, 1.6)), 1.0) == 1.25


def test_below_the_sweep_the_other_end_is_strength_0_without_effect() -> None:
    assert next_strength(points((0.25, 2.0)), 1.0) == 0.125


def test_the_next_strength_stays_away_from_the_ends_of_the_bracket() -> None:
    """0.01 of 1.0 from the lower end would be strength 1.01; a tenth of the bracket is kept."""
    assert next_strength(points((1, 0.89), (2, 10.89)), 0.99) == 1.1


@pytest.mark.parametrize(
    ("pairs", "goal"),
    [
        ([(1, 0.4), (2, 0.9)], 1.0),  # out of reach
        ([(1, NAN), (2, NAN)], 1.0),  # no eligible image
        ([(1, 0.97), (2, 1.8)], 1.0),  # met below
        ([(1, 0.5), (2, 1.04)], 1.0),  # met above
        ([], 1.0),
    ],
)
def test_nothing_is_left_to_judge(pairs: list[tuple[float, float]], goal: float) -> None:
    assert next_strength(points(*pairs), goal) is None


def test_the_first_crossing_counts_where_the_effect_falls_again() -> None:
    falling = points((0.5, 0.4), (1, 1.6), (2, 0.6), (3, 1.2))
    found = match(falling, 1.0)
    assert (found.strength, found.effect, found.reached, found.met) == (0.5, 0.4, True, False)
    strength = next_strength(falling, 1.0)
    assert strength is not None and 0.5 < strength < 1


def test_out_of_reach_gives_the_strongest_effect_and_of_equals_the_weaker() -> None:
    assert match(points((1, 0.4), (2, 0.9), (3, 0.9)), 1.0) == Match(1.0, 2, 0.9, False)
    assert match(points((0.25, 0.0), (1, 0.0)), 0.5) == Match(0.5, 0.25, 0.0, False)


def test_without_an_eligible_image_the_strength_is_the_default() -> None:
    found = match(points((1, NAN), (2, NAN)), 1.0)
    assert found.strength == 1.0 and math.isnan(found.effect) and not found.reached and not found.met


def test_an_editor_without_doses_reaches_and_does_not_meet() -> None:
    """All of its effect at any strength: the search gives up after so many tries."""
    found = points(*((strength, 2.3) for strength in SWEEP))
    tries = 0
    while (strength := next_strength(found, 1.0)) is not None:
        found.append(SweepPoint(strength, 0, 0, 2.3, 1.0))
        tries += 1
    assert tries == MOST_TRIES
    assert match(found, 1.0).reached and not match(found, 1.0).met


@given(st.floats(0.2, 5), st.floats(0.6, 4))
def test_every_goal_within_reach_is_met(steepness: float, ceiling: float) -> None:
    found = search(steepness, ceiling)
    for goal in GOALS:
        result = match(found, goal)
        assert result.reached == (curve(SWEEP[-1], steepness, ceiling) >= goal)
        if result.reached:
            assert abs(curve(result.strength, steepness, ceiling) - goal) <= TOLERANCE + 1e-9


@given(st.floats(0.2, 5), st.floats(0.6, 4), st.integers(0, 12))
def test_a_search_killed_anywhere_ends_at_the_same_points(steepness: float, ceiling: float, most: int) -> None:
    assert search(steepness, ceiling, most) == search(steepness, ceiling)


def test_a_sweep_that_starts_too_strong_goes_down_until_an_edit_keeps_the_rest() -> None:
    """Preservation is 1 - 2 s: .5 at .25, .75 at .125, .875 at .0625, .9375 at .03125, which is enough."""
    found = [SweepPoint(s, 0.5, max(0.0, 1 - 2 * s), 1.0) for s in SWEEP]
    judged = []
    while (strength := gentler_strength(found)) is not None:
        judged.append(strength)
        found.append(SweepPoint(strength, 0.5, 1 - 2 * strength, 1.0))
    assert judged == [0.125, 0.0625, 0.03125]


def test_an_editor_that_keeps_nothing_at_any_strength_is_given_up() -> None:
    found = [SweepPoint(s, 0.5, 0.0, 1.0) for s in SWEEP]
    while (strength := gentler_strength(found)) is not None:
        found.append(SweepPoint(strength, 0.5, 0.0, 1.0))
    assert len(found) == len(SWEEP) + MOST_HALVINGS and found[-1].strength == 0.25 / 64


def test_a_gentle_sweep_and_one_without_eligible_images_stay_as_they_are() -> None:
    assert gentler_strength([SweepPoint(0.25, 0.1, 0.9, 0.5), SweepPoint(3.0, 1, 0.2, 3)]) is None
    assert gentler_strength([SweepPoint(0.25, NAN, NAN, NAN)]) is None
    assert gentler_strength([]) is None


def test_points_survive_json_with_what_is_missing() -> None:
    point = SweepPoint(0.5, NAN, 0.9, NAN)
    stored = {**point.as_json(), "success": None, "effect": None}
    assert "goal" not in stored
    back = SweepPoint.from_json(stored)
    assert (back.strength, back.preservation, back.goal) == (0.5, 0.9, None)
    assert math.isnan(back.success) and math.isnan(back.effect)
    assert SweepPoint.from_json(SweepPoint(0.5, 0, 1, 0.4, 1.5).as_json()).goal == 1.5


def test_a_mean_that_is_known_badly_may_be_off_by_its_standard_error():
    """0.92 around 1 σ: within a standard error of .1, not within .05; a met end is taken before a nearer one."""
    points = [SweepPoint(1.0, 0.5, 0.9, 0.92, effect_noise=0.1), SweepPoint(2.0, 0.9, 0.8, 1.5, effect_noise=0.1)]
    assert next_strength(points, 1.0) is None and match(points, 1.0).met and match(points, 1.0).tolerance == 0.1
    exact = [replace(point, effect_noise=0.01) for point in points]
    assert next_strength(exact, 1.0) == pytest.approx(1.1379, abs=1e-4) and not match(exact, 1.0).met
    ends = [SweepPoint(1.0, 0.5, 0.9, 0.92, effect_noise=0.1), SweepPoint(2.0, 0.9, 0.8, 1.07, effect_noise=0.01)]
    assert match(ends, 1.0).strength == 1.0 and match(ends, 1.0).met
    assert SweepPoint.from_json(points[0].as_json()) == points[0]


def test_shares_of_an_effect_are_found_as_their_sigmas_are() -> None:
    """Of a right effect of 2 σ, a half is 1 σ: between (1, 0.8) and (2, 1.6) at 1.25, and met up to the tolerance."""
    found = points((1.0, 0.8), (2.0, 1.6))
    assert next_strength(found, 0.5, 2.0) == next_strength(found, 1.0) == 1.25
    found.append(SweepPoint(1.25, 0.5, 0.9, 1.04, 0.5))
    assert match(found, 0.5, 2.0) == Match(0.5, 1.25, 1.04, True, whole=2.0)
    assert match(found, 0.5, 2.0).met and not replace(match(found, 0.5, 2.0), whole=1.9).met
    assert not match(found, 1.0, 2.0).reached


def test_where_the_right_effect_is_unknown_every_goal_is_out_of_reach() -> None:
    found = points((1.0, 0.8), (2.0, 1.6))
    assert next_strength(found, 0.25, NAN) is None
    result = match(found, 0.25, NAN)
    assert (result.reached, result.met, result.strength) == (False, False, 2.0)
