"""Whole files, and caches that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deltaedit.tools.artefacts import Artefacts
from deltaedit.tools.files import is_zip, keep, write_whole


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.bin"
    write_whole(path, lambda file: file.write(b"first"))

    def broken(file: object) -> None:
        file.write(b"sec")  # type: ignore[attr-defined]
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        write_whole(path, broken)
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_what_is_computed_is_given_also_without_a_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")  # no folder can be made below it
    artefacts = Artefacts(tmp_path / "file" / "cache")
    for _ in range(2):
        made = artefacts.get("relevance", {"a": 1}, lambda: {"x": torch.arange(3)})
        assert made.built_here
        assert made.tensors["x"].tolist() == [0, 1, 2]
    (line,) = capsys.readouterr().err.splitlines()  # once
    assert line.startswith(f"{tmp_path / 'file' / 'cache'} cannot be written (")
    assert line.endswith("): what is computed is not kept for the next time.")
    assert not keep(tmp_path / "file" / "y", lambda file: file.write(b""))


def test_an_archive_of_several_disks_is_no_zip_and_no_error(tmp_path):
    path = tmp_path / "split.pt"
    locator = b"PK\x06\x07" + bytes(12) + (2).to_bytes(4, "little")  # zip64: two disks
    path.write_bytes(bytes(100) + locator + b"PK\x05\x06" + bytes(18))
    assert not is_zip(path)
