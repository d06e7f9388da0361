import pytest

from deltaedit.parameters import is_count, is_number, require


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
