"""One training in several processes that ``torchrun`` started: each takes its share of every batch.

Gradients are averaged (PyTorch's DistributedDataParallel), so that the weights are those of one process, up to
rounding. Without ``torchrun`` everything here is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch import distributed as processes


def rank_and_count() -> tuple[int, int]:
    """Number of this process, and how many there are: 0 and 1 without ``torchrun``."""
    if processes.is_available() and processes.is_initialized():
        return processes.get_rank(), processes.get_world_size()
    return 0, 1


def is_first() -> bool:
    """Whether this is the process that writes files."""
    return rank_and_count()[0] == 0


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if rank_and_count()[1] > 1:
        processes.barrier()


def shared(network: nn.Module, device: torch.device) -> nn.Module:
    """The network with gradients averaged over the processes; itself where there is one."""
    if rank_and_count()[1] == 1:
        return network
    places = [device] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(network, device_ids=places, broadcast_buffers=False)


def own_share(parts: Sequence[Tensor]) -> list[Tensor]:
    """This process's rows of tensors [B, …] that all processes have; only where gradients are taken.

    Raises:
        ValueError: the batch cannot be divided: the mean of unequal shares is not the mean of the batch.
    """
    rank, count = rank_and_count()
    if count == 1 or not torch.is_grad_enabled():
        return list(parts)
    if len(parts[0]) % count:
        raise ValueError(
            f"The 'batch' parameter of a training in {count} processes must be a multiple of {count}. "
            f"Got {len(parts[0])} instead."
        )
    return [part[rank::count] for part in parts]
