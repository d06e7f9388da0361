from __future__ import annotations

from types import SimpleNamespace

import pytest

from eval.runs.progress import Progress, duration


def test_plain_lines_where_nobody_watches(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = iter((100.0, 107.0))  # at the start, and when 5 of 10 are made
    monkeypatch.setattr("eval.runs.progress.time", SimpleNamespace(perf_counter=lambda: next(now_s)))
    with Progress(10) as progress:
        progress.describe("smile, deltaedit")
        progress.advance(5)
        progress.describe("glasses, deltaedit")
    first, second = capsys.readouterr().err.splitlines()
    assert first == "0/10 edits: smile, deltaedit"
    assert second == "5/10 edits, about 7 s left: glasses, deltaedit"


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(10, quiet=True) as progress:
        progress.describe("smile")
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress(10) as progress:
        progress.describe("smile")
        progress.advance(10)
        assert progress._bar is not None
        assert progress._bar.finished


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "1 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
