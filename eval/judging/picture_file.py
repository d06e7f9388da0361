"""Pictures of 8 bits outside of memory, read a few at a time: a run may have any number of them."""

from __future__ import annotations

import os
import tempfile
from typing import IO

import numpy as np
import torch
from torch import Tensor

from eval.folders import cache_folder
from eval.pixels import to_float, to_uint8

IN_MEMORY = 64 * 1024**2  # bytes of pictures that need no file


class PictureFile:
    """Pictures that are appended, then read: a temporary file beyond 64 MiB, gone when nobody holds it.

    Args:
        side_px: of every picture.
    """

    def __init__(self, side_px: int) -> None:
        folder = str(cache_folder()) if os.access(cache_folder(), os.W_OK) else None
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=folder)  # noqa: SIM115
        self._side, self._count = side_px, 0

    def append(self, images: Tensor) -> None:
        """Pictures float [n, 3, H, W] in [-1, 1], rounded to 8 bits."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(to_uint8(images).tobytes())
        self._count += len(images)

    def __len__(self) -> int:
        return self._count

    def levels(self, rows: slice = slice(None)) -> np.ndarray:
        """The pictures of some rows: uint8 [n, H, W, 3]; of many a view of the file."""
        first, stop, _ = rows.indices(self._count)
        size = self._side**2 * 3
        if (stop - first) * size > IN_MEMORY:
            shape = (stop - first, self._side, self._side, 3)
            self._file.flush()
            return np.memmap(self._file, np.uint8, "r", first * size, shape)
        self._file.seek(first * size)
        data = self._file.read(max(0, stop - first) * size)
        return np.frombuffer(data, np.uint8).reshape(-1, self._side, self._side, 3)

    def __getitem__(self, rows: slice, /) -> Tensor:
        """The pictures of some rows: float32 [n, 3, H, W] in [-1, 1], of 8-bit values, on the CPU."""
        levels = torch.from_numpy(self.levels(rows).copy()).permute(0, 3, 1, 2)
        return to_float(levels.contiguous())
