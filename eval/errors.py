"""The error that a user can cause and mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from deltaedit.tools.errors import CheckpointError

MOST_TOLD = 20  # faults in one message
LONGEST = 300  # letters of a sentence
LONGEST_NAME = 60  # letters of what a user wrote, where a sentence repeats it


class UsageError(Exception):
    """One sentence: what, where, what was got, what is allowed, the command that helps. The exit code is then 2.

    Several mistakes are told at once as several arguments, one sentence each.
    """

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


class EditorStopped(RuntimeError):
    """An editor that ended, hung or failed in a way of its own, in one sentence; the exit code is then 1."""


def unknown(what: str, got: str, allowed: Iterable[str], help_command: str = "") -> UsageError:
    """The error for a name that does not exist, with the nearest one that does.

    >>> print(unknown("editor", "deltaedt", ["deltaedit", "identity"]))
    There is no editor 'deltaedt'; did you mean 'deltaedit'? There are: deltaedit, identity.
    """
    names = list(allowed)
    near = difflib.get_close_matches(got[:LONGEST], names, n=1)
    guess = f"; did you mean '{near[0]}'?" if near else "."
    more = f" See `{help_command}`." if help_command else ""
    begin = f"There is no {what} '{shortened(got)}'{guess} There are: "
    return UsageError(f"{begin}{_listed(names, LONGEST - len(begin) - len(more) - 1)}.{more}")


def shortened(text: object, most: int = LONGEST_NAME) -> str:
    """What a user wrote, cut where it is long, on one line.

    >>> shortened("x" * 100, 5)
    'xxxx…'
    """
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _listed(names: Sequence[str], room: int) -> str:
    """As many of the names as there is room for, at least one; how many are left out is said.

    >>> _listed(["deltaedit", "identity", "stylemc"], 27)
    'deltaedit and 2 more'
    """
    for count in range(len(names), 1, -1):
        text = ", ".join(names[:count]) + (f" and {len(names) - count} more" if count < len(names) else "")
        if len(text) <= room:
            return text
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else ", ".join(names)


def refuse(faults: Sequence[str]) -> None:
    """Tell all faults at once, one line each.

    Raises:
        UsageError: there are any.

    >>> refuse([])
    """
    if faults:
        more = [f"… and {len(faults) - MOST_TOLD} more."] if len(faults) > MOST_TOLD else []
        raise UsageError(*faults[:MOST_TOLD], *more)


@contextmanager
def collected(faults: list[str]) -> Iterator[None]:
    """Add a mistake's sentences to ``faults`` and go on, so that all mistakes are told at once.

    >>> faults = []
    >>> with collected(faults):
    ...     raise UsageError("There is no picture a.png.")
    >>> faults
    ['There is no picture a.png.']
    """
    try:
        yield
    except (UsageError, CheckpointError) as error:
        faults += map(str, error.args)
