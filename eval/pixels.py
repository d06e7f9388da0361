"""Pictures of 8 bits: what a judge sees and what a run stores, so that both are the same picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class Pictures(Protocol):
    """Some pictures, in a tensor or elsewhere: float32 [n, 3, H, W] in [-1, 1] by rows."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, rows: slice, /) -> Tensor:
        """Those of some rows."""


class ReadPictures:
    """Pictures that are made or read when they are asked for.

    Args:
        count: how many there are.
        read: rows -> float32 [n, 3, H, W] in [-1, 1].
    """

    def __init__(self, count: int, read: Callable[[slice], Tensor]) -> None:
        self._count, self._read = count, read

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, rows: slice, /) -> Tensor:
        return self._read(slice(*rows.indices(self._count)))


def to_uint8(images: Tensor) -> np.ndarray:
    """Float [N, 3, H, W] -> uint8 [N, H, W, 3], clipped to [-1, 1] and rounded."""
    levels = to_levels(images)
    pictures: np.ndarray = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pictures


def round_to_8_bit(images: Tensor) -> Tensor:
    """Float [N, 3, H, W] -> float32 in [-1, 1] that holds 256 different values."""
    return _levels(images) / 127.5 - 1


def to_levels(images: Tensor) -> Tensor:
    """Float [...] in [-1, 1] -> uint8 of the same shape, clipped and rounded."""
    return _levels(images).to(torch.uint8)


def to_float(levels: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1], the same values as ``round_to_8_bit`` gives."""
    return levels.float() / 127.5 - 1


def _levels(images: Tensor) -> Tensor:
    return ((images.detach().float().clamp(-1, 1) + 1) * 127.5).round()
