"""Codes that other tools saved: W+, W or styles, as arrays, archives of arrays, tensors or dictionaries of them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eval.weights.formats.files import (
    PICKLE,
    ZIP,
    CheckpointError,
    archive_names,
    check_inflated,
    describe_file,
    describe_names,
    existing,
    load_array,
    load_safetensors,
    load_torch,
)
from eval.weights.formats.states import plain_tensor

NAMES = ("w_plus", "w", "latents", "latent", "codes", "projected_w", "latent_codes", "wplus", "s")
MOST_ROWS_TOLD = 5
KINDS = ("a NumPy array", "a safetensors file", ZIP, PICKLE)
SAVE = "save them alone: np.save('codes.npy', codes)"


@dataclass(frozen=True)
class Codes:
    """What a file of codes holds.

    Attributes:
        codes: float32 [N, L, D] of W+, or [N, C] of styles.
        count: codes in the file, of which ``codes`` may be the first.
        notes: how they were taken where that is not certain, one sentence each.
    """

    codes: Tensor
    count: int
    notes: tuple[str, ...] = ()


def read_codes(
    path: Path | str,
    w_plus: tuple[int, int],
    styles: int | None = None,
    limit: int | None = None,
    taken: str | None = None,
) -> Codes:
    """Codes of a file of any of the usual forms.

    Args:
        path: ``.npy``, ``.npz``, ``.pt`` or ``.safetensors``.
        w_plus: (L, D) of the generator.
        styles: C of the generator, where styles can be used.
        limit: at most so many codes; only their numbers are looked at.
        taken: ``w`` takes [L, D] as L vectors of W, ``w+`` as one code of W+; None as one code, and says so.

    Raises:
        CheckpointError: the file is missing or damaged, its codes are of another size, or a row is not finite.
    """
    path = existing(path)
    numbers = _payload(path)
    found, notes = _shaped(path, numbers, w_plus, styles, taken)
    with np.errstate(over="ignore"):  # what is too large for float32 is told as infinite
        first = torch.from_numpy(np.array(found[:limit], dtype=np.float32))
    check_rows(path, first)
    if first.dim() == 3 and first.shape[1] == 1 and w_plus[0] != 1:
        first = first.expand(-1, w_plus[0], -1).contiguous()  # W: the same vector for every row
    return Codes(first, len(found), tuple(notes))


def check_rows(path: Path, codes: Tensor) -> None:
    """Refuse codes that are no numbers, by their rows.

    Raises:
        CheckpointError: it names the file and the rows.
    """
    bad = (~torch.isfinite(codes.flatten(1)).all(1)).nonzero().flatten().tolist()
    if bad:
        rows = ", ".join(map(str, bad[:MOST_ROWS_TOLD])) + (", …" if len(bad) > MOST_ROWS_TOLD else "")
        raise CheckpointError(
            f"{path} holds NaN or infinite numbers in {len(bad)} of {len(codes)} codes: "
            f"row{'s' * (len(bad) > 1)} {rows} (counted from 0); leave them out."
        )


def _payload(path: Path) -> Any:
    """The array of a file; of several arrays the one that has the name of codes, or all of them stacked."""
    kind = describe_file(path)
    if kind not in KINDS:
        raise CheckpointError(
            f"{path} is no file of codes: it looks like {kind}; read are .npy, .npz, .pt and .safetensors; {SAVE}."
        )
    if kind == "a NumPy array":
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)  # official files hold many gigabytes
        except Exception:  # whatever a damaged file can cause
            load_array(path)  # says in one sentence what is wrong with the file
            raise CheckpointError(f"{path} is no whole NumPy array of numbers.") from None
        return _checked(path, array)
    if kind == ZIP and is_npz(path):
        return _chosen(path, archive_arrays(path))
    payload: Any = load_safetensors(path) if kind == "a safetensors file" else load_torch(path)
    if isinstance(payload, dict):
        arrays = {str(name): _array(value) for name, value in payload.items()}
        kept = {name: array for name, array in arrays.items() if array is not None}
        return _chosen(path, kept, list(map(str, payload)))
    found = _array(payload)
    if found is None:
        raise CheckpointError(
            f"{path} holds no latents: expected is one tensor of real numbers, got a {type(payload).__name__}; {SAVE}."
        )
    return _checked(path, found)


def _array(value: Any) -> np.ndarray | None:
    """What a tensor or an array of a file holds; None of anything else."""
    if isinstance(value, np.ndarray):
        return value
    tensor = plain_tensor(value)
    if tensor is None:
        return None
    whole: np.ndarray = tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype).numpy()
    return whole


def _chosen(path: Path, arrays: dict[str, np.ndarray], names: Sequence[str] | None = None) -> np.ndarray:
    """The codes among arrays by name."""
    arrays = {name: array for name, array in arrays.items() if array.dtype.kind in "fiu" and array.ndim}
    named = next((name for name in NAMES if name in arrays), None)
    if len(arrays) == 1 or named is not None:
        return _checked(path, arrays[named] if named is not None else next(iter(arrays.values())))
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) == 1 and next(iter(shapes))[0] == 1:
        return _checked(path, np.concatenate(list(arrays.values())))
    if len(shapes) == 1 and len(next(iter(shapes))) <= 2:
        return _checked(path, np.stack(list(arrays.values())))
    raise CheckpointError(
        f"{path} holds no latents: expected is one tensor, or one named {' or '.join(NAMES[:3])}; it looks like "
        f"{describe_names(names or arrays)}; {SAVE}."
    )


def _checked(path: Path, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        raise CheckpointError(f"{path} holds no codes: its array is of {array.dtype}, expected are floats.")
    return array


def _shaped(
    path: Path, array: np.ndarray, w_plus: tuple[int, int], styles: int | None, taken: str | None
) -> tuple[np.ndarray, list[str]]:
    """[N, L, D] of W+, [N, 1, D] of W, or [N, C] of styles, and how that was found."""
    rows, size = w_plus
    shape = array.shape
    while len(shape) > 3 and 1 in shape[:-2]:  # [N, 1, L, D]
        array = array.squeeze(max(axis for axis in range(len(shape) - 2) if shape[axis] == 1))
        shape = array.shape
    if not array.size or not array.ndim:
        raise CheckpointError(f"{path} holds no codes: its array is {tuple(shape)}.")
    if shape == (rows, size) and taken == "w":
        return array[:, None], []
    if shape == (rows, size):
        said = f"{path.name} is {rows} x {size}: taken as one code of W+; --codes w takes it as {rows} vectors of W."
        return array[None], [said] if taken is None and rows != 1 else []
    if len(shape) == 3 and shape[1:] == (rows, size):
        return array, []
    if styles is not None and shape in ((styles,), (shape[0], styles)):
        return array.reshape(-1, styles), []
    if shape[-1] == size and (len(shape) < 3 or (len(shape) == 3 and shape[1] == 1)):
        vectors = array.reshape(-1, 1, size)
        what = "one vector of W, used" if len(vectors) == 1 else f"{len(vectors)} vectors of W, each used"
        return vectors, [f"{path.name} holds {what} for all {rows} rows of W+."]
    forms = f"[N, {rows}, {size}] (W+), [N, {size}] (W)" + (f" or [N, {styles}] (styles)" if styles else "")
    raise CheckpointError(
        f"{path} holds no codes of this generator: its array is {tuple(shape)}, expected {forms}; reshape and {SAVE}."
    )


def is_npz(path: Path) -> bool:
    """Whether a zip archive is one of NumPy arrays, as ``np.savez`` writes it."""
    names = archive_names(path)
    return bool(names) and all(name.endswith(".npy") for name in names)


def archive_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an archive; one that unpacks to far more than it weighs is refused unread."""
    try:
        with zipfile.ZipFile(path) as archive:
            inflated = sum(info.file_size for info in archive.infolist())
        check_inflated(path, inflated)
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except CheckpointError:
        raise
    except Exception as error:  # whatever a damaged archive can cause
        raise CheckpointError(f"{path} is no whole archive of NumPy arrays ({type(error).__name__}).") from None
