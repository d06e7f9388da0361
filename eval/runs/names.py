"""Names of files and columns of a run folder: what writes it and what reads it both take them from here."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

LONGEST = 80  # bytes: two names, kind, strength and ending stay below the 255 that file systems allow
SCHEMA = 2  # of the run folder: raise it when old folders cannot be gone on with
_COUNTERFACTUAL = "counterfactuals/{}.npz"  # of a prompt
_COUNTERFACTUAL_OF_SCHEMA_1 = "references/{}.npz"
_OF_SCHEMA_1 = {r"^kept(?=$|[._])": "preservation", r"^prompts_at_bar$": "prompts_mastered", r"^at_bar$": "mastered"}
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


def current_name(name: str) -> str:
    """Today's name of a column, metric or field that schema 1 may have called otherwise.

    >>> current_name("kept"), current_name("kept.hair_color"), current_name("kept_low"), current_name("success")
    ('preservation', 'preservation.hair_color', 'preservation_low', 'success')
    """
    for earlier, today in _OF_SCHEMA_1.items():
        name = re.sub(earlier, today, name)
    return name


def with_current_names(stored: Any) -> Any:
    """What a JSON file holds, its fields under today's names."""
    if isinstance(stored, dict):
        return {current_name(name): with_current_names(value) for name, value in stored.items()}
    return [with_current_names(value) for value in stored] if isinstance(stored, list) else stored


def stored(folder: Path, pattern: str, *texts: str) -> Path:
    """The file of these texts: under today's name, or the one that an earlier version gave it where that is there.

    Args:
        folder: of the run.
        pattern: for example ``counterfactuals/{}.npz``.
        texts: what the places of the pattern stand for.
    """
    today = folder / pattern.format(*map(file_name, texts))
    for names in (map(earlier_file_name, texts), texts):
        earlier = folder / pattern.format(*names)
        if earlier != today and not today.exists() and "/" not in "".join(texts) and _is_file(earlier):
            return earlier
    return today


def counterfactual_file(folder: Path, prompt: str) -> Path:
    """The file of a prompt's counterfactuals, in folders of schema 1 under their name for it."""
    today, earlier = (stored(folder, name, prompt) for name in (_COUNTERFACTUAL, _COUNTERFACTUAL_OF_SCHEMA_1))
    return earlier if earlier.exists() and not today.exists() else today


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than the file system allows
        return False


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:4]
