"""What a chunk's record holds besides its times: memory and load. ``reports.tables.runtime`` makes costs of them."""

from __future__ import annotations

import os
import sys
from math import nan


def load_average() -> float | None:
    """The machine's load average of the last minute; None where the system has none (Windows)."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def peak_memory_mib() -> float:
    """Largest memory of this process so far, which never falls: of a GPU if one is used, else resident."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return nan
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB here
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
