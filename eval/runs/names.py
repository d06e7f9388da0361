"""File names from any text: what writes a run folder and what reads it both take them from here."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

LONGEST = 80  # bytes: two names, kind, strength and ending stay below the 255 that file systems allow
REFERENCE = "references/{}.npz"  # of a prompt
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices of Windows


def file_name(text: str) -> str:
    """A text as a part of a file's name; different texts stay different, also where upper and lower case are one.

    >>> file_name("deltaedit"), file_name("deltaedit[threshold=0.05]"), file_name("Smile")
    ('deltaedit', 'deltaedit_threshold=0.05_-20ed', 'smile-0a57')
    """
    plain = re.sub(r"^\.|\.$", "_", re.sub(r"[^\w.=+-]+", "_", text)).casefold()
    if plain == text and text and len(text.encode()) <= LONGEST and not RESERVED.fullmatch(text):
        return text
    short = plain.encode()[: LONGEST - 6].decode(errors="ignore")
    return f"{'_' * bool(RESERVED.fullmatch(plain))}{short}-{_digest(text)}"


def earlier_file_name(text: str) -> str:
    """What ``file_name`` gave before it minded case and length."""
    plain = re.sub(r"[^\w.=+-]+", "_", text)
    return plain if plain == text else f"{plain}-{_digest(text)}"


def stored(folder: Path, pattern: str, *texts: str) -> Path:
    """The file of these texts: under today's name, or the one that an earlier version gave it where that is there.

    Args:
        folder: of the run.
        pattern: for example ``references/{}.npz``.
        texts: what the places of the pattern stand for.
    """
    today = folder / pattern.format(*map(file_name, texts))
    for names in (map(earlier_file_name, texts), texts):
        earlier = folder / pattern.format(*names)
        if earlier != today and not today.exists() and "/" not in "".join(texts) and _is_file(earlier):
            return earlier
    return today


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than the file system allows
        return False


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:4]
