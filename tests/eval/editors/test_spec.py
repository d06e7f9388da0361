from __future__ import annotations

from typing import Literal

import pytest

from eval.editors.spec import parameters_of, parse_parameters, split_methods
from eval.errors import UsageError


class Knobs:
    def __init__(
        self,
        whole: int = 3,
        share: float = 0.5,
        flag: bool = False,
        word: str = "a",
        maybe: float | None = None,
        either: Literal["low", "high"] = "low",
        norm: float | str = "auto",
        bare=7,
    ) -> None:
        self.given = (whole, share, flag, word, maybe, either, norm, bare)


class Needy:
    def __init__(self, path: str) -> None:
        self.path = path


class Refusing:
    def __init__(self, gain: float = 1.0) -> None:
        raise ValueError("The 'gain' parameter of Refusing must be\n 0 to 1.")


class Seeded:
    def __init__(self, seed: int = 0) -> None:
        self.seed = seed


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("whole", "4", 4),
        ("share", "4", 4.0),
        ("share", "-1e-3", -0.001),
        ("flag", "true", True),
        ("flag", "No", False),
        ("word", "4", "4"),
        ("maybe", "none", None),
        ("maybe", "0.25", 0.25),
        ("either", "high", "high"),
        ("norm", "2", 2.0),
        ("norm", "styleclip-global", "styleclip-global"),
        ("bare", "8", 8),
    ],
)
def test_values_have_the_type_of_their_parameter(name: str, text: str, value: object) -> None:
    got = parse_parameters("knobs", Knobs, {name: text}).parameters[name]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("whole", "4.5", "int"),
        ("flag", "2", "bool"),
        ("maybe", "much", "float or none"),
        ("either", "middle", "low or high"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, text: str, allowed: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_parameters("knobs", Knobs, {name: text})
    assert str(caught.value) == f"The '{name}' parameter of knobs must be {allowed}. Got '{text}' instead."


def test_the_label_does_not_depend_on_order_or_writing() -> None:
    first = parse_parameters("knobs", Knobs, {"share": "0.250", "whole": "4", "flag": "false"})
    second = parse_parameters("knobs", Knobs, {"whole": "4", "share": "2.5e-1"})
    assert first.label == second.label == "knobs[whole=4,share=0.25]"


def test_labels_of_different_values_differ() -> None:
    labels = {parse_parameters("knobs", Knobs, {"share": text}).label for text in ("0.1234567", "0.1234568")}
    assert len(labels) == 2


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(UsageError, match=r"The editor needy needs a value: write needy\[path=…\]."):
        parse_parameters("needy", Needy, {})
    assert parse_parameters("needy", Needy, {"path": "a b.pt"}).build(0).path == "a b.pt"


def test_what_a_constructor_refuses_is_one_sentence() -> None:
    with pytest.raises(UsageError) as caught:
        parse_parameters("refusing", Refusing, {}).build(0)
    assert str(caught.value) == ("The editor refusing cannot be made: The 'gain' parameter of Refusing must be 0 to 1.")


def test_the_seed_of_the_run_goes_where_one_is_taken_and_none_given() -> None:
    assert parse_parameters("seeded", Seeded, {}).build(5).seed == 5
    assert parse_parameters("seeded", Seeded, {"seed": "7"}).build(5).seed == 7
    assert parse_parameters("seeded", Seeded, {}).label == "seeded"


def test_commas_inside_brackets_do_not_part_editors() -> None:
    assert split_methods("a[x=1,y=2],b , c[z=-1]") == [("a", {"x": "1", "y": "2"}), ("b", {}), ("c", {"z": "-1"})]


def test_types_in_words() -> None:
    assert [p.type_name for p in parameters_of(Knobs)] == [
        "int", "float", "bool", "str", "float or none", "low or high", "float or str", "int",
    ]  # fmt: skip
    assert parameters_of(type("Bare", (), {})) == ()
