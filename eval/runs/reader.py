"""A run folder, opened for reading. ``docs/run_folder.md`` documents every file and field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.runs.integrity.completeness import Missing, Shared, missing, of_the_same_pairs, sentence, shared
from eval.runs.integrity.finished import cells_of, finished_chunks
from eval.runs.integrity.reading import read_array, read_array_if_there, read_json, read_manifest, read_prompts
from eval.runs.names import counterfactual_file, with_current_names
from eval.runs.plan import SHARES

if TYPE_CHECKING:
    from pandas import DataFrame

KINDS = ("default", "calibrated", "matched", "given")  # how a strength was chosen, in the order of the tables
PER_PROMPT_KINDS = ("calibrated",)  # has another strength for every prompt
SIGMA, OF_THE_RIGHT = "σ", "of the right one"  # units of the goals of matched strengths
ORACLE = "oracle"  # label and kind of the counterfactuals through the inversion: no editor
HEADLINE_ORDER = ("calibrated", "default", "matched", "given")  # what a figure shows when there is room for one


@dataclass(frozen=True)
class Setting:
    """The cells of one editor at one way of choosing the strength: one row of the main table.

    Attributes:
        editor: label, for example ``deltaedit``.
        kind: one of ``KINDS``.
        strength: the strength as text, ``per prompt`` where every prompt has its own.
        rows: positions of its cells in ``Run.rows``, int64 [n], ascending.
        goal: the target effect that a matched strength was chosen for; None for other kinds.
        unit: of the goal.
    """

    editor: str
    kind: str
    strength: str
    rows: np.ndarray
    goal: float | None = None
    unit: str = SIGMA

    @property
    def label(self) -> str:
        """For headings: ``deltaedit, calibrated``, ``deltaedit, strength 2`` or ``deltaedit, effect 1 σ``."""
        if self.goal is not None:
            return f"{self.editor}, effect {self.goal:g} {self.unit}"
        return f"{self.editor}, {self.kind if self.kind != 'given' else 'strength ' + self.strength}"


class Run:
    """One run folder. Nothing but the manifest is read before it is asked for; nothing is ever written.

    Args:
        folder: what ``deltabench run --out`` made.

    Raises:
        ValueError: there is no readable manifest, or its schema is newer than this code.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.manifest: dict[str, Any] = read_manifest(self.folder)

    @cached_property
    def prompts(self) -> tuple[dict[str, str], ...]:
        """The prompts of the run (name, source, target, attribute, value), in the order of the prompt set.

        Of an unfinished run those that editors are compared on.
        """
        compared = set(self.rows["prompt"]) if self.missing and len(self.rows) else None
        return tuple(prompt for prompt in self.asked_prompts if compared is None or prompt["name"] in compared)

    @cached_property
    def asked_prompts(self) -> tuple[dict[str, str], ...]:
        """All prompts of the run, also those of which nothing is finished."""
        wanted = self.manifest.get("arguments", {}).get("prompts")
        prompts = read_prompts(self.folder / "prompts.json", self.manifest.get("prompts", {}))
        return tuple(prompt for prompt in prompts if not wanted or prompt["name"] in wanted)

    @cached_property
    def factors(self) -> dict[str, tuple[str, ...]]:
        """Factor -> its values, in the order of the judge's logits."""
        return {name: tuple(values) for name, values in read_json(self.folder / "factors.json").items()}

    @cached_property
    def editors(self) -> tuple[str, ...]:
        """Editors with at least one cell in ``rows``: those of the arguments first, in that order, then by name."""
        asked = list(self.manifest.get("arguments", {}).get("methods", []))
        return tuple(_in_order(set(self.rows["editor"]), asked))

    @cached_property
    def chunks(self) -> tuple[dict[str, Any], ...]:
        """What ``chunks/<id>.json`` says of every finished chunk, by editor, prompt, kind, strength, first image.

        Those of the oracle are left out.
        """
        chunks = [chunk for chunk in self._every_chunk if chunk["kind"] != ORACLE]
        asked = list(self.manifest.get("arguments", {}).get("methods", []))
        editors = _in_order({chunk["editor"] for chunk in chunks}, asked)
        prompts = [prompt["name"] for prompt in self.asked_prompts]
        return tuple(
            sorted(
                (chunk for chunk in chunks if chunk["prompt"] in prompts),
                key=lambda chunk: (
                    editors.index(chunk["editor"]),
                    prompts.index(chunk["prompt"]),
                    KINDS.index(chunk["kind"]),
                    chunk.get("effect_goal") or 0.0,
                    chunk["strength"],
                    chunk["first"],
                ),
            )
        )

    @cached_property
    def _finished(self) -> tuple[list[dict[str, Any]], list[str]]:
        return finished_chunks(self.folder)

    @property
    def _every_chunk(self) -> list[dict[str, Any]]:
        return self._finished[0]

    @property
    def damaged(self) -> Sequence[str]:
        """One sentence for each chunk that is not counted: its files are damaged or those of another."""
        return self._finished[1]

    @cached_property
    def missing(self) -> Missing:
        """The cells that the run lacks; false where it is finished."""
        names = [prompt["name"] for prompt in self.asked_prompts]
        return missing(self.manifest.get("arguments", {}), names, self._every_chunk, self.failures)

    @cached_property
    def unfinished(self) -> str:
        """What is missing, and on what editors are compared, in words; '' for a finished run."""
        if not self.missing or not len(self.rows):
            return ""
        return sentence(self.missing, self.rows, self._shared, len(self.asked_prompts))

    @cached_property
    def _shared(self) -> Shared:
        return shared(self.every_row)

    @cached_property
    def failures(self) -> tuple[dict[str, Any], ...]:
        """What ``chunks/<id>.error.json`` says of every chunk that failed and has not succeeded since."""
        paths = sorted((self.folder / "chunks").glob("*.error.json"))
        finished = {chunk["id"] for chunk in self._every_chunk}
        return tuple(failure for failure in map(read_json, paths) if failure["id"] not in finished)

    @cached_property
    def rows(self) -> DataFrame:
        """The cells on which editors are compared: all, or of an unfinished run those that every editor has.

        Columns like ``every_row``.
        """
        if not self.missing or not len(self.every_row):
            return self.every_row
        return self.every_row[self._shared.rows].reset_index(drop=True)

    @cached_property
    def every_row(self) -> DataFrame:
        """One row a cell of every finished chunk, in the order of ``chunks``.

        The columns of the parquet files and three more: ``chunk`` (its id), ``position`` (row in the chunk's arrays,
        int64), ``source`` (row in the arrays of sources and references, int64). Folders that were made before effects
        were matched have NaN as ``effect_goal``.
        """
        return cells_of(self.folder, self.chunks)

    @cached_property
    def oracle(self) -> DataFrame:
        """The cells of the oracle, columns like ``rows``; empty where the run has none."""
        names = {prompt["name"]: number for number, prompt in enumerate(self.prompts)}
        mine = [chunk for chunk in self._every_chunk if chunk["kind"] == ORACLE and chunk["prompt"] in names]
        cells = cells_of(self.folder, sorted(mine, key=lambda chunk: (names[chunk["prompt"]], chunk["first"])))
        return of_the_same_pairs(cells, self.rows) if self.missing and len(cells) else cells

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """The rows of the main table, by editor, then kind, then strength; matched ones are in ``matched``."""
        settings = []
        for editor in self.editors:
            mine = self.rows[self.rows["editor"] == editor]
            for kind in (kind for kind in KINDS if kind != "matched"):
                own = mine[mine["kind"] == kind]
                if kind in PER_PROMPT_KINDS and len(own):
                    settings.append(Setting(editor, kind, "per prompt", own.index.to_numpy(np.int64)))
                elif len(own):
                    for strength, part in own.groupby("strength", sort=True):
                        settings.append(Setting(editor, kind, f"{strength:g}", part.index.to_numpy(np.int64)))
        return tuple(settings)

    @property
    def effect_unit(self) -> str:
        """What goals of matched strengths are in: shares of the right effect, or σ in folders of earlier versions."""
        return OF_THE_RIGHT if self.manifest.get("arguments", {}).get("effects") == SHARES else SIGMA

    @cached_property
    def matched(self) -> tuple[Setting, ...]:
        """The cells at one strength for each (editor, prompt) and goal, by goal, then editor."""
        found = self.rows[self.rows["kind"] == "matched"]
        settings = []
        for goal in sorted(found["effect_goal"].unique()) if len(found) else ():
            for editor in self.editors:
                own = found[(found["editor"] == editor) & (found["effect_goal"] == goal)]
                if len(own):
                    at = own.index.to_numpy(np.int64)
                    settings.append(Setting(editor, "matched", "per prompt", at, float(goal), self.effect_unit))
        return tuple(settings)

    @cached_property
    def headlines(self) -> tuple[Setting, ...]:
        """One setting an editor, for figures: calibrated where there is one, otherwise the default."""
        chosen = []
        for editor in self.editors:
            mine = [setting for setting in self.settings if setting.editor == editor]
            if mine:
                chosen.append(min(mine, key=lambda setting: HEADLINE_ORDER.index(setting.kind)))
        return tuple(chosen)

    @cached_property
    def sweeps(self) -> tuple[dict[str, Any], ...]:
        """What ``strengths/*.json`` say, by editor and prompt."""
        sweeps = [with_current_names(read_json(path)) for path in sorted((self.folder / "strengths").glob("*.json"))]
        names = [prompt["name"] for prompt in self.prompts]
        kept = [sweep for sweep in sweeps if sweep["prompt"] in names and sweep["editor"] in self.editors]
        kept.sort(key=lambda sweep: (self.editors.index(sweep["editor"]), names.index(sweep["prompt"])))
        return tuple(kept)

    @cached_property
    def costs(self) -> dict[str, dict[str, Any]]:
        """Editor -> what ``costs/<editor>.json`` says, in the order of ``editors``."""
        costs = {cost["editor"]: cost for cost in map(read_json, sorted((self.folder / "costs").glob("*.json")))}
        return {editor: costs[editor] for editor in self.editors if editor in costs}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the source images."""
        return tuple(str(name) for name in self.sources("names"))

    def sources(self, key: str) -> np.ndarray:
        """One array of ``sources.npz``, for example ``images`` uint8 [N, H, W, 3] or ``frechet`` float32 [N, D]."""
        return read_array(self.folder / "sources.npz", key)

    def counterfactual(self, prompt: str, key: str) -> np.ndarray | None:
        """One array of ``counterfactuals/<prompt>.npz``, for example ``region`` bool [H, W]; None where it has none."""
        about = {"what": "counterfactuals", "prompt": prompt}
        return read_array_if_there(counterfactual_file(self.folder, prompt), key, about)

    def chunk_array(self, chunk: str, key: str) -> np.ndarray:
        """One array of ``chunks/<id>.npz``, for example ``frechet`` float32 [n, D]."""
        return read_array(self.folder / "chunks" / f"{chunk}.npz", key)

    def features(self, rows: np.ndarray, key: str) -> np.ndarray:
        """The judge's features of some cells.

        Args:
            rows: positions in ``rows``, int64 [n].
            key: ``frechet``, ``identity`` or ``logits``.

        Returns:
            float32 [n, D], in the order of ``rows``.
        """
        chosen = self.rows.loc[rows, ["chunk", "position"]].reset_index(drop=True)
        parts: dict[int, np.ndarray] = {}
        for chunk, group in chosen.groupby("chunk", sort=False):
            parts.update(zip(group.index, self._whole(str(chunk), key)[group["position"].to_numpy()], strict=True))
        return np.stack([parts[position] for position in range(len(chosen))])

    @cached_property
    def _cell_counts(self) -> dict[str, int]:
        return {chunk["id"]: int(chunk["count"]) for chunk in self.chunks}

    def _whole(self, chunk: str, key: str) -> np.ndarray:
        """One array of a chunk with as many rows as the chunk has cells."""
        array, cells = self.chunk_array(chunk, key), self._cell_counts[chunk]
        if len(array) != cells:
            raise ValueError(
                f"{self.folder / 'chunks' / f'{chunk}.npz'} must hold {cells} rows of {key!r}, got {len(array)}; "
                "delete its .json beside it and give the same `deltabench run` again."
            )
        return array


def opened(run: Run | Path) -> Run:
    """The run itself, or that of a folder: several reports of one run read its cells once."""
    return run if isinstance(run, Run) else Run(run)


def _in_order(names: Iterable[str], first: list[str]) -> list[str]:
    return sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name))
