"""What is in the files of a folder, as one sum: photographs of equal names and sizes may be other persons."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deltaedit.tools.files import keep
from eval.errors import UsageError
from eval.folders import cache_folder


def contents_digest(sums: Mapping[str, str]) -> str:
    """sha256 over names and contents.

    Args:
        sums: as ``contents_sums`` gives them.
    """
    listing = "\n".join(f"{name} {digest}" for name, digest in sums.items())
    return hashlib.sha256(listing.encode()).hexdigest()


def contents_sums(folder: Path, files: Sequence[Path]) -> dict[str, str]:
    """Name -> sha256 of each file; those of files whose size and time of change are the same are remembered.

    Raises:
        UsageError: a file cannot be read.
    """
    memory = (
        cache_folder() / "digests" / f"folder-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]}.json"
    )
    known: dict[str, list[object]] = {}
    with suppress(OSError, ValueError):
        stored = json.loads(memory.read_text(encoding="utf-8"))
        known = stored if isinstance(stored, dict) else {}
    found: dict[str, list[object]] = {}
    for path in files:
        try:
            stat = path.stat()
            state = [stat.st_size, stat.st_mtime_ns]
            kept = known.get(path.name)
            if isinstance(kept, list) and kept[:2] == state and len(kept) == 3:
                found[path.name] = kept
                continue
            with path.open("rb") as file:
                found[path.name] = [*state, hashlib.file_digest(file, "sha256").hexdigest()]
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror or error}).") from None
    if found != known:
        record = json.dumps(found)
        keep(memory, lambda file: file.write(record.encode()))
    return {name: str(state[2]) for name, state in found.items()}
