"""Where DeltaBench keeps what was expensive to make: rendered sets, artefacts, sums of large files."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path

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
