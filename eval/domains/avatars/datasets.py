"""Sets of rendered avatars: what the networks train on, what they are checked on, what the benchmark edits.

Every set has its own seed, so no portrait is in two of them (geometry is continuous). Large sets are rendered once, in
shards, into the cache; a broken-off rendering goes on with the missing shards.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from deltaedit.tools.files import keep_sealed, read_kept
from eval.domains.avatars.factors import DEFAULT_RHO, Portraits, sample_portraits
from eval.domains.avatars.renderer import render_blocks
from eval.folders import cache_folder

SHARD = 2000  # portraits per file
RENDERER_VERSION = 1  # part of the cache path: raise it when the pictures change


@dataclass(frozen=True)
class Split:
    """One set: how many portraits, from which seed, with which correlations, and how many pictures of each person."""

    count: int
    seed: int
    rho: float = DEFAULT_RHO
    per_person: int = 1


SPLITS: dict[str, Split] = {
    "train": Split(60_000, seed=1),  # generator, encoder, editing CLIP, Delta Mapper
    "train-check": Split(3_000, seed=2),
    "train-persons": Split(24_000, seed=3, per_person=3),  # the identity network that editors may use
    "train-persons-check": Split(3_000, seed=4, per_person=3),
    "judge": Split(36_000, seed=11, rho=0.0, per_person=3),  # every judge; no editor sees them
    "judge-check": Split(4_000, seed=12, rho=0.0, per_person=4),
    "second-judge": Split(12_000, seed=13, rho=0.0),  # the second attribute judge
    "second-judge-check": Split(2_000, seed=14, rho=0.0),
    "calibration": Split(200, seed=21, rho=0.0),  # strengths are chosen on these
    "test": Split(1_000, seed=31, rho=0.0),  # balanced; a run edits the first --images of them
}


def portraits(name: str, count: int | None = None) -> Portraits:
    """The portraits of a set as numbers; a smaller ``count`` gives the first ones of the same set."""
    split = SPLITS[name]
    drawn = sample_portraits(split.count, split.seed, split.rho)
    if split.per_person > 1:
        person = np.arange(split.count) // split.per_person * split.per_person
        drawn = Portraits(drawn.values, drawn.geometry[person])
    return drawn[:count]


def renders(
    name: str, count: int | None = None, workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Pictures of a set: uint8 [N, 64, 64, 3], a read-only memory map where the cache can be written.

    Args:
        name: a key of ``SPLITS``.
        count: only the first ones.
        workers: worker processes; default one per core.
        progress: called with (portraits done, portraits in all).
    """
    people = portraits(name, count)
    folder = cache_folder() / "avatars" / f"renders-v{RENDERER_VERSION}"
    whole = folder / f"{name}-{len(people)}.npy"
    stored = read_kept(whole, lambda path: _loaded(path, len(people)))
    if stored is not None:
        return stored
    blocks, shards = [], []
    workers = (os.cpu_count() or 1) if workers is None else workers
    for start in range(0, len(people), SHARD):
        shard = folder / f"{name}-{len(people)}.{start:06d}.npy"
        block = people[start : start + SHARD]
        pictures = read_kept(shard, partial(_loaded, count=len(block)))
        if pictures is None:
            pictures = np.concatenate(list(render_blocks(block, workers if len(block) > 500 else 0)))
            _keep(shard, pictures)
        blocks.append(pictures)
        shards.append(shard)
        if progress:
            progress(min(start + SHARD, len(people)), len(people))
    pictures = np.concatenate(blocks)
    if _keep(whole, pictures):
        for shard in shards:
            shard.unlink()
        pictures = np.load(whole, mmap_mode="r")
    return pictures


def _loaded(path: Path, count: int) -> np.ndarray:
    pictures: np.ndarray = np.load(path, mmap_mode="r")
    if len(pictures) != count:
        raise ValueError(f"it holds {len(pictures)} pictures instead of {count}")
    return pictures


def _keep(path: Path, pictures: np.ndarray) -> bool:
    return keep_sealed(path, lambda file: np.save(file, pictures))
