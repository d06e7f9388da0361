from __future__ import annotations

from pathlib import Path

import pytest

from eval import folders


def test_the_named_folder_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path / "mine"))
    assert folders.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("DELTABENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert folders.cache_folder() == tmp_path / "xdg" / "deltabench"


def test_without_a_home_folder_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DELTABENCH_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *a, **k: Path("~/.cache/deltabench"))
    folder = folders.cache_folder()
    assert folder.is_absolute()
    assert folder.is_dir()
    assert folders.cache_folder() == folder
    assert capsys.readouterr().err == (
        "There is no home folder: what is computed is not kept for the next time; set DELTABENCH_CACHE to a folder.\n"
    )
