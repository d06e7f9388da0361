"""Hyper-parameters stated once: default, what is allowed, and what it is, beside the field that holds it.

An editor is a dataclass whose fields are made by ``parameter``. Its constructor, ``methods show``, the check in
``prepare`` and the keys of its artefacts all read these fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, get_args

Preset = TypeVar("Preset")
UNSET = (None, "auto")  # what stands for the value of a preset
MOST = 1e12  # of a number; float32 has room above
MOST_WHOLE = 10**9  # steps, images, pixels: more than any machine does
MOST_SEED = 2**64 - 1  # that torch takes
LONGEST_SHOWN = 60  # letters of a value in a sentence


@dataclass(frozen=True)
class Rule:
    """What a hyper-parameter may be.

    Attributes:
        text: ends the sentence "must be …".
        allows: whether a value is allowed.
        most: the largest number, where it goes without saying for all but absurd ones.
    """

    text: str
    allows: Callable[[Any], bool]
    most: float = math.inf

    def words(self, got: object) -> str:
        """The text, with the largest number where ``got`` is beyond it."""
        beyond = isinstance(got, int | float) and abs(got) > self.most
        return f"{self.text}, and at most {self.most:g}" if beyond else self.text

    def or_else(self, value: str | None) -> Rule:
        """The rule with one more value, as a text or None."""
        shown = "none" if value is None else f"'{value}'"
        return Rule(f"{self.text}, or {shown}", lambda got: got == value or self.allows(got), self.most)


def number(low: float = -math.inf, high: float = math.inf) -> Rule:
    """A finite number within limits that are allowed themselves.

    >>> number(0, 1).text, number(0).allows(0.5), number(0).allows(True), number(0).allows("1")
    ('a number from 0 to 1', True, False, False)
    """
    text = f"a number from {low:g} to {high:g}" if high < math.inf else f"a number, {low:g} or more"
    return Rule(text if low > -math.inf else "a finite number", lambda got: is_number(got, low, high), MOST)


def positive() -> Rule:
    """A number above 0."""
    return Rule("a number above 0", lambda got: is_number(got, 0) and got > 0, MOST)


def whole(low: int = 1, unit: str = "", most: int = MOST_WHOLE) -> Rule:
    """A whole number from ``low`` up."""
    return Rule(f"a whole number{unit and f' of {unit}'}, {low} or more", lambda got: is_count(got, low, most), most)


def any_seed() -> Rule:
    """A seed of random numbers."""
    return whole(0, most=MOST_SEED)


def one_of(values: Any) -> Rule:
    """One of these texts, or of those of a ``Literal``."""
    allowed: Iterable[str] = get_args(values) or values
    return Rule(f"one of {', '.join(allowed)}", lambda got: got in allowed)


def true_or_false() -> Rule:
    """A switch."""
    return Rule("true or false", lambda got: isinstance(got, bool))


def parameter(default: Any, rule: Rule, about: str, key: str = "") -> Any:
    """A dataclass field that is a hyper-parameter.

    Args:
        default: ``MISSING`` of dataclasses for none.
        rule: what it may be.
        about: what it is.
        key: its name in an artefact's key, where it belongs there.
    """
    return field(default=default, metadata={"rule": rule, "about": about, "key": key})


def of_preset(settings: type, name: str, unset: str | None = None) -> Any:
    """A field like that of a preset's settings; ``unset``, the default, takes the preset's value."""
    like = settings.__dataclass_fields__[name].metadata  # type: ignore[attr-defined]
    about = f"{like['about']}; {unset or 'none'}: the preset's"
    return parameter(unset, like["rule"].or_else(unset), about, like["key"])


def settled(editor: object, preset: Preset) -> Preset:
    """The settings of a preset with the values that the editor was given in their place."""
    own = {each.name: getattr(editor, each.name, None) for each in fields(preset)}  # type: ignore[arg-type]
    return replace(preset, **{name: value for name, value in own.items() if value not in UNSET})  # type: ignore[type-var]


def keyed(owner: object) -> dict[str, object]:
    """What belongs in an artefact's key, by its name there; numbers are floats where the default is one."""
    found = {}
    for each in fields(owner):  # type: ignore[arg-type]
        if each.metadata.get("key"):
            value = getattr(owner, each.name)
            found[each.metadata["key"]] = float(value) if isinstance(each.default, float) else value
    return found


def check(owner: object) -> None:
    """Check every hyper-parameter of a dataclass.

    Raises:
        ValueError: one is not what it may be.
    """
    for each in fields(owner):  # type: ignore[arg-type]
        rule = each.metadata.get("rule")
        if rule is not None:
            got = getattr(owner, each.name)
            require(rule.allows(got), owner, each.name, rule.words(got))


def require(right: bool, owner: object, parameter: str, allowed: str) -> None:
    """Check a hyper-parameter, which is an attribute of ``owner`` by the same name.

    Args:
        right: whether the value is allowed.
        owner: the editor.
        parameter: its name.
        allowed: ends "must be …", for example ``0 or more``.

    Raises:
        ValueError: it is not.

    >>> from types import SimpleNamespace
    >>> require(False, SimpleNamespace(alpha=-1), "alpha", "0 or more")
    Traceback (most recent call last):
    ValueError: The 'alpha' parameter of SimpleNamespace must be 0 or more. Got -1 instead.
    """
    if not right:
        got = repr(getattr(owner, parameter))
        shown = got if len(got) <= LONGEST_SHOWN else f"{got[: LONGEST_SHOWN - 1]}…"
        name = type(owner).__name__
        raise ValueError(f"The '{parameter}' parameter of {name} must be {allowed}. Got {shown} instead.")


def is_number(value: object, low: float, high: float = math.inf) -> bool:
    """An int or float with ``low <= value <= high`` and a size that can be computed with; True and False are none.

    >>> is_number(0.5, 0), is_number(True, 0), is_number("1", 0), is_number(float("inf"), 0), is_number(10**400, 0)
    (True, False, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return low <= value <= high and abs(value) <= MOST


def is_count(value: object, low: int = 1, most: int = MOST_WHOLE) -> bool:
    """An int from ``low`` to ``most``; True and False are none.

    >>> is_count(3), is_count(0), is_count(1.0), is_count(True), is_count(10**21)
    (True, False, False, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= most
