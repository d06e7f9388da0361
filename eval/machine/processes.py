"""The processes that ``torchrun`` started: joined for one command, each with a GPU of its own where there are GPUs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from eval.device import chosen_device


def own_device(asked: str | None, rank: int) -> torch.device:
    """The device of this process: of several GPUs that of its number on this machine.

    Raises:
        UsageError: there is no such device.
    """
    device = chosen_device(asked)
    local = int(os.environ.get("LOCAL_RANK", "0"))
    return torch.device("cuda", local) if device.type == "cuda" and "LOCAL_RANK" in os.environ else device


@contextmanager
def joined_processes(asked: str | None) -> Iterator[tuple[int, int]]:
    """Number of this process and how many there are; without ``torchrun`` 0 and 1.

    Args:
        asked: the device that is asked for; GPUs talk by NCCL, CPUs by Gloo.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or not torch.distributed.is_available():
        yield 0, 1
        return
    device = own_device(asked, int(os.environ["RANK"]))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield torch.distributed.get_rank(), count
    finally:
        torch.distributed.destroy_process_group()
