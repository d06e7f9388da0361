"""Files that are there whole or not at all, and caches that may be missing."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import secrets
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar, cast

SEAL = b"deltabench-seal-"  # before the sha256 of a sealed file's name and contents, at its end
BLOCK = 1 << 20
Read = TypeVar("Read")
Write = Callable[[IO[bytes]], object]


def file_sha256(path: Path) -> str:
    """sha256 of a file's content, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, write: Write, sync_folder: bool = True) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut.

    Args:
        path: replaced if it exists; folders that lack are made.
        write: given the open file.
        sync_folder: make the file's name durable at once; False where a later file of the same folder does it.

    Raises:
        OSError: it cannot be written; nothing is left behind then.
    """
    temporary = path.with_name(f".{path.name}.{_host()}-{os.getpid()}-{secrets.token_hex(3)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        if sync_folder:
            _sync_folder(path.parent)
        _sweep(path.parent)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


@cache
def _host() -> str:
    """A few letters that tell machines apart which write to one folder."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


@cache
def _sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left half-written in a folder; once a process."""
    for leftover in folder.glob(f".*.{_host()}-*.tmp"):
        with suppress(OSError, ValueError):
            if not _is_alive(int(leftover.name.split("-")[-2])):
                leftover.unlink()


def _is_alive(process: int) -> bool:
    """Whether there is a process of this number; on Windows, where asking would end it, True."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def keep(path: Path, write: Write) -> bool:
    """Write a file of a cache, if that can be; where not, one sentence on standard error says so, once a folder.

    Returns:
        Whether the file is there.
    """
    try:
        write_whole(path, write)
    except OSError as error:
        _tell(path.parent, error.strerror or str(error))
        return False
    return True


def keep_sealed(path: Path, write: Write) -> bool:
    """As ``keep``, with a checksum of name and contents at the end, behind which readers of arrays do not look."""

    def sealing(file: IO[bytes]) -> None:
        hashing = _Hashing(file, path.name)
        write(cast(IO[bytes], hashing))
        file.write(SEAL + hashing.total.digest())

    return keep(path, sealing)


def read_kept(path: Path, read: Callable[[Path], Read]) -> Read | None:
    """What a file of a cache holds; None where it is missing, or is damaged, which is told: it is to be made again.

    Args:
        path: of the file; one without a checksum, of an earlier version, is taken as it is.
        read: the file -> what it holds; raises where that is not what it should be.
    """
    if not path.exists():
        return None
    try:
        if not _seal_fits(path):
            raise ValueError("it is damaged, or another file under its name")
        return read(path)
    except Exception as error:  # a damaged file raises nearly anything
        print(f"{path} is made again: {' '.join(str(error).split())}.", file=sys.stderr)
        return None


class _Hashing:
    """A file that is written only, and the checksum of what was written."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self.total = hashlib.sha256(name.encode())

    def write(self, data: Any) -> int:
        self.total.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def read(self, size: int = -1) -> bytes:
        """Nothing: NumPy takes for a file what has this method."""
        raise io.UnsupportedOperation("a file that is written")


def _seal_fits(path: Path) -> bool:
    """Whether a sealed file is as it was written; True of one without a seal."""
    length = len(SEAL) + 32
    with open(path, "rb") as file:
        left = file.seek(0, os.SEEK_END) - length
        file.seek(max(0, left))
        end = file.read()
        if not end.startswith(SEAL):
            return True
        file.seek(0)
        total = hashlib.sha256(path.name.encode())
        while left > 0 and (block := file.read(min(BLOCK, left))):
            total.update(block)
            left -= len(block)
    return end[len(SEAL) :] == total.digest()


@cache
def _tell(folder: Path, reason: str) -> None:
    print(f"{folder} cannot be written ({reason}): what is computed is not kept for the next time.", file=sys.stderr)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no such call and needs none."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_zip(path: Path) -> bool:
    """Whether a file is a zip archive; one of damaged ends, at which the standard library raises, is none."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return False
