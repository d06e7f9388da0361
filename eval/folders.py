"""Where DeltaBench keeps what was expensive to make, and whether a folder can take what is to be written to it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from eval.errors import UsageError

VARIABLE = "DELTABENCH_CACHE"


def cache_folder() -> Path:
    """``$DELTABENCH_CACHE``, or the user's cache folder as this operating system has it.

    Without a home folder it is a temporary one that goes when the process ends, and one sentence says so.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    folder = user_cache_path("deltabench", appauthor=False)
    return folder if folder.is_absolute() else _temporary()  # "~" stays where nobody knows the home folder


@cache
def _temporary() -> Path:
    """A folder for this process alone."""
    import atexit
    import shutil

    folder = Path(tempfile.mkdtemp(prefix="deltabench-cache-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    print(
        f"There is no home folder: what is computed is not kept for the next time; set {VARIABLE} to a folder.",
        file=sys.stderr,
    )
    return folder


def check_file(path: Path) -> None:
    """Refuse a file that cannot be written; nothing is written here.

    Raises:
        UsageError: it names what is in the way.
    """
    try:
        taken = path.is_dir()
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror or error}); choose another --out.") from None
    if taken:
        raise UsageError(f"{path} is a folder; --out must be a file.")
    check_place(path.parent)


def check_place(folder: Path, needed_bytes: float = 0.0) -> None:
    """Refuse a folder that cannot be made or written, or has too little room; nothing is written here.

    Args:
        folder: with or without something in it.
        needed_bytes: that it will hold; what is in it already counts.

    Raises:
        UsageError: it names what is in the way.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise UsageError(f"{there} is a file, so that {folder} cannot be a folder; choose another --out.")
        stored = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if needed_bytes else 0
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror or error}); choose another --out.") from None
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} cannot be written ({there} is read-only); choose another --out.")
    if needed_bytes - stored > free:
        raise UsageError(
            f"{folder} will hold {needed_bytes / 1e6:,.1f} MB or more, but {free / 1e6:,.1f} MB are free there; make "
            "room, choose another --out, or ask for fewer images, prompts or strengths."
        )
