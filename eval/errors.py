"""The error that a user can cause and mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

MOST_TOLD = 20  # faults in one message


class UsageError(Exception):
    """One sentence: what, where, what was got, what is allowed, the command that helps. The exit code is then 2."""


class EditorStopped(RuntimeError):
    """An editor that ended, hung or failed in a way of its own, in one sentence; the exit code is then 1."""


def unknown(what: str, got: str, allowed: Iterable[str], help_command: str = "") -> UsageError:
    """The error for a name that does not exist, with the nearest one that does.

    >>> print(unknown("editor", "deltaedt", ["deltaedit", "identity"]))
    There is no editor 'deltaedt'; did you mean 'deltaedit'? There are: deltaedit, identity.
    """
    names = list(allowed)
    near = difflib.get_close_matches(got, names, n=1)
    guess = f"; did you mean '{near[0]}'?" if near else "."
    more = f" See `{help_command}`." if help_command else ""
    return UsageError(f"There is no {what} '{got}'{guess} There are: {', '.join(names)}.{more}")


def refuse(faults: Sequence[str]) -> None:
    """Tell all faults at once, one line each.

    Raises:
        UsageError: there are any.

    >>> refuse([])
    """
    if faults:
        more = [f"… and {len(faults) - MOST_TOLD} more."] if len(faults) > MOST_TOLD else []
        raise UsageError("\n".join([*faults[:MOST_TOLD], *more]))
