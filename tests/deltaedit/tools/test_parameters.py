from dataclasses import MISSING, dataclass

import pytest

from deltaedit.tools.parameters import (
    any_seed,
    check,
    is_count,
    is_number,
    keyed,
    number,
    of_preset,
    one_of,
    parameter,
    positive,
    require,
    settled,
    true_or_false,
    whole,
)


class Editor:
    alpha = "much"


def test_the_sentence_names_parameter_owner_allowed_and_got():
    require(True, Editor(), "alpha", "a number")
    with pytest.raises(ValueError, match=r"^The 'alpha' parameter of Editor must be a number\. Got 'much' instead\.$"):
        require(False, Editor(), "alpha", "a number")


@pytest.mark.parametrize(("value", "right"), [(0, True), (1.0, True), (1.1, False), (-0.1, False), (True, False)])
def test_numbers_lie_between_the_bounds(value, right):
    assert is_number(value, 0, 1) is right


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "1", None])
def test_what_is_no_finite_number(value):
    assert not is_number(value, -1e9)


@pytest.mark.parametrize(("value", "right"), [(2, True), (1, False), (2.0, False), (True, False), ("2", False)])
def test_counts_are_whole_and_large_enough(value, right):
    assert is_count(value, 2) is right


@dataclass(frozen=True)
class Preset:
    steps: int = parameter(MISSING, whole(), "steps of Adam")
    power: str = parameter(MISSING, one_of(("high", "low")), "how strong")


@dataclass(eq=False)
class Gain:
    gain: float = parameter(2.0, number(0).or_else("auto"), "what the step is multiplied by", "factor")
    fast: bool = parameter(False, true_or_false(), "leave out the slow part")
    steps: int | None = of_preset(Preset, "steps")
    power: str = of_preset(Preset, "power", "auto")


def test_check_says_the_first_wrong_field_in_its_own_words():
    check(Gain())
    check(Gain(gain="auto", fast=True, steps=3, power="low"))
    for values, sentence in (
        ({"gain": -1.0}, r"'gain' parameter of Gain must be a number, 0 or more, or 'auto'\. Got -1\.0"),
        ({"fast": 1}, r"'fast' parameter of Gain must be true or false\. Got 1"),
        ({"steps": 0}, r"'steps' parameter of Gain must be a whole number, 1 or more, or none\. Got 0"),
        ({"power": "max"}, r"'power' parameter of Gain must be one of high, low, or 'auto'\. Got 'max'"),
        ({"gain": 2e12}, r"must be a number, 0 or more, or 'auto', and at most 1e\+12\. Got 2000000000000\.0"),
        ({"gain": float("inf")}, r"and at most 1e\+12\. Got inf"),
        ({"gain": float("nan")}, r"must be a number, 0 or more, or 'auto'\. Got nan"),
        ({"gain": 10**400}, r"at most 1e\+12\. Got 10{58}… instead"),
        ({"steps": 10**21}, r"must be a whole number, 1 or more, or none, and at most 1e\+09\. Got 10{21} instead"),
        ({"steps": 1e3}, r"must be a whole number, 1 or more, or none\. Got 1000\.0"),
    ):
        with pytest.raises(ValueError, match=sentence):
            check(Gain(**values))


def test_seeds_are_all_that_torch_takes_and_a_small_number_is_above_0():
    assert [any_seed().allows(value) for value in (-1, 0, 2**64 - 1, 2**64)] == [False, True, True, False]
    assert [positive().allows(value) for value in (0, 1e-300, 1e12, 1e13)] == [False, True, True, False]


def test_a_key_holds_the_named_fields_and_floats_stay_floats():
    assert keyed(Gain(gain=3)) == {"factor": 3.0}
    assert isinstance(keyed(Gain(gain=3))["factor"], float)


def test_what_is_given_takes_the_place_of_the_presets_values():
    preset = Preset(300, "high")
    assert settled(Gain(), preset) == preset
    assert settled(Gain(steps=7, power="low"), preset) == Preset(7, "low")
    assert settled(Gain(steps=7), preset) == Preset(7, "high")
