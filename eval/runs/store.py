"""The run folder: every file is there whole or not at all, and a folder belongs to one run.

A chunk's features and rows are written first and its ``.json`` last, each to a temporary file that is synced and then
renamed: the chunk exists if its ``.json`` does, whenever the process was killed. That is all that resuming needs.
"""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltaedit.tools.files import Write, is_zip, write_whole
from eval.errors import UsageError
from eval.runs.names import counterfactual_file, earlier_file_name, stored
from eval.runs.plan import Chunk

if TYPE_CHECKING:
    import pandas as pd

# What makes two runs the same; times of two kinds of devices would be mixed in one table.
_IDENTITY = ("schema", "domain", "arguments", "editors", "fingerprints", "recipes", "device", "precision")
_EARLIER = {"device": "cpu", "precision": "float32"}  # of folders whose manifest does not say it
LOCK = ".lock"
LONGEST_EARLIER = 240  # letters; longer names of chunks could not be written
_PROMISED = ("manifest.json", "prompts.json", "factors.json")


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


class Store:
    """One run's folder.

    Args:
        folder: created by ``claim``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def claim(
        self, manifest: Mapping[str, Any], prompts: Sequence[Mapping[str, str]], factors: Mapping[str, Any]
    ) -> None:
        """Make the folder this run's, or check that it is; remove what a kill left half-written.

        Args:
            manifest: for ``manifest.json``; that of the folder stays as it is if it is of the same run.
            prompts: for ``prompts.json``.
            factors: for ``factors.json``.

        Raises:
            UsageError: the folder holds another run, or something else.
        """
        path = self.folder / "manifest.json"
        if path.exists():
            self._check(self._read(path), manifest)
            if self._read(self.folder / "prompts.json") != list(prompts):
                raise UsageError(
                    f"{self.folder} holds another run: its prompts have other texts; choose another --out."
                )
            self._remove_leftovers()
            return
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file; choose another --out.")
        strangers = [p for p in self.folder.glob("*") if p.name not in _PROMISED and not p.name.startswith(".")]
        if strangers:
            raise UsageError(f"{self.folder} holds {strangers[0].name} and is not a run; choose another --out.")
        self._remove_leftovers()
        self.write_json("prompts.json", list(prompts))
        self.write_json("factors.json", dict(factors))
        self.write_json("manifest.json", dict(manifest))

    def _check(self, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
        """Both as JSON, so that tuples equal lists."""
        here = json.loads(json.dumps(here))
        for part in _IDENTITY:
            difference = first_difference(part, *(side.get(part, _EARLIER.get(part)) for side in (there, here)))
            if difference:
                raise UsageError(f"{self.folder} holds another run: {difference}; choose another --out.")

    def _read(self, path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read ({error}); choose another --out.") from None

    def _remove_leftovers(self) -> None:
        """Half-written files of a kill, and the records of failures: this run tries those chunks again."""
        for leftover in [*self.folder.rglob(".*.tmp"), *self.folder.glob("chunks/*.error.json")]:
            leftover.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second process out of the folder; the system lifts the lock of a killed one.

        A folder in which nothing was written is left as it was: no lock, no folder that was made for it.

        Raises:
            UsageError: another process is writing to it.
        """
        from filelock import FileLock, Timeout

        made = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        lock = FileLock(self.folder / LOCK, timeout=0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise UsageError(
                f"Another process is writing to {self.folder}; wait for it or choose another --out."
            ) from None
        except OSError as error:
            raise storage_error(self.folder, error) from error
        try:
            yield
        finally:
            self._leave_nothing(made)  # while the lock is held
            lock.release()

    def _leave_nothing(self, made: Sequence[Path]) -> None:
        """Remove the lock and the folders made for it, innermost first, where nothing else is in them."""
        if [path.name for path in self.folder.iterdir()] == [LOCK]:
            with suppress(OSError):
                (self.folder / LOCK).unlink()
                for folder in made:
                    folder.rmdir()

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.folder / name).exists()

    def read_json(self, name: str) -> Any:
        """A JSON file of the folder, or None."""
        return self._read(self.folder / name) if self.has(name) else None

    def write_json(self, name: str, value: object) -> None:
        """Write ``value`` to the file ``name``; numbers that are not finite become null."""
        text = json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(self.folder / name, lambda file: file.write(text.encode()))

    def write_arrays(self, name: str, arrays: Mapping[str, Any], sync_folder: bool = True) -> None:
        """Write arrays to the compressed file ``name``; ``sync_folder`` as in ``write_atomically``."""
        import numpy as np

        write_atomically(self.folder / name, lambda file: np.savez_compressed(file, **arrays), sync_folder)

    def _chunk(self, chunk: Chunk, suffix: str) -> str:
        """A file of a chunk: under the name that an earlier version gave it where it was finished under that."""
        earlier = chunk.named(earlier_file_name)
        old = earlier != chunk.id and len(earlier) < LONGEST_EARLIER and not self.has(f"chunks/{chunk.id}.json")
        return f"chunks/{earlier if old and self.has(f'chunks/{earlier}.json') else chunk.id}{suffix}"

    def is_done(self, chunk: Chunk) -> bool:
        """Whether the chunk is stored and its files are whole (first and last bytes are looked at)."""
        if not self.has(self._chunk(chunk, ".json")):
            return False
        arrays, rows = (self.folder / self._chunk(chunk, suffix) for suffix in (".npz", ".parquet"))
        return arrays.exists() and is_zip(arrays) and _is_parquet(rows)

    def write_chunk(
        self,
        chunk: Chunk,
        rows: Sequence[Mapping[str, Any]] | pd.DataFrame,
        arrays: Mapping[str, Any],
        costs: Mapping[str, Any],
    ) -> None:
        """Store a finished chunk.

        Args:
            chunk: which.
            rows: one a cell, without editor, prompt, strength, kind and effect goal.
            arrays: features and kept images.
            costs: seconds and memory, for the ``.json``.
        """
        import pandas as pd

        cells = pd.DataFrame(rows)
        labels = {name: getattr(chunk, name) for name in ("editor", "prompt", "strength", "kind")}
        labels["effect_goal"] = float("nan") if chunk.effect_goal is None else chunk.effect_goal
        for position, (name, value) in enumerate(labels.items()):
            if name in cells:
                del cells[name]
            cells.insert(position, name, value)
        buffer = io.BytesIO()
        cells.to_parquet(buffer, index=False)
        self.write_arrays(self._chunk(chunk, ".npz"), arrays, sync_folder=False)
        rows_file = self.folder / self._chunk(chunk, ".parquet")
        write_atomically(rows_file, lambda file: file.write(buffer.getvalue()), sync_folder=False)
        self.write_json(self._chunk(chunk, ".json"), {**_description(chunk), **costs})
        (self.folder / self._chunk(chunk, ".error.json")).unlink(missing_ok=True)

    def copy_chunk(self, done: Chunk, chunk: Chunk) -> None:
        """Store ``chunk`` as what ``done`` found: the same editor, prompt, strength and images under another kind."""
        import numpy as np
        import pandas as pd

        with np.load(self.folder / self._chunk(done, ".npz")) as file:
            arrays = dict(file)
        rows = pd.read_parquet(self.folder / self._chunk(done, ".parquet"))
        description = self.read_json(self._chunk(done, ".json"))
        costs = {key: value for key, value in description.items() if key not in _description(done)}
        self.write_chunk(chunk, rows, arrays, costs)

    def write_failure(self, chunk: Chunk, error: str, trace: str) -> None:
        """Record why a chunk failed; the next run tries it again.

        Args:
            chunk: which.
            error: one sentence.
            trace: the traceback.
        """
        self.write_json(self._chunk(chunk, ".error.json"), {**_description(chunk), "error": error, "traceback": trace})

    def strength_file(self, editor: str, prompt: str) -> str:
        """Where the calibration of an editor for a prompt is."""
        return stored(self.folder, "strengths/{}--{}.json", editor, prompt).relative_to(self.folder).as_posix()

    def costs_file(self, editor: str) -> str:
        """Where the costs of an editor are."""
        return stored(self.folder, "costs/{}.json", editor).relative_to(self.folder).as_posix()

    def counterfactual_file(self, prompt: str) -> str:
        """Where the counterfactuals of a prompt are."""
        return counterfactual_file(self.folder, prompt).relative_to(self.folder).as_posix()


def _description(chunk: Chunk) -> dict[str, Any]:
    names = ("id", "editor", "prompt", "strength", "kind", "effect_goal", "first", "count")
    return {name: getattr(chunk, name) for name in names}


def _is_parquet(path: Path) -> bool:
    """Whether the file begins and ends as parquet files do."""
    if not path.exists() or path.stat().st_size < 8:
        return False
    with open(path, "rb") as file:
        head = file.read(4)
        file.seek(-4, os.SEEK_END)
        return head == file.read(4) == b"PAR1"


def first_difference(name: str, there: Any, here: Any) -> str:
    """The first part that differs, in words; '' if none does.

    >>> first_difference("arguments", {"images": 200}, {"images": 50})
    'images is 200 there, 50 here'
    """
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        parts = (first_difference(str(key), there.get(key), here.get(key)) for key in dict.fromkeys([*there, *here]))
        return next((part for part in parts if part), "")
    return "" if there == here else f"{name} is {_shown(there)} there, {_shown(here)} here"


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else "missing" if value is None else str(value)


def _finite(value: Any) -> Any:
    """JSON has no NaN: a missing number is null."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
