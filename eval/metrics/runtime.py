"""What a chunk's record holds besides its times: the memory. Costs are made of both in ``reports.tables.runtime``."""

from __future__ import annotations

import sys
from math import nan


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
