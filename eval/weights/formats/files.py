"""Opens weight files of any kind without running anything in them, and says what a wrong file looks like instead."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deltaedit.tools.errors import CheckpointError
from deltaedit.tools.files import is_zip
from eval.errors import shortened

__all__ = [
    "CheckpointError",
    "archive_names",
    "check_inflated",
    "describe_file",
    "describe_names",
    "existing",
    "load_array",
    "load_safetensors",
    "load_torch",
]


MOST_INFLATED = 1 << 30  # bytes that an archive may unpack to whatever it weighs
MOST_RATIO = 100  # above that: unpacked to packed
ZIP, PICKLE = "a zip archive (torch.save writes such)", "a pickle"
# (start of the file, what it is)
_STARTS = (
    (b"PK\x03\x04", ZIP),
    (b"\x93NUMPY", "a NumPy array"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself; run `git lfs pull`"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x80", PICKLE),
)
# (prefixes that all occur among the names, what it is); the first that fits counts
_CONTENTS = (
    (("g_ema",), "a StyleGAN2 checkpoint of rosinality's code"),
    (("sm_coarse.", "fm_fine."), "a Delta Mapper"),
    (("mapper.",), "a StyleCLIP mapper"),
    (("encoder.", "decoder."), "an e4e or pSp checkpoint"),
    (("encoder.",), "an e4e or pSp checkpoint without its decoder"),
    (("conv1.conv.", "to_rgbs."), "a bare StyleGAN2 state dict of rosinality's code"),
    (("synthesis.b4.",), "a bare StyleGAN2 state dict of NVIDIA's code"),
    (("synthesis.constant", "mapping."), "a generator of this library"),
    (("input_layer.", "body."), "a face network (IR-SE50)"),
    (("visual.", "transformer."), "a CLIP model"),
    (("repeat_1.", "mixed_6a."), "an InceptionResnetV1 face network"),
    (("Mixed_5b.", "Mixed_7c."), "an Inception network, whose features FID compares"),
)


def describe_file(path: Path) -> str:
    """What the first bytes say a file is, for example ``a web page``."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        return "an empty file"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page (the download was refused, or asked for a confirmation)"
    if len(start) > 9 and start[8:10] == b'{"' and int.from_bytes(start[:8], "little") < path.stat().st_size:
        return "a safetensors file"
    return next((what for magic, what in _STARTS if start.startswith(magic)), "a file of unknown kind")


def describe_names(names: Iterable[str]) -> str:
    """What a checkpoint with these names is, or its first names."""
    names = list(names)
    for prefixes, what in _CONTENTS:
        if all(any(name.startswith(prefix) for name in names) for prefix in prefixes):
            return what
    shown = ", ".join(f"'{shortened(name, 40)}'" for name in names[:2])
    return f"a checkpoint of unknown kind that begins with {shown}" if names else "an empty checkpoint"


def existing(path: Path | str) -> Path:
    """The path.

    Raises:
        CheckpointError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    return path


def load_torch(path: Path | str) -> Any:
    """What ``torch.save`` stored, on the CPU; only tensors and plain values are read.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or holds anything else.
    """
    path = existing(path)
    kind = describe_file(path)
    if kind not in (ZIP, PICKLE):
        raise CheckpointError(f"{path} is no whole torch file; it looks like {kind}.")
    safe = getattr(torch.serialization, "safe_globals", None)  # torch 2.5; without it such files are refused
    try:
        with safe(harmless()) if safe else nullcontext():
            # Mapped, so that what is not used of a file (a second generator, a discriminator) takes no memory.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=kind == ZIP and not _is_packed(path))
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found:
            raise CheckpointError(
                f"{path} holds the global '{found[1]}'; expected are tensors and plain values only, and nothing of it "
                "was run."
            ) from None
        raise CheckpointError(f"{path} is no whole torch file; it looks like {kind}.") from None
    except Exception:  # whatever a damaged file can cause
        whole = is_zip(path) or kind == PICKLE
        state = kind if whole else "a damaged or truncated zip archive (torch.save writes such)"
        raise CheckpointError(f"{path} is no whole torch file; it looks like {state}.") from None


def archive_names(path: Path) -> list[str]:
    """Names of the members of a zip archive; none of a file that is no whole one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):  # also names that are no text
        return []


def _is_packed(path: Path) -> bool:
    """Whether something in a zip archive is compressed, as ``torch.save`` never does: it cannot be mapped then.

    Raises:
        CheckpointError: it unpacks to far more than it weighs.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    check_inflated(path, sum(member.file_size for member in members))
    return any(member.compress_type != zipfile.ZIP_STORED for member in members)


def check_inflated(path: Path, inflated: int) -> None:
    """Refuse an archive that is small and would fill the memory.

    Args:
        path: of the archive.
        inflated: bytes that it says it unpacks to.

    Raises:
        CheckpointError: that is far more than it weighs.
    """
    if inflated > max(MOST_INFLATED, MOST_RATIO * path.stat().st_size):
        raise CheckpointError(f"{path} unpacks to {inflated >> 20} MiB, far more than it weighs; it is not read.")


def harmless() -> list[Any]:
    """Classes of values that training scripts leave beside the weights: arguments, paths, NumPy's numbers.

    None of them does anything when it is made; a path of the other system becomes one that is only a name.
    """
    import argparse
    import datetime
    import pathlib

    import numpy as np

    paths = [pathlib.PurePosixPath, pathlib.PureWindowsPath]
    named = [
        (paths["Windows" in name], f"{module}.{name}")
        for module in ("pathlib", "pathlib._local")
        for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    ]
    scalar, rebuild = np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]
    numpy = [
        (function, f"{package}.multiarray.{name}")
        for package in ("numpy.core", "numpy._core")
        for function, name in ((scalar, "scalar"), (rebuild, "_reconstruct"))
    ]
    kinds = [type(np.dtype(code)) for code in "?bBhHiIlLqQefdg"]
    return [
        argparse.Namespace,
        datetime.datetime,
        datetime.date,
        datetime.timedelta,
        np.dtype,
        np.ndarray,
        *dict.fromkeys(kinds),
        *named,
        *numpy,
    ]


def load_array(path: Path | str) -> Tensor:
    """A NumPy file as float32 tensor.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or holds Python objects.
    """
    import numpy as np

    path = existing(path)
    try:
        array = np.load(path, allow_pickle=False)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"numbers of the type {array.dtype}")
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    except Exception as error:  # whatever a damaged file can cause
        objects = "; it holds Python objects, which are not read" if "allow_pickle" in str(error) else ""
        what = describe_file(path)
        damaged = "a damaged or truncated NumPy array" if what == "a NumPy array" and not objects else what
        raise CheckpointError(f"{path} is no whole NumPy array of numbers; it looks like {damaged}{objects}.") from None


def load_safetensors(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name.

    Raises:
        CheckpointError: the file is missing, damaged or of another kind.
    """
    from safetensors.torch import load_file

    path = existing(path)
    try:
        return load_file(path)
    except Exception:  # whatever a damaged file can cause
        what = describe_file(path)
        damaged = "a damaged or truncated safetensors file" if what == "a safetensors file" else what
        raise CheckpointError(f"{path} is no whole safetensors file; it looks like {damaged}.") from None
