"""Measure an alignment and write its folder: tables, figure, the points of the figure, and what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.errors import UsageError
from eval.studies.alignment.measures import DRAWS, PERMUTATIONS, ArmAlignment, Pairs, measure
from eval.studies.alignment.projections import Points, has_tsne, pca, tsne
from eval.studies.alignment.prompts import PromptAlignment

if TYPE_CHECKING:
    from reports.writers.layout import Table, Value

SCHEMA = 1  # of the folder
NAMES = ("images", "texts", "image_deltas", "text_deltas")


@dataclass(frozen=True)
class AlignmentRun:
    """What was written.

    Attributes:
        tables: the main one, alignment against ‖Δt‖, and that of prompts where a domain was measured.
        files: where.
    """

    tables: tuple[Table, ...]
    files: tuple[Path, ...]


def run_alignment(
    pairs: Pairs, source: str, folder: Path, seed: int = 0, prompts: Sequence[PromptAlignment] = ()
) -> AlignmentRun:
    """Measure every arm and write the tables, the figure and the record into ``folder``.

    Args:
        pairs: at least 20.
        source: what they are, for the record.
        folder: made if it does not exist; files of an earlier run in it are replaced.
        seed: of everything that is drawn.
        prompts: what ``measure_prompts`` found.

    Raises:
        UsageError: the folder cannot be written.
    """
    from reports.studies.alignment import alignment_figure, alignment_tables, prompts_table
    from reports.writers.style import house_style, save

    try:
        folder.mkdir(parents=True, exist_ok=True)
        arms = measure(pairs, seed)
        points = {arm.arm: _projections(arm, seed) for arm in arms}
        rows, norms = [_row(arm, len(pairs)) for arm in arms], [row for arm in arms for row in _norm_rows(arm)]
        tables: tuple[Table, ...] = alignment_tables(rows, norms)
        if prompts:
            tables = (*tables, prompts_table([_prompt_row(prompt) for prompt in prompts]))
        files = [path for table in tables for path in table.write(folder)]
        with house_style():
            files += save(alignment_figure(rows, norms, points), folder, "alignment")
        files.append(_write_points(folder / "alignment_points.npz", points))
        files.append(_write_record(folder / "alignment.json", pairs, source, seed))
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror or error}); choose another --out.") from None
    return AlignmentRun(tables, tuple(files))


def _projections(arm: ArmAlignment, seed: int) -> dict[str, Points]:
    sides = arm.sample.images, arm.sample.texts
    found = {"PCA": pca(*sides)}
    if has_tsne():
        found["t-SNE"] = tsne(*sides, seed)
    return found


def _row(arm: ArmAlignment, pairs: int) -> dict[str, Value]:
    row: dict[str, Value] = {"arm": arm.arm, "pairs": pairs}
    for name, estimate in arm.estimates.items():
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row


def _norm_rows(arm: ArmAlignment) -> list[dict[str, Value]]:
    return [
        {
            "arm": arm.arm,
            "bin": number,
            "norm_low": part.lower,
            "norm_high": part.upper,
            "norm": part.middle,
            "pairs": part.pairs,
            "cosine": part.cosine.value,
            "cosine_low": part.cosine.low,
            "cosine_high": part.cosine.high,
        }
        for number, part in enumerate(arm.norms, 1)
    ]


def _prompt_row(prompt: PromptAlignment) -> dict[str, Value]:
    row: dict[str, Value] = {"prompt": prompt.prompt, "norm": prompt.norm, "images": prompt.images}
    for key, estimate in prompt.estimates.items():
        name = "_".join(key)
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row


def _write_points(path: Path, points: dict[str, dict[str, Points]]) -> Path:
    arrays = {
        f"{arm}/{method}/{side}": np.asarray(coordinates, dtype=np.float32)
        for arm, methods in points.items()
        for method, sides in methods.items()
        for side, coordinates in zip(("images", "texts"), sides, strict=True)
    }
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def _write_record(path: Path, pairs: Pairs, source: str, seed: int) -> Path:
    from importlib.metadata import version

    arrays = dict(zip(NAMES, (pairs.images, pairs.texts, *(pairs.released or ())), strict=False))
    record = {
        "schema": SCHEMA,
        "source": source,
        "pairs": len(pairs),
        "features": pairs.images.shape[1],
        "seed": seed,
        "draws": DRAWS,
        "permutations": PERMUTATIONS,
        "sha256": {name: _fingerprint(array) for name, array in arrays.items()},
        "numpy": version("numpy"),
    }
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return path


def _fingerprint(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<f4").tobytes()).hexdigest()
