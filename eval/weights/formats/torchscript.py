"""Reads the tensors of a TorchScript archive, as OpenAI published CLIP, without running the code that is in it.

Such an archive is a zip file: ``data.pkl`` tells how the modules are nested and which part of which ``data/<key>`` each
tensor is, ``code/`` holds what ``torch.jit.load`` would compile. Here the code is never opened, and of the pickle every
class becomes a ``Record`` of its name (see ``restricted_pickle``).
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eval.weights.formats.files import CheckpointError, archive_names
from eval.weights.formats.restricted_pickle import Record, check_operations, strided

DTYPES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
}
TENSOR = "torch._utils._rebuild_tensor_v2"
ALLOWED = (TENSOR, "collections.OrderedDict")
ALLOWED_PREFIXES = ("__torch__.", "torch.jit._pickle.")
MOST_CODE = 1 << 24  # bytes of one file of code; real ones have some ten thousand
DEEPEST = 16  # modules within modules; CLIP has 6


def is_torchscript(path: Path) -> bool:
    """Whether a zip archive holds TorchScript code, which ``torch.load`` refuses to read as plain tensors."""
    return any(name.endswith("/constants.pkl") for name in archive_names(path))


def is_exact_gelu(path: Path) -> bool:
    """Whether an archive's code, which is looked at as text, calls GELU; OpenAI's has x · sigmoid(1.702 x)."""
    try:
        with zipfile.ZipFile(path) as archive:
            code = (info for info in archive.infolist() if "/code/" in info.filename and info.filename.endswith(".py"))
            return any(info.file_size < MOST_CODE and b"torch.gelu(" in archive.read(info) for info in code)
    except Exception as error:  # whatever a damaged archive can cause
        raise CheckpointError(f"{path} is no whole TorchScript archive ({type(error).__name__}: {error}).") from None


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """The floating-point tensors of an archive by name, float32; whole numbers (sizes, counters) are left out.

    Raises:
        CheckpointError: the archive is damaged, or its pickle names something that holds no tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}; nothing of it was run.") from None
    except Exception as error:  # whatever a damaged archive can cause
        raise CheckpointError(f"{path} is no whole TorchScript archive ({type(error).__name__}: {error}).") from None


def _read(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")
    data = archive.read(f"{root}data.pkl")
    check_operations(data)
    tensors = {}
    for name, record in _tensors(_Reader(io.BytesIO(data)).load(), ""):
        (_, kind, key, _, _), *place = record.args[:4]
        if getattr(kind, "name", "").removeprefix("torch.") not in DTYPES:
            continue
        member = archive.getinfo(f"{root}data/{key}")
        if member.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(f"has packed tensors ('{member.filename}'), which TorchScript does not write")
        numbers = bytearray(archive.read(member))  # one tensor at a time, so that the file is never twice in memory
        flat = torch.frombuffer(numbers, dtype=DTYPES[kind.name.removeprefix("torch.")])
        tensors[name] = strided(flat, place, name)
    return tensors


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        storage = module == "torch" and name.endswith("Storage")
        if full in ALLOWED or full.startswith(ALLOWED_PREFIXES) or storage:
            return type("Record", (Record,), {"name": full})
        raise CheckpointError(f"holds the global '{full}', which an archive of tensors does not need")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def _tensors(module: Any, prefix: str, depth: int = DEEPEST) -> Iterator[tuple[str, Record]]:
    """(name, record) of every tensor of a module and of those within it."""
    if depth == 0:
        raise CheckpointError(f"has modules nested without end at '{prefix}'")
    attributes = module.state if isinstance(module, Record) and isinstance(module.state, dict) else {}
    for name, value in attributes.items():
        full = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(value, Record) and value.name == TENSOR:
            yield full, value
        else:
            yield from _tensors(value, full, depth - 1)
