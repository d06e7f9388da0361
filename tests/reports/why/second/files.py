"""The chunk files of a run, read plainly: a second way to the cells, apart from ``eval.runs.reader`` and the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame

Info = dict[str, Any]  # what chunks/<id>.json says
ORACLE = "oracle"


class Files:
    """A run folder.

    Args:
        folder: with a manifest.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = self.json("manifest.json")
        self._rows: dict[str, DataFrame] = {}
        self._cells: tuple[tuple[str, ...], DataFrame] | None = None  # of the chunks that were asked for last
        self._arrays: dict[tuple[str, str], np.ndarray] = {}
        self.letters: dict[tuple[float, str], dict[str, str]] | None = None  # of the groups, once they were compared

    def json(self, name: str) -> Any:
        """A JSON file of the folder."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def every_json(self, pattern: str) -> list[Any]:
        """All JSON files that a pattern fits, by name."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.folder.glob(pattern))]

    @cached_property
    def prompts(self) -> list[dict[str, str]]:
        """The prompts of the run, in order."""
        wanted = self.manifest.get("arguments", {}).get("prompts")
        return [prompt for prompt in self.json("prompts.json") if not wanted or prompt["name"] in wanted]

    @cached_property
    def infos(self) -> list[Info]:
        """Every finished chunk of these prompts, the oracle's included."""
        names = {prompt["name"] for prompt in self.prompts}
        paths = [path for path in sorted(self.folder.glob("chunks/*.json")) if not path.name.endswith(".error.json")]
        found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        return [info for info in found if info["prompt"] in names]

    @cached_property
    def calibrations(self) -> list[dict[str, Any]]:
        """What ``strengths/*.json`` say."""
        return self.every_json("strengths/*.json")

    @cached_property
    def factors(self) -> dict[str, list[str]]:
        """Factor -> its values, in the order of the judge's logits."""
        found: dict[str, list[str]] = self.json("factors.json")
        return found

    @cached_property
    def costs(self) -> list[dict[str, Any]]:
        """What ``costs/*.json`` say."""
        return self.every_json("costs/*.json")

    @cached_property
    def names(self) -> list[str]:
        """Names of the source images."""
        return [str(name) for name in self.array("sources.npz", "names")]

    def array(self, name: str, key: str) -> np.ndarray:
        """One array of an ``.npz`` file, read once; empty where it has none of that name."""
        if (name, key) not in self._arrays:
            with np.load(self.folder / name) as arrays:
                self._arrays[name, key] = arrays[key] if key in arrays.files else np.empty(0)
        return self._arrays[name, key]

    def of_chunk(self, info: Info, key: str) -> np.ndarray:
        """One array of a chunk."""
        return self.array(f"chunks/{info['id']}.npz", key)

    def cells(self, infos: Iterable[Info]) -> DataFrame:
        """The rows of some chunks, with ``chunk``, ``position`` in it and ``source``, the number of the image.

        Not to be written to: one value asks for the same rows several times.
        """
        import pandas

        infos = list(infos)
        if not infos:
            return pandas.DataFrame({"source": [], "prompt": []})
        names = tuple(info["id"] for info in infos)
        if self._cells is None or self._cells[0] != names:
            self._cells = names, pandas.concat([self._rows_of(info) for info in infos], ignore_index=True)
        return self._cells[1]

    def _rows_of(self, info: Info) -> DataFrame:
        """The rows of one chunk, read once."""
        import pandas

        if info["id"] not in self._rows:
            rows = pandas.read_parquet(self.folder / "chunks" / f"{info['id']}.parquet")
            place = np.arange(len(rows))
            labels = {"chunk": info["id"], "position": place, "source": info["first"] + place}
            self._rows[info["id"]] = rows.assign(**labels)
        return self._rows[info["id"]]
