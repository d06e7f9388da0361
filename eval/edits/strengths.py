"""The grammar of ``--strength``: ``start:stop:step``, or numbers with commas between them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from eval.errors import UsageError

MOST = 64  # pictures side by side


def parse_strengths(text: str) -> tuple[float, ...]:
    """The strengths that a text asks for, in its order, each once; ``stop`` is included where a step reaches it.

    >>> parse_strengths("0:1:0.25")
    (0.0, 0.25, 0.5, 0.75, 1.0)
    >>> parse_strengths("1, 0, 2.5")
    (1.0, 0.0, 2.5)

    Raises:
        UsageError: another grammar, a step that does not lead from start to stop, or too many strengths.
    """
    wrong = UsageError(
        f"--strength must be start:stop:step, e.g. 0:2:0.25, or numbers with commas, e.g. 0,1. Got '{text}' instead."
    )
    try:
        numbers = [Decimal(part.strip()) for part in text.split(":" if ":" in text else ",")]
    except InvalidOperation:
        raise wrong from None
    if not all(number.is_finite() and abs(number) <= 1_000_000 for number in numbers):
        raise wrong
    if ":" in text:
        if len(numbers) != 3 or numbers[2] == 0 or (numbers[1] - numbers[0]) * numbers[2] < 0:
            raise wrong
        start, stop, step = numbers
        count = int((stop - start) / step) + 1
        numbers = [start + step * number for number in range(min(count, MOST + 1))]  # Decimal: 0.1 stays 0.1
    if len(numbers) > MOST:
        raise UsageError(f"--strength '{text}' asks for more than {MOST} strengths; take a larger step.")
    return tuple(dict.fromkeys(float(number) for number in numbers))
