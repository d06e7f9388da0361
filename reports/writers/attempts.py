"""Parts of a report, each made by itself: one that fails is named with its reason, and the others are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_REASON = 200  # letters of a reason


@contextmanager
def attempt(part: str, problems: list[str] | None) -> Iterator[None]:
    """Try to make one part of a report.

    A file that cannot be written (``OSError``: the folder is read-only, the disk is full) is raised at once, as nothing
    else could be written either.

    Args:
        part: what is made, for example ``figures/grid``.
        problems: takes the sentence about a failure; None: failures are raised.

    >>> problems = []
    >>> with attempt("figures/grid", problems):
    ...     raise ValueError("no picture")
    >>> problems
    ['figures/grid could not be made: no picture (ValueError).']
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if problems is None:
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        if len(reason) > LONGEST_REASON:
            reason = reason[: LONGEST_REASON - 1] + "…"
        problems.append(f"{part} could not be made: {reason} ({type(error).__name__}).")
