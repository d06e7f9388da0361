"""Where networks compute: ``--device`` and ``DELTABENCH_DEVICE``, and what is said of it."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from eval.errors import UsageError, unknown

if TYPE_CHECKING:
    import torch

VARIABLE = "DELTABENCH_DEVICE"
AUTO = "auto"
FORMS = "auto, cpu, cuda, cuda:N or mps"


def cores() -> int:
    """Processor cores that this process may use, by its affinity."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chosen_device(asked: str | torch.device | None = None) -> torch.device:
    """The device that is asked for.

    Args:
        asked: ``auto`` (the best there is), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; None for ``$DELTABENCH_DEVICE``,
            and for ``auto`` where that is not set.

    Returns:
        The device; of several GPUs the first, unless one is named.

    Raises:
        UsageError: there is no such device here, or the name is none.
    """
    import torch

    if isinstance(asked, torch.device):
        return asked
    where = "--device" if asked is not None else f"${VARIABLE}"
    name = (asked if asked is not None else os.environ.get(VARIABLE) or AUTO).strip().lower()
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"{where} must be {FORMS}. Got '{name}' instead.")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = torch.backends.mps.is_available()
    if name == AUTO:
        name = "cuda:0" if gpus else "mps" if has_mps else "cpu"
    if name == "mps" and not has_mps:
        raise UsageError(f"{where} mps needs a Mac whose GPU PyTorch can use, and there is none; leave it out.")
    if name.startswith("cuda"):
        if not gpus:
            raise UsageError(f"{where} {name} needs a GPU that PyTorch can use, and there is none; leave it out.")
        number = int(name.partition(":")[2] or 0)
        if number >= gpus:
            there = "only cuda:0" if gpus == 1 else f"cuda:0 to cuda:{gpus - 1}"
            raise UsageError(f"{where} {name} does not exist: there is {there}.")
        name = f"cuda:{number}"
    return torch.device(name)


def check_precision(device: torch.device, precision: str) -> None:
    """Refuse a precision that the device has no units for.

    Raises:
        UsageError: it names one that it has.
    """
    from deltaedit.tools.precision import PRECISIONS, has_bfloat16

    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    if precision == "tf32" and device.type != "cuda":
        raise UsageError(f"--precision tf32 needs an NVIDIA GPU; on {device} take float32, the default.")
    if precision == "bf16" and not has_bfloat16(device):
        raise UsageError(
            "--precision bf16 needs a GPU or a processor with AVX-512; here it would be emulated, up to a hundred "
            "times slower: take float32, the default."
        )


def clock(device: torch.device) -> float:
    """Seconds, after everything queued on the device is done."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def device_sentence(device: torch.device, precision: str = "float32") -> str:
    """What is said once when work begins, for example ``Computing on cpu (AMD EPYC, 2 cores), float32.``."""
    from deltaedit.tools.artefacts import hardware_name

    return f"Computing on {device} ({hardware_name(device)}), {precision}."
