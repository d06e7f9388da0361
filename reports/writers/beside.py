"""Some work in a second process, while this one goes on: for reports on a machine of several cores."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import Generic, Self, TypeVar

from eval.device import cores

Result = TypeVar("Result")
PATIENCE_S = 300.0  # after this the second process counts as lost


class Beside(Generic[Result]):
    """Work that a fork of this process begins at once; it has all that this one has in memory.

    Where there is no second core, no fork (Windows; macOS, whose libraries do not bear it) or another thread, which a
    fork would leave standing in the middle of something, and where the fork is lost, this process does the work when
    the result is asked for.

    Args:
        work: what to do; its result can be sent to another process.
    """

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._process: ForkProcess | None = None
        self._answer: Connection

    def __enter__(self) -> Self:
        if sys.platform == "linux" and cores() > 1 and threading.active_count() == 1:
            context = get_context("fork")
            self._answer, theirs = context.Pipe(duplex=False)
            self._process = context.Process(target=_send, args=(self._work, theirs), name="deltabench report")
            self._process.start()
            theirs.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._answer.close()
            self._process.kill()
            self._process.join()

    def result(self) -> Result:
        """What the work gives.

        Raises:
            Exception: whatever the work raises, here.
        """
        if self._process is not None and self._answer.poll(PATIENCE_S):
            try:
                found: Result = self._answer.recv()
                return found
            except EOFError:  # it raised, or was killed
                pass
        return self._work()


def _send(work: Callable[[], Result], answer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits: it ends this one
    try:
        found = work()
    except Exception:  # done again, and raised, in the process that asks
        return
    answer.send(found)
