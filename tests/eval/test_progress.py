from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from eval.progress import Pace, Progress, _Bar, activity, duration


def test_plain_lines_where_nobody_watches(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = iter((107.0, 110.0))  # when 4 and 6 of 10 are made: 1.5 s an edit, what came before the first apart
    monkeypatch.setattr("eval.progress.time", SimpleNamespace(perf_counter=lambda: next(now_s)))
    with Progress(10) as progress:
        progress.describe("smile, deltaedit")
        progress.advance(4)
        progress.describe("hat, deltaedit")
        progress.advance(2)
        progress.describe("glasses, deltaedit")
    first, unknown, second = capsys.readouterr().err.splitlines()
    assert first == "0/10 edits: smile, deltaedit"
    assert unknown == "4/10 edits: hat, deltaedit"
    assert second == "6/10 edits, about 6 s left: glasses, deltaedit"


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(10, quiet=True) as progress:
        progress.describe("smile")
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress(10) as progress:
        progress.describe("smile")
        progress.advance(10)
        assert isinstance(progress._view, _Bar)
        assert progress._view.bar.finished


def test_what_is_not_known_of_an_editor_is_not_guessed() -> None:
    pace = Pace({"known": 10, "new": 5}, {"known": 1.0})
    pace.made("known", 2, 0.0)
    pace.made("known", 4, 8.0)
    assert pace.left_s() is None  # nobody knows how slow "new" is
    pace.made("known", 4, 16.0)
    pace.made("new", 1, 26.0)
    assert pace.left_s() == 40.0  # four more at 10 s


def test_what_takes_long_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.progress.PATIENCE_S", 0.01)
    with activity("loading avatars"):
        time.sleep(0.2)
    with activity("loading nothing", quiet=True):
        time.sleep(0.05)
    monkeypatch.setattr("eval.progress.PATIENCE_S", 10)
    with activity("loading fast"):
        pass
    assert capsys.readouterr().err == "loading avatars …\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "1 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
