"""Every file of a run folder says what it is and carries its checksum; what does not fit is damaged or misplaced.

A JSON object has ``checksum``, over all that it holds besides. A chunk's ``.json`` has the sha256 of its two other
files. Arrays of sources and counterfactuals have ``about``, in JSON, and the checksums that every archive has. Files of
earlier versions lack these and are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deltaedit.tools.files import file_sha256, is_zip
from eval.errors import shortened
from eval.runs.integrity.forms import form_fault

CHECKSUM = "checksum"
ABOUT = "about"
SUMS = "sha256"  # of a chunk's other files, by the ending of their names
DIGITS = 16
WHO = ("editor", "prompt", "strength", "kind", "effect_goal", "first", "count")  # what a chunk's .json says that it is


class Damaged(ValueError):
    """A file that is not what it should be; says why, without the file's name."""


def first_line(error: Exception) -> str:
    """The beginning of an error's first line, without its full stop."""
    return shortened((str(error).splitlines() or [type(error).__name__])[0].rstrip("."), 100)


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with its checksum.

    >>> sealed({"editor": "identity"})
    {'editor': 'identity', 'checksum': 'bf99f9475fc59317'}
    """
    plain = {key: item for key, item in value.items() if key != CHECKSUM}
    return {**plain, CHECKSUM: _checksum(plain)}


def _checksum(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def read_sealed(path: Path) -> Any:
    """What a JSON file holds, without its checksum.

    Raises:
        FileNotFoundError: there is none.
        Damaged: it is no JSON, its checksum is that of other contents, or it does not hold what it should.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged(f"it is not valid JSON: {' '.join(str(error).split())}") from None
    if isinstance(value, dict) and CHECKSUM in value:
        there = value.pop(CHECKSUM)
        if there != _checksum(value):
            raise Damaged("its contents were changed: they have another checksum")
    if fault := form_fault(path, value):
        raise Damaged(fault)
    return value


def chunk_fault(folder: Path, name: str, wanted: Mapping[str, Any] | None = None) -> str:
    """Why the files of a chunk cannot be counted; '' where they can.

    Args:
        folder: ``chunks`` of the run.
        name: of the files, without their endings.
        wanted: what the chunk is to be, as in its ``.json``; None: whatever the ``.json`` says.
    """
    try:
        said = read_sealed(folder / f"{name}.json")
    except FileNotFoundError:
        return "it is missing"
    except Damaged as error:
        return f"{name}.json is damaged: {error}"
    if said["id"] != name:
        return f"{name}.json is the file of {said['id']}"
    others = [key for key in WHO if wanted is not None and key in said and said[key] != wanted[key]]
    if others:
        return f"{name}.json has {others[0]} {said[others[0]]}"
    return _files_fault(folder, name, said.get(SUMS) or {})


def _files_fault(folder: Path, name: str, sums: Mapping[str, str]) -> str:
    for ending, is_whole in ((".npz", is_zip), (".parquet", _is_parquet)):
        path = folder / f"{name}{ending}"
        try:
            fits = file_sha256(path) == sums[ending] if ending in sums else is_whole(path)
        except OSError as error:
            return f"{path.name} cannot be read ({error.strerror or error})"
        if not fits:
            return f"{path.name} is damaged, or the file of another chunk"
    return ""


def _is_parquet(path: Path) -> bool:
    """Whether the file begins and ends as parquet files do."""
    with open(path, "rb") as file:
        contents = file.read()
    return len(contents) >= 8 and contents[:4] == contents[-4:] == b"PAR1"


def labelled(arrays: Mapping[str, Any], about: Mapping[str, object]) -> dict[str, Any]:
    """Arrays with what they are."""
    return {**arrays, ABOUT: np.array(json.dumps(dict(about), sort_keys=True))}


def check_label(arrays: Any, about: Mapping[str, object]) -> None:
    """Refuse an open ``.npz`` that says it is something else; one of an earlier version says nothing.

    Raises:
        Damaged: it does.
    """
    if ABOUT not in arrays.files:
        return
    said = json.loads(str(arrays[ABOUT]))
    other = next((key for key, value in about.items() if said.get(key) != value), None)
    if other is not None:
        raise Damaged(f"its {other} is {said.get(other)}")


def arrays_fault(path: Path, about: Mapping[str, object]) -> str:
    """Why an ``.npz`` cannot be used; '' where it can. All of it is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
        if wrong is not None:
            return f"{wrong} in it is damaged"
        with np.load(path, allow_pickle=False) as arrays:
            check_label(arrays, about)
    except FileNotFoundError:
        return "it is missing"
    except Damaged as error:
        return str(error)
    except Exception as error:  # a damaged archive raises nearly anything
        return f"it is damaged: {' '.join(str(error).split()) or type(error).__name__}"
    return ""
