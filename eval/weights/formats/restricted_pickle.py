"""Reads a pickle without running anything that is in it.

A pickle is a program: it names globals (classes, functions) and calls them. Here no name is ever looked up. A name on
the list below becomes a ``Record`` of the name and of the arguments that it was called with; any other name ends the
reading. The result is a tree of plain values and records; ``tensor`` makes a tensor of the records that describe one.
The numbers of the tensors stay in the file until then, so that of a file with three networks only what is asked for is
ever in memory.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO

import torch
from torch import Tensor

from eval.weights.formats.files import CheckpointError

PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
STORAGE = "torch.storage._load_from_bytes"
LATIN = "_codecs.encode"  # how protocol 2 writes bytes: as text
MAPPINGS = ("collections.OrderedDict", "dnnlib.util.EasyDict")
ALLOWED = {
    PERSISTENT,
    *PARAMETERS,
    *TENSORS,
    STORAGE,
    *MAPPINGS,
    "torch.Size",
    "torch.device",
    "torch.float16",
    "torch.float32",
    "torch.float64",
    LATIN,
    # sets and plain objects; the second names are those of protocol 2
    "builtins.set",
    "builtins.object",
    "copyreg._reconstructor",
    "__builtin__.set",
    "__builtin__.object",
    "copy_reg._reconstructor",
    "numpy.dtype",
    "numpy.ndarray",
    *(
        f"{package}.multiarray.{name}"
        for package in ("numpy.core", "numpy._core")
        for name in ("scalar", "_reconstruct")
    ),
}
ALLOWED_PREFIX = "torch.nn.modules."
LENGTH_BYTES = {"BINBYTES": 4, "BINBYTES8": 8}  # how many bytes tell how long the string is
LONG_BYTES = 1 << 12  # longer strings stay in the file
MOST_OPERATIONS = 20_000_000  # real files hold some ten thousand
HINTS = {
    "dnnlib.tflib": "it is a TensorFlow pickle; convert it with legacy.py of stylegan2-ada-pytorch",
}


class Record:
    """What stands for an object of the file: a global's name and what the file wanted to do with it.

    Attributes:
        name: the global.
        args: what it was called with.
        items: what was assigned by key.
        state: what its state was to become.
    """

    name = ""
    args: tuple[Any, ...]
    items: dict[Any, Any]
    state: Any

    def __new__(cls, *args: Any, **_: Any) -> Record:
        """Note the arguments."""
        record = super().__new__(cls)
        record.args, record.items, record.state = args, {}, None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value


@dataclass(frozen=True)
class Place:
    """Where a long string of bytes lies in the file that it was left in."""

    file: BinaryIO
    start: int
    length: int

    def read(self) -> bytes:
        """The bytes; the file must still be open."""
        self.file.seek(self.start)
        return self.file.read(self.length)


class _Reader(pickle.Unpickler):
    def __init__(self, light: bytes, file: BinaryIO) -> None:
        super().__init__(io.BytesIO(light))
        self._file = file

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in ALLOWED or full.startswith(ALLOWED_PREFIX):
            return type("Record", (Record,), {"name": full})
        hint = next((f" ({text})" for prefix, text in HINTS.items() if full.startswith(prefix)), "")
        raise CheckpointError(f"holds the global '{full}', which a StyleGAN2 pickle does not need{hint}")

    def persistent_load(self, pid: Any) -> Place:
        start, length = map(int, pid.split())
        return Place(self._file, start, length)


def read_pickle(data: bytes | BinaryIO) -> Any:
    """The pickle's content as plain values and records.

    Args:
        data: the pickle, or a file open at its start, which must stay open until the last ``tensor`` of it is made.

    Raises:
        CheckpointError: the data is no whole pickle, or names a global that is not on the list.
    """
    try:
        file = io.BytesIO(data) if isinstance(data, bytes) else data
        return _Reader(_without_long_bytes(file), file).load()
    except CheckpointError:
        raise
    except Exception as error:  # whatever a damaged or hostile pickle can cause
        raise CheckpointError(f"is no whole pickle ({type(error).__name__}: {error})") from None


def _without_long_bytes(file: BinaryIO) -> bytes:
    """The same pickle with a reference in the place of every long string of bytes.

    A reference is pickle's own kind, a persistent id, and says "start length". Persistent ids of the file itself, which
    would refer to something outside of it, are refused. Frames only tell how much to fetch at a time and are left out.
    """
    places, cuts = [], []
    for operation, argument, start in _checked_operations(file):
        places.append(start)
        if operation.name in ("PERSID", "BINPERSID"):
            raise CheckpointError("is no whole pickle (it refers to something outside of the file)")
        if operation.name in LENGTH_BYTES and len(argument) > LONG_BYTES:
            reference = f"{start + 1 + LENGTH_BYTES[operation.name]} {len(argument)}".encode()
            cuts.append((start, b"X" + struct.pack("<I", len(reference)) + reference + b"Q"))
        elif operation.name == "FRAME":
            cuts.append((start, b""))
    ends, light, at = dict(pairwise(places)), bytearray(), 0
    for start, instead in cuts:
        light += _between(file, at, start) + instead
        at = ends[start]
    return bytes(light + _between(file, at, None))


def _between(file: BinaryIO, start: int, stop: int | None) -> bytes:
    file.seek(start)
    return file.read(-1 if stop is None else stop - start)


def check_operations(data: bytes | BinaryIO) -> None:
    """Refuse a pickle that is made to exhaust the memory.

    Raises:
        CheckpointError: it is; other errors say that the data is no whole pickle.
    """
    for _ in _checked_operations(data):
        pass


def _checked_operations(data: bytes | BinaryIO) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int]]:
    """What ``pickletools.genops`` gives, for as long as it is harmless."""
    for number, (operation, argument, place) in enumerate(pickletools.genops(data)):
        # The C unpickler allocates as many places as the largest index of its memo asks for.
        big_memo = operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > number + 1
        if big_memo or number > MOST_OPERATIONS:
            raise CheckpointError("is a pickle made to exhaust the memory")
        yield operation, argument, place or 0


def mapping(value: Any) -> dict[Any, Any]:
    """The items of a dict, OrderedDict or EasyDict of the file; empty for anything else."""
    if isinstance(value, Record) and value.name in MAPPINGS:
        return value.items
    return value if isinstance(value, dict) else {}


def module_state(value: Any) -> dict[Any, Any]:
    """Attributes of a pickled network (a persistent class, or one of torch's); empty for anything else."""
    if not isinstance(value, Record):
        return {}
    if value.name == PERSISTENT and len(value.args) == 1:
        return mapping(mapping(value.args[0]).get("state"))
    return mapping(value.state) if value.name.startswith(ALLOWED_PREFIX) else {}


def class_name(value: Any) -> str:
    """Name of a persistent network's class, or an empty string."""
    is_network = isinstance(value, Record) and value.name == PERSISTENT and len(value.args) == 1
    return str(mapping(value.args[0]).get("class_name", "")) if is_network else ""


def named_modules(value: Any, prefix: str = "", depth: int = 8) -> Iterator[tuple[str, dict[Any, Any]]]:
    """(path, attributes) of a network and of those within it, as ``nn.Module.named_modules`` has them.

    Raises:
        CheckpointError: they are nested deeper than any real network, for example within themselves.
    """
    if depth == 0:
        raise CheckpointError(f"has networks nested without end at '{prefix}'")
    state = module_state(value)
    yield prefix, state
    for name, child in mapping(state.get("_modules")).items():
        if child is not None:
            yield from named_modules(child, f"{prefix}.{name}" if prefix else str(name), depth - 1)


def tensor(value: Any, name: str) -> Tensor:
    """The tensor that a record describes, float32.

    Raises:
        CheckpointError: the record describes none, or one that reaches beyond its storage.
    """
    while isinstance(value, Record) and value.name in PARAMETERS and value.args:
        value = value.args[0]
    if not (isinstance(value, Record) and value.name in TENSORS and len(value.args) >= 4):
        raise CheckpointError(f"has no tensor at '{name}'")
    storage, *place = value.args[:4]
    return strided(_storage(storage, name), place, name)


def strided(flat: Tensor, place: Sequence[Any], name: str) -> Tensor:
    """The tensor that lies at a place of a storage: a copy, float32.

    Args:
        flat: the storage's numbers, 1-d.
        place: offset, size, stride as the file has them.
        name: of the tensor, for the sentence.

    Raises:
        CheckpointError: the place is impossible or reaches beyond the storage, or the numbers are no floats.
    """
    offset, size, stride = place
    size, stride = _whole_numbers(size, name), _whole_numbers(stride, name)
    (offset,) = _whole_numbers((offset,), name)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=False))
    if len(size) != len(stride) or (0 not in size and last >= len(flat)):
        raise CheckpointError(f"has at '{name}' a tensor that reaches beyond its storage")
    if not flat.is_floating_point():
        raise CheckpointError(f"has at '{name}' a tensor of {flat.dtype}; expected are floats")
    return flat.as_strided(size, stride, offset).to(torch.float32, copy=True).contiguous()


def _whole_numbers(values: Any, name: str) -> tuple[int, ...]:
    if isinstance(values, Record) and values.name == "torch.Size" and values.args:
        values = values.args[0]
    if isinstance(values, tuple | list) and all(type(v) is int and v >= 0 for v in values):
        return tuple(values)
    raise CheckpointError(f"has at '{name}' a tensor of impossible shape")


def _storage(value: Any, name: str) -> Tensor:
    """The storage's numbers as a flat tensor."""
    if not (isinstance(value, Record) and value.name == STORAGE and len(value.args) == 1):
        raise CheckpointError(f"has no storage for the tensor '{name}'")
    content = value.args[0]
    if isinstance(content, Record) and content.name == LATIN and content.args:
        content = str(content.args[0]).encode("latin1", "replace")
    try:
        content = content.read() if isinstance(content, Place) else content
        storage = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return torch.tensor([], dtype=storage.dtype).set_(storage)
    except Exception as error:  # whatever a damaged storage can cause
        raise CheckpointError(f"has at '{name}' a damaged tensor ({type(error).__name__})") from None
