"""Files of a run folder are written whole or not at all, and one process writes at a time."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from deltaedit.tools.files import Write, write_whole
from eval.errors import UsageError

LOCK = ".lock"


class StorageError(UsageError):
    """The folder cannot be written: no chunk could be stored, so the run stops."""


def write_atomically(path: Path, write: Write, sync_folder: bool = True) -> None:
    """Write a file of a run folder; arguments as ``deltaedit.tools.files.write_whole`` takes them.

    Raises:
        StorageError: no space left, or no permission.
    """
    try:
        write_whole(path, write, sync_folder)
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """The sentence for a file that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"No space left to write {path}; make room and run the same command again to go on.")
    return StorageError(f"{path} cannot be written ({error.strerror or error}); choose another --out.")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second process out of a folder; the system lifts the lock of a killed one.

    A folder in which nothing was written is left as it was: no lock, no folder that was made for it.

    Raises:
        UsageError: another process is writing to it.
        StorageError: the folder cannot be made.
    """
    from filelock import FileLock, Timeout

    made = [each for each in (folder, *folder.parents) if not each.exists()]
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UsageError(f"Another process is writing to {folder}; wait for it or choose another --out.") from None
    except OSError as error:
        raise storage_error(folder, error) from error
    try:
        yield
    finally:
        _leave_nothing(folder, made)  # while the lock is held
        lock.release()


def _leave_nothing(folder: Path, made: Sequence[Path]) -> None:
    """Remove the lock and the folders made for it, innermost first, where nothing else is in them."""
    if [path.name for path in folder.iterdir()] == [LOCK]:
        with suppress(OSError):
            (folder / LOCK).unlink()
            for each in made:
                each.rmdir()
