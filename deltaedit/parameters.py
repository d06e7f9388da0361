"""The one sentence that every editor says about a wrong hyper-parameter."""

from __future__ import annotations


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
        got = getattr(owner, parameter)
        name = type(owner).__name__
        raise ValueError(f"The '{parameter}' parameter of {name} must be {allowed}. Got {got!r} instead.")


def is_number(value: object, low: float, high: float = float("inf")) -> bool:
    """A finite int or float with ``low <= value <= high``; True and False are none.

    >>> is_number(0.5, 0), is_number(True, 0), is_number("1", 0), is_number(float("inf"), 0)
    (True, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return low <= value <= high and value not in (float("inf"), float("-inf"))


def is_count(value: object, low: int = 1) -> bool:
    """An int from ``low`` up; True and False are none.

    >>> is_count(3), is_count(0), is_count(1.0), is_count(True)
    (True, False, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= low
