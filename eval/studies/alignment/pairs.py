"""Where the pairs of an alignment come from: a folder of published features, or the captions of a domain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.errors import UsageError
from eval.studies.alignment.measures import Pairs

if TYPE_CHECKING:
    from eval.domains.base import Domain

FEWEST = 20  # pairs: fewer say nothing in spaces of hundreds of dimensions
MOST = 5000  # pairs: the matrices of all images against all texts then take 1 GB
KINDS = {"i": "image features", "t": "text features", "deltai": "image deltas", "deltat": "text deltas"}
CLIPS = ("judge", "editing")
BATCH = 100  # pictures or texts encoded at once
HELP = "see `deltabench align --help`"


def load_features(folder: Path, count: int | None = None) -> Pairs:
    """Read ``*_i.npy``, ``*_t.npy``, ``*_deltai.npy`` and ``*_deltat.npy``, float [N, E] each; row k belongs together.

    The deltas may both be absent: fresh ones are made of the features anyway.

    Args:
        folder: with the four files, whatever their names start with.
        count: only the first so many pairs; default all, at most 5,000.

    Raises:
        UsageError: no such folder; a file that is missing, twice there or unreadable; arrays that do not fit together.
    """
    if not folder.is_dir():
        raise UsageError(f"--features must be a folder with the four arrays, got {folder}; {HELP}.")
    paths = {kind: _find(folder, kind) for kind in KINDS}
    needed = KINDS if paths["deltai"] or paths["deltat"] else ("i", "t")
    for kind in needed:
        if paths[kind] is None:
            raise UsageError(f"{folder} has no {KINDS[kind]} (a file whose name ends in _{kind}.npy); {HELP}.")
    arrays = {kind: _read(path) for kind, path in paths.items() if path is not None}
    for kind, array in arrays.items():
        if array.shape != arrays["i"].shape:
            raise UsageError(
                f"{paths[kind]} has the shape {list(array.shape)}, but the image features have "
                f"{list(arrays['i'].shape)}; all arrays must have the same."
            )
    wanted = _checked_count(count, len(arrays["i"]), str(folder))
    arrays = {kind: array[:wanted] for kind, array in arrays.items()}
    released = (arrays["deltai"], arrays["deltat"]) if "deltai" in arrays else None
    return Pairs(arrays["i"], arrays["t"], released)


def pairs_of_domain(domain: Domain, count: int | None = None, seed: int = 0, clip: str = CLIPS[0]) -> Pairs:
    """Renders of test portraits and a random true caption for each, as one of the domain's CLIPs sees them.

    Args:
        domain: ``avatars``; no other has captions.
        count: the first so many test portraits; default all 1,000.
        seed: of the captions.
        clip: ``judge`` or ``editing``.

    Raises:
        UsageError: a domain without captions, or more pairs than it has.
    """
    if domain.name != "avatars":
        raise UsageError(
            f"The domain '{domain.name}' has no captions; align 'avatars', or your own features with --features DIR."
        )
    import torch

    from eval.domains.avatars import datasets
    from eval.domains.avatars.captions import caption_batch
    from eval.domains.avatars.networks import to_float
    from eval.domains.avatars.renderer import render

    available = len(datasets.portraits("test"))
    people = datasets.portraits("test", _checked_count(count, available, "the test set of avatars"))
    captions = caption_batch(people, 0, np.random.default_rng(seed)).texts
    network = domain.judges.clip if clip == "judge" else domain.editing.clip
    starts = range(0, len(people), BATCH)
    with torch.inference_mode():
        pictures = (to_float(render(people[start : start + BATCH])) for start in starts)
        images = [network.encode_images(block.to(network.device)) for block in pictures]
        texts = [network.encode_texts(captions[start : start + BATCH]) for start in starts]
    return Pairs(torch.cat(images).cpu().numpy(), torch.cat(texts).cpu().numpy())


def _find(folder: Path, kind: str) -> Path | None:
    found = sorted(path for path in folder.glob("*.npy") if path.stem.split("_")[-1] == kind)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError(f"{folder} has several arrays of {KINDS[kind]} ({names}); keep one data set a folder.")
    return found[0] if found else None


def _read(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path} cannot be read as a .npy array ({reason.rstrip('.')}).") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):
        shape, kind = getattr(array, "shape", "?"), getattr(array, "dtype", "an archive")
        raise UsageError(f"{path} must hold floats of shape [pairs, features], got {kind} of shape {list(shape)}.")
    if array.shape[1] < 2:
        raise UsageError(f"{path} must have at least 2 features a row, got {array.shape[1]}.")
    bad = np.flatnonzero(~np.isfinite(array).all(1))
    if len(bad):
        raise UsageError(f"{path} holds NaN or infinite numbers, first in row {bad[0]}.")
    empty = np.flatnonzero(~array.any(1))
    if len(empty):
        raise UsageError(f"{path} holds rows of only zeros, first row {empty[0]}; they have no direction.")
    features: np.ndarray = array
    return features


def _checked_count(count: int | None, available: int, where: str) -> int:
    if available < FEWEST:
        raise UsageError(f"An alignment needs at least {FEWEST} pairs, got {available} in {where}.")
    wanted = min(available, MOST) if count is None else count
    if not FEWEST <= wanted <= min(available, MOST):
        raise UsageError(f"--pairs must be from {FEWEST} to {min(available, MOST)} for {where}, got {wanted}.")
    return wanted
