"""How many pictures are computed at once: by their size, by the memory that is free, and fewer when it runs out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")
# Fixed, so that sums have the same order, and numbers the same last digit, on every machine with enough memory.
BLOCK_PIXELS = 8 * 1024**2
BYTES_A_PIXEL = 512  # a StyleGAN2 holds three activations of 32 channels, judges and metrics some copies [measured]
SHARE = 0.6  # of the free memory that pictures may take


def pictures_at_once(side_px: int, device: torch.device, most: int) -> int:
    """How many pictures of a side to compute at once.

    Args:
        side_px: of a picture.
        device: where.
        most: no more than these, such as the images of a chunk.
    """
    wanted = min(most, max(1, BLOCK_PIXELS // side_px**2))
    free = free_bytes(device)
    return wanted if free is None else max(1, min(wanted, int(SHARE * free) // (BYTES_A_PIXEL * side_px**2)))


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had on a device, in bytes; None where that cannot be asked."""
    import torch

    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # PyTorch's own, to use again
        return torch.cuda.mem_get_info(device)[0] + kept
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    known = [found for found in (_available_bytes(), _container_bytes()) if found is not None]
    return min(known, default=None)


def in_blocks(work: Callable[[slice], Result], count: int, block: int) -> list[Result]:
    """``work`` on rows 0 to ``count`` in blocks; a block that does not fit into memory is halved and done again.

    Args:
        work: given rows; called again with fewer from the same first row where memory ran out.
        count: how many rows there are.
        block: how many at a time.

    Returns:
        One result a block, in order.

    >>> in_blocks(lambda rows: rows.stop - rows.start, 5, 2)
    [2, 2, 1]
    """
    results, first = [], 0
    while first < count:
        rows = slice(first, min(first + block, count))
        try:
            results.append(work(rows))
            first = rows.stop
        except (RuntimeError, MemoryError) as error:
            if rows.stop - rows.start == 1 or not is_out_of_memory(error):
                raise
            block = (rows.stop - rows.start + 1) // 2
        if first < rows.stop:  # outside of the handler: until then the error holds the tensors that were too many
            _give_back()
    return results


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    True
    """
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(
        told in words for told in ("out of memory", "can't allocate memory", "not enough memory")
    )


def _give_back() -> None:
    """Return what PyTorch keeps of a GPU's memory, so that the next try finds it in one piece."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def _available_bytes() -> int | None:
    """``MemAvailable`` of Linux."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _container_bytes() -> int | None:
    """What a container may still take, where it has a limit (control groups, version 2)."""
    try:
        limit, used = (Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii") for name in ("max", "current"))
        return int(limit) - int(used)
    except (OSError, ValueError):  # none, or "max"
        return None
