"""How far a run is, on standard error: a bar with the remaining time, or plain lines where nobody watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Progress:
    """Counts edits.

    Args:
        total: edits to make.
        quiet: show nothing.
    """

    def __init__(self, total: int, quiet: bool = False) -> None:
        self.total = total
        self.done = 0
        self.quiet = quiet
        self._began = time.perf_counter()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task("starting", total=self.total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int) -> None:
        """``count`` more edits are made (or given up)."""
        self.done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)

    def describe(self, text: str) -> None:
        """Say what is worked on; where there is no bar, one line with the remaining time."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=text)
        elif not self.quiet:
            print(f"{self.done}/{self.total} edits{self._remaining()}: {text}", file=sys.stderr, flush=True)

    def _remaining(self) -> str:
        if not self.done:
            return ""
        left_s = (time.perf_counter() - self._began) * (self.total - self.done) / self.done
        return f", about {duration(left_s)} left"


def duration(seconds: float) -> str:
    """A duration in words.

    >>> duration(95), duration(7300), duration(0.2)
    ('1 min 35 s', '2 h 1 min', '1 s')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
