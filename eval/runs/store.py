"""The run folder: every file is there whole or not at all, and a folder belongs to one run.

A chunk's features and rows are written first and its ``.json`` last, each to a temporary file that is synced and then
renamed: the chunk exists if its ``.json`` does, whenever the process was killed. That is all that resuming needs.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eval.errors import UsageError
from eval.runs.integrity.folder import Folder, finite, packed, tell
from eval.runs.integrity.growth import ALL, check_same_run, editor_change, first_difference, joined
from eval.runs.integrity.seals import SUMS, Damaged, chunk_fault, read_sealed
from eval.runs.integrity.writing import LOCK, StorageError, storage_error, write_atomically
from eval.runs.names import counterfactual_file, earlier_file_name, file_name, stored
from eval.runs.plan import Chunk, calibration_images

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LOCK", "StorageError", "Store", "first_difference", "storage_error", "write_atomically"]

LONGEST_EARLIER = 240  # letters; longer names of chunks could not be written
REFRESHING = "refreshing"  # of a manifest: the editors whose cells are being made anew
SOURCES = "sources.npz"
_PROMISED = ("manifest.json", "prompts.json", "factors.json")
_FOUND_KINDS = ("calibrated", "matched")  # of chunks whose strength was found on the calibration images


class Store(Folder):
    """One run's folder.

    Args:
        folder: created by ``claim``.
    """

    def claim(
        self,
        manifest: Mapping[str, Any],
        prompts: Sequence[Mapping[str, str]],
        factors: Mapping[str, Any],
        refresh: Sequence[str] = (),
    ) -> None:
        """Make the folder this run's, or check that it is and let it grow; remove what a kill left half-written.

        Args:
            manifest: for ``manifest.json``.
            prompts: for ``prompts.json``.
            factors: for ``factors.json``.
            refresh: labels of editors whose cells are made anew, or ``all``.

        Raises:
            UsageError: the folder holds another run, or something else.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file; choose another --out.")
        here = dict(json.loads(json.dumps(finite(manifest))))  # as it will be read: tuples are lists
        if self.has("manifest.json"):
            there = self.manifest()
            self._check_texts(prompts)
            check_same_run(self.folder, there, here, refresh)
            self._remove_leftovers()
            here = self._grow(there, here, refresh)
        else:
            strangers = [p for p in self.folder.glob("*") if p.name not in _PROMISED and not p.name.startswith(".")]
            if strangers:
                raise UsageError(f"{self.folder} holds {strangers[0].name} and is not a run; choose another --out.")
            self._remove_leftovers()
        for name, value in (("prompts.json", list(prompts)), ("factors.json", dict(factors)), ("manifest.json", here)):
            if self.read_json(name) != json.loads(json.dumps(value)):
                self.write_json(name, value)

    def manifest(self) -> dict[str, Any]:
        """What ``manifest.json`` holds.

        Raises:
            UsageError: it is damaged or no manifest.
        """
        path = self.folder / "manifest.json"
        try:
            found = read_sealed(path)
            if not isinstance(found, dict) or not isinstance(found.get("arguments"), dict):
                raise Damaged("it is no manifest of a run")
        except (Damaged, FileNotFoundError) as error:
            raise UsageError(
                f"{path} cannot be used: {error}. Put back the one that the run wrote, or choose another --out."
            ) from None
        return dict(found)

    def _check_texts(self, prompts: Sequence[Mapping[str, str]]) -> None:
        """Of a folder whose manifest does not know the texts of its prompts."""
        if "prompts" not in self.manifest():
            stored = self.read_json("prompts.json")
            there = {prompt["name"]: prompt for prompt in stored} if isinstance(stored, list) else {}
            if any(there.get(prompt["name"], prompt) != dict(prompt) for prompt in prompts):
                raise UsageError(
                    f"{self.folder} holds another run: its prompts have other texts; choose another --out."
                )

    def _grow(self, there: dict[str, Any], here: dict[str, Any], refresh: Sequence[str]) -> dict[str, Any]:
        """Remove what is to be made anew; the manifest with what is added."""
        under_way = [label for label in there.get(REFRESHING, ()) if label in refresh]
        known = there.get("editors", {})
        again = [
            label
            for label in refresh
            if label not in under_way or (label != ALL and editor_change(known.get(label), here["editors"][label]))
        ]
        for label in again:
            self.forget(None if label == ALL else label)
        images = [int(each["arguments"].get("images") or 0) for each in (there, here)]
        if calibration_images(images[0]) != calibration_images(images[1]):
            self.forget(None, found_only=True)  # strengths are found on more images: other strengths
        both = joined(there, here)
        both[REFRESHING] = list(dict.fromkeys([*there.get(REFRESHING, ()), *again]))
        return both if both[REFRESHING] else {key: value for key, value in both.items() if key != REFRESHING}

    def forget(self, editor: str | None, found_only: bool = False) -> None:
        """Remove the cells, strengths and costs of an editor.

        Args:
            editor: its label; None: of all, with what was found of sources and counterfactuals.
            found_only: only strengths, and the cells at strengths that were found, which are then those of all.
        """
        names = {""} if editor is None else {f"{name(editor)}--" for name in (file_name, earlier_file_name)}
        starts = tuple(map(glob.escape, names))
        for path in [each for start in starts for each in self.folder.glob(f"chunks/{start}*")]:
            if not found_only or any(f"--{kind}-" in path.name for kind in _FOUND_KINDS):
                path.unlink(missing_ok=True)
        others = [path for start in starts for path in self.folder.glob(f"strengths/{start}*.json")]
        if editor is not None:
            others.append(self.folder / self.costs_file(editor))
        elif not found_only:
            found = ("costs/*.json", "counterfactuals/*.npz", SOURCES)
            others += [path for pattern in found for path in self.folder.glob(pattern)]
        if not found_only:
            others.append(self.folder / "determinism.json")
        for path in others:
            path.unlink(missing_ok=True)

    def refreshed(self, failed: Collection[str]) -> None:
        """Take note that the cells to be made anew are made, but for those of the editors that failed."""
        manifest = self.manifest()
        there = manifest.pop(REFRESHING, [])
        left = [label for label in there if failed and label in (ALL, *failed)]
        if left != there:
            self.write_json("manifest.json", {**manifest, **({REFRESHING: left} if left else {})})

    def _remove_leftovers(self) -> None:
        """Half-written files of a kill, and the records of failures: this run tries those chunks again."""
        for leftover in [*self.folder.rglob(".*.tmp"), *self.folder.glob("chunks/*.error.json")]:
            leftover.unlink(missing_ok=True)

    def _stem(self, chunk: Chunk) -> str:
        """The files of a chunk, without endings: as an earlier version named them where it was finished under that."""
        earlier = chunk.named(earlier_file_name)
        old = earlier != chunk.id and len(earlier) < LONGEST_EARLIER and not self.has(f"chunks/{chunk.id}.json")
        return earlier if old and self.has(f"chunks/{earlier}.json") else chunk.id

    def is_done(self, chunk: Chunk) -> bool:
        """Whether the chunk is stored, and its files are those that were written."""
        stem = self._stem(chunk)
        if not self.has(f"chunks/{stem}.json"):
            return False
        names = tuple(f"chunks/{stem}{ending}" for ending in (".json", ".npz", ".parquet"))
        wanted = json.loads(json.dumps(finite(_description(chunk))))
        fault = self.known_fault(names, lambda: chunk_fault(self.folder / "chunks", stem, wanted), chunk)
        if fault:
            tell(f"The chunk {stem} in {self.folder} is made again: {fault}.")
        return not fault

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
        buffer, stem = io.BytesIO(), self._stem(chunk)
        cells.to_parquet(buffer, index=False)
        contents = {".npz": packed(arrays), ".parquet": buffer.getvalue()}
        for ending, data in contents.items():
            path = self.folder / f"chunks/{stem}{ending}"
            write_atomically(path, lambda file, data=data: file.write(data), sync_folder=False)  # type: ignore[misc]
        sums = {ending: hashlib.sha256(data).hexdigest() for ending, data in contents.items()}
        self.write_json(f"chunks/{stem}.json", {**_description(chunk), "id": stem, **costs, SUMS: sums})
        (self.folder / f"chunks/{stem}.error.json").unlink(missing_ok=True)

    def copy_chunk(self, done: Chunk, chunk: Chunk) -> None:
        """Store ``chunk`` as what ``done`` found: the same editor, prompt, strength and images under another kind."""
        import numpy as np
        import pandas as pd

        stem = self.folder / "chunks" / self._stem(done)
        with np.load(stem.with_name(f"{stem.name}.npz")) as file:
            arrays = dict(file)
        rows = pd.read_parquet(stem.with_name(f"{stem.name}.parquet"))
        description = self.read_json(f"chunks/{stem.name}.json")
        costs = {key: value for key, value in description.items() if key not in (*_description(done), SUMS)}
        self.write_chunk(chunk, rows, arrays, costs)

    def write_failure(self, chunk: Chunk, error: str, trace: str) -> None:
        """Record why a chunk failed; the next run tries it again.

        Args:
            chunk: which.
            error: one sentence.
            trace: the traceback.
        """
        name = f"chunks/{self._stem(chunk)}.error.json"
        self.write_json(name, {**_description(chunk), "error": error, "traceback": trace})

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
