"""What this machine has to compute with, for ``deltabench doctor``."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deltaedit.tools.artefacts import hardware_name
from eval.device import chosen_device, cores
from eval.folders import cache_folder
from eval.memory import free_bytes
from eval.metrics.runtime import load_average

GIB = 1024**3
PACKAGES = ("deltabench", "torch", "torchvision", "numpy", "open_clip_torch", "facenet-pytorch", "onnxruntime", "ray")


def facts() -> dict[str, Any]:
    """Everything that is known, as JSON values: what a bug report should hold."""
    return {
        "processor": processor(),
        "memory": memory(),
        "devices": list(devices()),
        "chosen": str(chosen_device("auto")),
        "blas": {"torch": torch_blas(), "numpy": numpy_blas()},
        "threads": {
            "torch": torch.get_num_threads(),
            "between_operations": torch.get_num_interop_threads(),
            **{name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")},
        },
        "system": f"{platform.system()} {platform.release()}",
        "versions": {"python": platform.python_version(), **dict(versions())},
        "cache": {"folder": str(cache_folder()), "free_gib": free_disk_gib(cache_folder())},
        "weights": weights(),
    }


def processor() -> dict[str, Any]:
    """Name, cores of the machine and those that this process may use, vector units, load."""
    return {
        "name": hardware_name(),
        "cores": os.cpu_count() or 1,
        "usable": usable_cores(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "load": load_average(),
    }


def usable_cores() -> float:
    """Cores that this process may use: by its affinity, and by the limit of its container."""
    usable = float(cores())
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        usable = min(usable, int(quota) / int(period))  # "max" is no number
    return usable


def memory() -> dict[str, float | None]:
    """Of the machine, in GiB: all, what can still be had, swap in use; None where it is not told."""
    told: dict[str, int] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            told[name] = int(value.split()[0]) * 1024
    free = free_bytes(torch.device("cpu"))
    swap = told["SwapTotal"] - told["SwapFree"] if "SwapFree" in told else None
    sizes = {"total_gib": told.get("MemTotal"), "free_gib": free, "swap_used_gib": swap}
    return {name: None if size is None else size / GIB for name, size in sizes.items()}


def devices() -> Iterator[dict[str, Any]]:
    """Every device that networks can compute on, with its memory in GiB."""
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        device = torch.device("cuda", number)
        free, total = torch.cuda.mem_get_info(device)
        yield {
            "device": str(device),
            "name": hardware_name(device),
            "free_gib": free / GIB,
            "total_gib": total / GIB,
            "capability": "{}.{}".format(*torch.cuda.get_device_capability(device)),
            "cuda": torch.version.cuda,
        }
    if torch.backends.mps.is_available():
        total = torch.mps.recommended_max_memory()
        yield {"device": "mps", "name": hardware_name(), "free_gib": None, "total_gib": total / GIB}
    yield {"device": "cpu", "name": hardware_name(), **memory()}


def torch_blas() -> str:
    """The library that PyTorch's matrix products go to."""
    described = torch.__config__.show()
    names = {"MKL": "MKL", "OpenBLAS": "OpenBLAS", "Accelerate": "Accelerate", "BLIS": "BLIS"}
    wanted = (part for line in described.splitlines() for part in line.split(",") if "BLAS_INFO=" in part)
    told = next(wanted, "").partition("=")[2].strip()
    return told or next((name for sign, name in names.items() if sign in described), "unknown")


def numpy_blas() -> str:
    """The library that NumPy's matrix products go to."""
    shown: Any = np.show_config(mode="dicts")
    return str(shown.get("Build Dependencies", {}).get("blas", {}).get("name", "unknown"))


def versions() -> Iterator[tuple[str, str]]:
    """Package -> version, of those that are installed."""
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            yield name, version(name)


def free_disk_gib(folder: Path) -> float:
    """Space left where a folder is, or would be."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free / GIB


def weights() -> dict[str, str]:
    """Domain -> ``ready``, or how many of its files are missing; no sums are computed."""
    from eval.domains import DOMAINS
    from eval.domains.photos import described
    from eval.weights.packages import PACKAGES as WEIGHT_PACKAGES
    from eval.weights.packages import root

    found = {}
    for name in DOMAINS:
        missing = [package.name for package in WEIGHT_PACKAGES.get(name, ()) if root(package) is None]
        description = None if name in WEIGHT_PACKAGES else described(name)
        if description is not None:
            missing += [file.name for file in description.files() if file.path is None and not file.optional]
        found[name] = f"{len(missing)} missing: {', '.join(missing)}" if missing else "ready"
    return found
