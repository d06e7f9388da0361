"""Whole files, and caches that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from deltaedit.tools.artefacts import Artefacts
from deltaedit.tools.files import is_zip, keep, keep_sealed, read_kept, write_whole


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


@pytest.mark.parametrize("how", ["truncated", "emptied", "changed", "another's"])
def test_a_sealed_file_of_a_cache_is_read_or_told_and_made_again(
    tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "x.npy", tmp_path / "y.npy"
    for each, value in ((path, 1), (other, 2)):
        assert keep_sealed(each, lambda file, value=value: np.save(file, np.full((50, 4), value)))  # type: ignore[misc]
    read = read_kept(path, lambda at: np.load(at, mmap_mode="r"))
    assert read is not None and np.array_equal(read, np.full((50, 4), 1))
    whole = path.read_bytes()
    contents = {
        "truncated": whole[:200],
        "emptied": b"",
        "changed": whole[:-60] + b"\x07" + whole[-59:],
        "another's": other.read_bytes(),
    }
    path.write_bytes(contents[how])
    assert read_kept(path, lambda at: np.load(at, mmap_mode="r")) is None
    assert capsys.readouterr().err.startswith(f"{path} is made again: ")
    assert read_kept(tmp_path / "missing.npy", np.load) is None and not capsys.readouterr().err


def test_an_archive_is_read_before_its_seal_and_an_earlier_file_without_one(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for write in (keep_sealed, keep):
        write(path, lambda file: np.savez(file, w=np.arange(3), x=np.ones(2)))
        with np.load(path) as arrays:
            assert arrays["w"].tolist() == [0, 1, 2] and arrays["x"].tolist() == [1, 1]
        assert read_kept(path, lambda at: 5) == 5


@pytest.mark.skipif(os.name != "posix", reason="other systems are not asked")
def test_what_a_killed_process_left_is_removed_by_the_next_that_writes(tmp_path: Path) -> None:
    kill = "import os, pathlib, sys; from deltaedit.tools.files import write_whole; "
    kill += "write_whole(pathlib.Path(sys.argv[1]), lambda file: os.kill(os.getpid(), 9))"
    killed = subprocess.run([sys.executable, "-c", kill, str(tmp_path / "x.bin")], cwd=Path(__file__).parents[3])
    assert killed.returncode == -9
    (left,) = tmp_path.iterdir()
    mine = tmp_path / left.name.replace(left.name.split("-")[-2], str(os.getpid()))  # of a process that lives
    mine.write_bytes(b"")
    write_whole(tmp_path / "y.bin", lambda file: file.write(b"y"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, "y.bin"])
