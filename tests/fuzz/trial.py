"""What a reader may do with an input: read it rightly, or say in one sentence why it does not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Protocol

from eval.errors import LONGEST, UsageError
from eval.weights.formats.files import CheckpointError


class Trial(Protocol):
    """Tries one input at a time on one reader.

    A class is made with a folder of its own. Calling it with a generator of random numbers makes an input and reads it,
    and raises what must not be: an error of another kind than the product's, or an AssertionError for a wrong reading.
    """

    def __call__(self, draw: Random) -> bool:
        """Whether the input was read; False: it was refused in one sentence."""


class Refused(Exception):
    """The reader said why it does not read the file."""


def read(reader: Callable[[], Any], folder: Path) -> Any:
    """What a reader makes of a file.

    Raises:
        Refused: it said one sentence, or one for each fault.
        AssertionError: that was no sentence, or too long a one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return reader()
    except (UsageError, CheckpointError) as error:
        check_sentences(error, folder)
        raise Refused(str(error)) from None


def check_sentences(error: Exception, folder: Path) -> None:
    """Refuse what is no sentence, is too long, or would spoil a terminal.

    Raises:
        AssertionError: it is.
    """
    lines = str(error).splitlines()
    assert lines, f"{type(error).__name__} without a word"
    for line in lines:
        line = line.replace(str(folder), "")
        assert 0 < len(line) <= LONGEST, f"{len(line)} letters: {line}"
