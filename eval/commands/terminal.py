"""Standard output and error of a command: whatever they are, finished work never ends as an error of printing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from eval.errors import LONGEST

GONE = BrokenPipeError if os.name == "posix" else OSError  # Windows has no error of its own for it


class Patient:
    """A stream whose reader may leave (``| head -1``): what is written afterwards goes nowhere, and work goes on.

    Args:
        stream: standard output or error.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of any stream of text."""
        try:
            return int(self._stream.write(text))
        except GONE:
            self._leave()
            return len(text)

    def flush(self) -> None:
        """As of any stream of text."""
        try:
            self._stream.flush()
        except GONE:
            self._leave()

    def _leave(self) -> None:
        """Point the stream's descriptor to nowhere, also for what is still in its buffer."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with suppress(OSError, ValueError):
            os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def patient_streams() -> Iterator[None]:
    """While a command runs, letters that the terminal lacks are printed as escapes, and readers may leave."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (stream if stream is None else Patient(stream) for stream in before)  # type: ignore[assignment]
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with suppress(ValueError):  # closed by somebody
                    stream.flush()
        sys.stdout, sys.stderr = before


def printable(sentence: str) -> str:
    r"""A sentence as it is printed: control characters of names in it as escapes, without its middle where it is long.

    >>> printable("no \x1b[31mfile")
    'no \\x1b[31mfile'
    >>> len(printable("x" * 1000))
    300
    """
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in sentence)
    half = (LONGEST - 3) // 2  # what is wrong stands at the beginning, what to do at the end
    return line if len(line) <= LONGEST else f"{line[: half + 1]} … {line[-half:]}"
