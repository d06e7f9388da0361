"""How many test images a domain has, and how many of them a run edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.errors import UsageError

if TYPE_CHECKING:
    from eval.domains.base import Domain

USUAL_IMAGES = 200  # test images of a run that is asked for no number


def image_count(domain: Domain, asked: int | None, limit: int | None = None) -> int:
    """How many test images a run edits.

    Args:
        domain: whose.
        asked: by the user; None for ``USUAL_IMAGES``, or all of fewer.
        limit: at most so many.

    Raises:
        UsageError: the user asks for more than there are; it says how many there are.
    """
    there: int | None = getattr(domain, "test_images", None)
    limited = limit is not None and there is not None and limit <= there
    if asked is not None and not limited:
        check_count(domain.name, there, asked)
    counts = (USUAL_IMAGES if asked is None else asked, there, limit)
    return min(count for count in counts if count is not None)


def check_count(domain: str, there: int | None, asked: int) -> None:
    """Refuse to edit more test images than there are.

    Args:
        domain: name.
        there: how many it has; None for as many as are asked for.
        asked: how many are wanted.

    Raises:
        UsageError: it says how many there are.
    """
    if there is not None and asked > there:
        raise UsageError(
            f"The domain '{domain}' has {there} test images, apart from those that calibrate strengths; {asked} were "
            f"asked for: run with --images {there}."
        )
