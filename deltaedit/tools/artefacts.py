"""What editors compute once and keep: relevance matrices, trained mappers.

An artefact's address is a hash of everything that determines it, so a changed network or hyper-parameter is another
artefact. It is stored with the time and the hardware that it cost.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from deltaedit.tools.errors import CheckpointError
from deltaedit.tools.files import keep

SUMS_FILE = "SHA256SUMS"  # of a folder of shipped artefacts


def hardware_name(device: torch.device | str = "cpu") -> str:
    """What a device is, for example ``AMD EPYC, 2 cores``."""
    if torch.device(device).type == "cuda":
        return str(torch.cuda.get_device_name(device))
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name}, {os.cpu_count()} cores"


@dataclass(frozen=True)
class Artefact:
    """Tensors and what they cost.

    Attributes:
        tensors: by name.
        cost_s: seconds that computing them took, wherever that was.
        hardware: what they were computed on.
        path: the file, also where it could not be written.
        built_here: computed by this very call.
    """

    tensors: dict[str, Tensor]
    cost_s: float
    hardware: str
    path: Path
    built_here: bool


@dataclass(frozen=True)
class GivenFile:
    """A file of the user's that takes the place of an artefact, such as a published R_s.

    Attributes:
        path: the file.
        read: the key of the artefact -> its tensors; checks that they fit.
        fits: the key -> whether the file is meant for these hyper-parameters; where not, the artefact is computed.
    """

    path: Path
    read: Callable[[Mapping[str, object]], dict[str, Tensor]]
    fits: Callable[[Mapping[str, object]], bool] = lambda key: True


class Artefacts:
    """Finds artefacts among the given files, the shipped ones, then in the cache; computes and caches what is missing.

    Args:
        cache: folder to write to.
        shipped: folder of the package to look in first; its ``SHA256SUMS`` names the sum of every file.
        given: name of an artefact -> the file that is used instead where it fits; its cost is not known.
        device: where artefacts are computed; stored with what they cost.
    """

    def __init__(
        self,
        cache: Path,
        shipped: Path | None = None,
        given: Mapping[str, GivenFile] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.cache = cache
        self.shipped = shipped
        self.given = dict(given or {})
        self.device = torch.device(device)

    @staticmethod
    def address(name: str, key: Mapping[str, object]) -> str:
        """File name of an artefact: its name and 16 digits of the hash of its key."""
        text = json.dumps({"name": name, **key}, sort_keys=True)
        return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.safetensors"

    def find(self, name: str, key: Mapping[str, object]) -> Path | None:
        """The file that holds the artefact, or None."""
        folders = [folder for folder in (self.shipped, self.cache) if folder is not None]
        paths = (folder / self.address(name, key) for folder in folders)
        return next((path for path in paths if path.exists()), None)

    def get(self, name: str, key: Mapping[str, object], build: Callable[[], dict[str, Tensor]]) -> Artefact:
        """Load the artefact, or compute and store it.

        Args:
            name: what it is, for example ``relevance``.
            key: everything that determines it: hyper-parameters and the fingerprints of the networks, as JSON values.
            build: computes the tensors.

        A file of the cache that is damaged, or of another artefact, is told and made again.

        Raises:
            ValueError: a shipped file (``CheckpointError``: also of a single other bit) is damaged.
        """
        from safetensors.torch import save

        if name in self.given and self.given[name].fits(key):
            file = self.given[name]
            return Artefact(file.read(key), float("nan"), "", file.path, False)
        text, path = json.dumps({"name": name, **key}, sort_keys=True), self.find(name, key)
        if path is not None:
            if path.parent == self.shipped:
                check_shipped(path)
            try:
                return _loaded(path, text)
            except _Damaged as error:
                if path.parent == self.shipped:
                    raise ValueError(f"{path} cannot be used: {error}; install the package again.") from None
                print(f"{path} is made again: {error}.", file=sys.stderr)
        began = time.perf_counter()
        tensors = {k: v.contiguous() for k, v in build().items()}
        cost_s, hardware = time.perf_counter() - began, hardware_name(self.device)
        path = self.cache / self.address(name, key)
        meta = {"cost_s": f"{cost_s:.3f}", "hardware": hardware, "key": text, "sum": _sum(tensors)}
        packed = save({k: v.cpu() for k, v in tensors.items()}, meta)
        keep(path, lambda file: file.write(packed))
        return Artefact(tensors, cost_s, hardware, path, True)


def check_shipped(path: Path) -> None:
    """Compare a shipped file with the sum that was recorded when it was made.

    Raises:
        CheckpointError: it is another file, or no sum is recorded.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    sums = path.with_name(SUMS_FILE)
    listed = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    if f"{found}  {path.name}" not in listed:
        raise CheckpointError(f"{path} is damaged (its sha256 is not the recorded one); install the package again.")


def record_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` of a folder of artefacts that are to be shipped."""
    files = sorted(folder.glob("*.safetensors"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / SUMS_FILE).write_text("".join(lines), encoding="utf-8", newline="\n")


class _Damaged(Exception):
    """A stored artefact that cannot be used, and why."""


def _loaded(path: Path, key: str) -> Artefact:
    """A stored artefact that says it is the one of this key; those of earlier versions say less."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as stored:  # type: ignore[no-untyped-call]
            meta = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _Damaged(f"it is damaged ({error})") from None
    if meta.get("key", key) != key:
        raise _Damaged("it is the file of another artefact")
    if "sum" in meta and meta["sum"] != _sum(tensors):
        raise _Damaged("its numbers were changed")
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise _Damaged("it holds numbers that are not finite")
    single = {name: _single(tensor) for name, tensor in tensors.items()}
    return Artefact(single, float(meta.get("cost_s", "nan")), meta.get("hardware", ""), path, False)


def _sum(tensors: Mapping[str, Tensor]) -> str:
    """sha256 of names, shapes and numbers."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


def _single(tensor: Tensor) -> Tensor:
    """Half precision, in which some artefacts are shipped, as float32; other tensors as they are."""
    return tensor.float() if tensor.dtype == torch.float16 else tensor
