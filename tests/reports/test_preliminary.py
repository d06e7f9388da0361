from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from reports.preliminary import preliminary


def test_means_over_what_every_editor_has(small_run: Path, tmp_path: Path) -> None:
    """Against means taken here from the files; one editor's chunks of the first prompt are all that it has."""
    folder = shutil.copytree(small_run, tmp_path / "run")
    for path in sorted((folder / "chunks").glob("styleclip-global--*--default-*")):
        if "--glasses--" not in path.name:
            path.unlink()
    text = preliminary(folder)
    parts = [pd.read_parquet(path) for path in (folder / "chunks").glob("*--glasses--default-*.parquet")]
    cells = pd.concat(parts)
    cells = cells[cells["eligible"]]
    lines = text.splitlines()
    assert lines[0].startswith("Preliminary: ") and "'glasses'" in lines[0] and "the run goes on" in lines[0]
    for label, own in cells.groupby("editor"):
        (line,) = (line for line in lines if line.split()[:1] == [label])
        expected = [own[name].mean() for name in ("success", "preservation", "identity")]
        assert [float(word) for word in line.split()[-3:]] == pytest.approx(expected, abs=0.006)


def test_nothing_is_said_too_early(small_run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(small_run, tmp_path / "run")
    for path in (folder / "chunks").glob("styleclip-global--*"):
        path.unlink()
    assert preliminary(folder) == ""
    for path in (folder / "chunks").glob("*"):
        path.unlink()
    assert preliminary(folder) == ""
