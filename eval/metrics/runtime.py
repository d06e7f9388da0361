"""What a chunk's record holds besides its times: memory and load. ``reports.tables.runtime`` makes costs of them."""

from __future__ import annotations

import os
import sys
from math import nan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def load_average() -> float | None:
    """The machine's load average of the last minute; None where the system has none (Windows)."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def peak_memory_mib(device: torch.device) -> float:
    """Largest memory of this process so far, which never falls: of the GPU that computes, else resident."""
    import torch

    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return nan
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB here
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
