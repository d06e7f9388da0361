"""The files of a run folder: read with what they say of themselves, written whole with their checksums."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

from eval.runs.integrity.seals import Damaged, arrays_fault, labelled, read_sealed, sealed
from eval.runs.integrity.writing import locked, write_atomically


class Folder:
    """A folder of sealed files.

    Args:
        folder: made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._faults: dict[str, tuple[tuple[object, ...], str]] = {}  # first file -> its state, and what was found

    def lock(self) -> AbstractContextManager[None]:
        """Keep a second process out of the folder, see ``locked``."""
        return locked(self.folder)

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.folder / name).exists()

    def read_json(self, name: str) -> Any:
        """A JSON file of the folder; None where it is missing or damaged, which is told: it is to be made again."""
        try:
            return read_sealed(self.folder / name)
        except FileNotFoundError:
            return None
        except Damaged as error:
            tell(f"{self.folder / name} is made again: {error}.")
            return None

    def write_json(self, name: str, value: object) -> None:
        """Write ``value`` to a file, an object with its checksum; numbers that are not finite become null."""
        plain = finite(value)
        plain = sealed(plain) if isinstance(plain, dict) else plain
        text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(self.folder / name, lambda file: file.write(text.encode()))

    def write_arrays(self, name: str, arrays: Mapping[str, Any], about: Mapping[str, object]) -> None:
        """Write arrays, and what they are, to the compressed file ``name``."""
        contents = packed(labelled(arrays, about))
        write_atomically(self.folder / name, lambda file: file.write(contents))

    def holds(self, name: str, about: Mapping[str, object]) -> bool:
        """Whether the arrays of a file are there, whole, and what they are to be; otherwise make them again."""
        fault = self.known_fault((name,), lambda: arrays_fault(self.folder / name, about), str(about))
        if fault and self.has(name):
            tell(f"{self.folder / name} is made again: {fault}.")
        return not fault

    def known_fault(self, names: tuple[str, ...], look: Callable[[], str], *also: object) -> str:
        """What ``look`` says of some files, looked at once as long as their times of change and sizes stay."""
        try:
            stats = [(self.folder / name).stat() for name in names]
        except OSError:
            return look()
        state = (*((stat.st_mtime_ns, stat.st_size) for stat in stats), *also)
        if self._faults.get(names[0], ((), ""))[0] != state:
            self._faults[names[0]] = state, look()
        return self._faults[names[0]][1]


def packed(arrays: Mapping[str, Any]) -> bytes:
    """Arrays as the bytes of a compressed ``.npz``."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@cache
def tell(sentence: str) -> None:
    """Say something on standard error, once."""
    print(sentence, file=sys.stderr)


def finite(value: Any) -> Any:
    """JSON has no NaN: a missing number is null."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, (list, tuple)) else value
