"""How far a command is, on standard error: a bar with the remaining time, a notebook's line, or plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Timer
from types import TracebackType
from typing import Any, Protocol, Self

PATIENCE_S = 2.0  # a plain line says what takes longer
REDRAW_S = 0.2  # of a notebook's line


class Pace:
    """How long the edits that are left take, each editor at its own pace.

    What comes before the first edits (sources are judged, matrices computed) is not counted, so the first guess is no
    wild one. Editors that have not begun are assumed to differ from the others as their usual costs do.

    Args:
        edits: to make, by editor.
        usual_s: seconds an edit usually takes, by editor; may be of another machine.
    """

    def __init__(self, edits: Mapping[str, int], usual_s: Mapping[str, float] | None = None) -> None:
        self._left = dict(edits)
        self._usual_s = dict(usual_s or {})
        self._made: dict[str, int] = {}
        self._spent_s: dict[str, float] = {}
        self._last: float | None = None

    def made(self, editor: str, count: int, now: float) -> None:
        """``count`` edits of this editor are done at the time ``now`` in seconds."""
        self._left[editor] = max(0, self._left.get(editor, 0) - count)
        if self._last is not None:
            self._made[editor] = self._made.get(editor, 0) + count
            self._spent_s[editor] = self._spent_s.get(editor, 0.0) + now - self._last
        self._last = now

    def left_s(self) -> float | None:
        """Seconds that remain; None where nothing can be said yet.

        >>> pace = Pace({"fast": 100, "slow": 10}, {"fast": 0.1, "slow": 1.0})
        >>> pace.made("fast", 20, 50.0); pace.left_s()
        >>> pace.made("fast", 40, 58.0); pace.left_s()  # 40 more at 0.2 s, 10 at ten times that
        28.0
        """
        known = {editor: self._spent_s[editor] / made for editor, made in self._made.items() if made}
        usual_s = sum(self._usual_s.get(editor, 0.0) * self._made[editor] for editor in known)
        spent_s = sum(self._spent_s[editor] for editor in known if editor in self._usual_s)
        total_s = 0.0
        for editor, count in self._left.items():
            if count and editor not in known and (editor not in self._usual_s or not usual_s):
                return None
            if count:
                total_s += count * known.get(editor, self._usual_s.get(editor, 0.0) * spent_s / (usual_s or 1.0))
        return total_s if known else None


class Progress:
    """Counts edits.

    Args:
        edits: to make: a number, or one an editor.
        quiet: show nothing.
        usual_s: as ``Pace`` takes it.
    """

    def __init__(
        self, edits: int | Mapping[str, int], quiet: bool = False, usual_s: Mapping[str, float] | None = None
    ) -> None:
        by_editor = {"": edits} if isinstance(edits, int) else dict(edits)
        self.total = sum(by_editor.values())
        self.done = 0
        self._editor = next(iter(by_editor), "")
        self._pace = Pace(by_editor, usual_s)
        self._view: View = _Nothing() if quiet else _view(self.total)

    def __enter__(self) -> Self:
        self._view.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._view.close()

    def advance(self, count: int, editor: str = "") -> None:
        """``count`` more edits are made (or given up), of the editor that was described last where none is named."""
        self.done += count
        self._pace.made(editor or self._editor, count, time.perf_counter())
        self._view.advanced(self.done, self._pace.left_s())

    def describe(self, text: str, editor: str = "") -> None:
        """Say what is worked on, and whose edits are made from here on."""
        self._editor = editor or self._editor
        self._view.described(text, self.done, self._pace.left_s())

    def say(self, text: str) -> None:
        """Print lines on standard error, above a bar that goes on."""
        self._view.say(text)


class View(Protocol):
    """Where progress is seen."""

    def open(self) -> None:
        """Begin."""

    def close(self) -> None:
        """End."""

    def advanced(self, done: int, left_s: float | None) -> None:
        """So many edits are done, so many seconds are left."""

    def described(self, text: str, done: int, left_s: float | None) -> None:
        """Something else is worked on."""

    def say(self, text: str) -> None:
        """Print lines that stay."""


class _Nothing:
    def open(self) -> None: ...
    def close(self) -> None: ...
    def advanced(self, done: int, left_s: float | None) -> None: ...
    def described(self, text: str, done: int, left_s: float | None) -> None: ...
    def say(self, text: str) -> None: ...


class _Lines(_Nothing):
    """One line for everything that is begun."""

    def __init__(self, total: int) -> None:
        self.total = total

    def described(self, text: str, done: int, left_s: float | None) -> None:
        print(f"{done}/{self.total} edits{_left(left_s)}: {text}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class _Bar:
    """A bar on a terminal; its spinner turns while a single edit takes long."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._escape = escape
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        left = TextColumn("{task.fields[left]}")
        self.bar = Progress(*columns, TimeElapsedColumn(), left, console=Console(stderr=True), transient=True)
        self._task = self.bar.add_task("starting", total=total, left="")

    def open(self) -> None:
        self.bar.start()

    def close(self) -> None:
        self.bar.stop()

    def advanced(self, done: int, left_s: float | None) -> None:
        self.bar.update(self._task, completed=done, left=_left(left_s).removeprefix(", "))

    def described(self, text: str, done: int, left_s: float | None) -> None:
        self.bar.update(self._task, description=self._escape(text))

    def say(self, text: str) -> None:
        self.bar.console.print(text, highlight=False, markup=False, soft_wrap=True)


class _Notebook:
    """One line below the cell, written over."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._text = "starting"
        self._shown_at = 0.0
        self._handle: Any = None

    def open(self) -> None:
        from IPython.display import display

        self._handle = display(_plain(self._text), display_id=True)

    def close(self) -> None:
        self._handle.update(_plain(""))

    def advanced(self, done: int, left_s: float | None) -> None:
        now = time.monotonic()
        if now - self._shown_at > REDRAW_S:
            self._shown_at = now
            self._handle.update(_plain(f"{done}/{self.total} edits{_left(left_s)}: {self._text}"))

    def described(self, text: str, done: int, left_s: float | None) -> None:
        self._text = text
        self.advanced(done, left_s)

    def say(self, text: str) -> None:
        print(text)


def _view(total: int) -> View:
    if in_notebook():
        return _Notebook(total)
    return _Bar(total) if sys.stderr.isatty() else _Lines(total)


def in_notebook() -> bool:
    """Whether cells of a notebook are run, whose output can be written over."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")


@contextmanager
def activity(text: str, quiet: bool = False) -> Iterator[None]:
    """Say what is done meanwhile; where nobody watches a terminal, only of what takes more than two seconds.

    Args:
        text: for example ``loading avatars``.
        quiet: say nothing.
    """
    if quiet:
        yield
    elif in_notebook():
        from IPython.display import display

        handle = display(_plain(f"{text} …"), display_id=True)
        try:
            yield
        finally:
            handle.update(_plain(""))
    elif sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(f"{text} …".replace("[", r"\[")):
            yield
    else:
        late = Timer(PATIENCE_S, lambda: print(f"{text} …", file=sys.stderr, flush=True))
        late.daemon = True
        late.start()
        try:
            yield
        finally:
            late.cancel()
            late.join()


def _plain(text: str) -> Any:
    from IPython.display import Pretty

    return Pretty(text)


def _left(left_s: float | None) -> str:
    return "" if left_s is None else f", about {duration(left_s)} left"


def duration(seconds: float) -> str:
    """A duration in words.

    >>> duration(95), duration(7300), duration(0.2)
    ('1 min 35 s', '2 h 1 min', '1 s')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
