"""Frames from unedited to edited, as a folder of PNG files or as a GIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from deltaedit.backbones.latents import Latents
from eval.edits.pictures import RGB
from eval.errors import UsageError

FRAME_MS = 80


def interpolation(start: Latents, end: Latents, frames: int) -> Iterator[Latents]:
    """Codes on the straight way from one batch to another, both ends included: ``frames`` batches.

    All spaces move together, which is consistent because styles are linear in W+.

    Raises:
        ValueError: fewer than 2 frames.
    """
    if frames < 2:
        raise ValueError(f"The 'frames' parameter of interpolation must be 2 or more. Got {frames} instead.")
    for share in (number / (frames - 1) for number in range(frames)):
        yield Latents(
            *(torch.lerp(getattr(start, name), getattr(end, name), share) for name in ("w_plus", "s", "s_rgb"))
        )


def side_by_side(pictures: Iterable[RGB]) -> RGB:
    """Pictures uint8 [H, W, 3] of one height in one row."""
    return np.concatenate(list(pictures), axis=1)


def write_frames(frames: Iterable[RGB], out: Path) -> int:
    """Write pictures one after the other.

    Args:
        frames: uint8 [H, W, 3].
        out: ``x.gif`` (256 colours, plays without end), or a folder for ``frame-0000.png``, … (lossless).

    Returns:
        how many there were.

    Raises:
        UsageError: they cannot be written.
    """
    from PIL import Image

    pictures = (Image.fromarray(np.ascontiguousarray(frame)) for frame in frames)
    count = 0
    try:
        if out.suffix.lower() == ".gif":
            first, *rest = pictures
            first.save(out, save_all=True, append_images=rest, duration=FRAME_MS, loop=0)
            return 1 + len(rest)
        for count, picture in enumerate(pictures, 1):
            picture.save(out / f"frame-{count - 1:04d}.png")
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror or error}); choose another --out.") from None
    return count
