"""Files that are there whole or not at all, and caches that may be missing."""

from __future__ import annotations

import os
import secrets
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

Write = Callable[[IO[bytes]], object]


def write_whole(path: Path, write: Write, sync_folder: bool = True) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut.

    Args:
        path: replaced if it exists; folders that lack are made.
        write: given the open file.
        sync_folder: make the file's name durable at once; False where a later file of the same folder does it.

    Raises:
        OSError: it cannot be written; nothing is left behind then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(3)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        if sync_folder:
            _sync_folder(path.parent)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


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
