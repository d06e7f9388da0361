"""Pictures in and out: files of any size to tensors, tensors to eight bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eval.errors import UsageError

RGB = np.ndarray  # uint8 [H, W, 3]


def read_picture(path: Path, side_px: int | None = None) -> tuple[Tensor, str]:
    """A picture file, its middle square if it is not square.

    Args:
        path: anything that Pillow reads.
        side_px: what it is resized to; None keeps the side.

    Returns:
        float32 [1, 3, side, side] in [-1, 1]; and what was done to it, in words, empty if nothing.

    Raises:
        UsageError: the file is missing, or no whole picture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.has_transparency_data:
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
            picture = picture.convert("RGB")
    except FileNotFoundError:
        raise UsageError(f"There is no picture {path}.") from None
    except Exception as error:  # whatever a damaged picture makes Pillow raise
        reason = " ".join(str(error).split())
        raise UsageError(f"{path} is no whole picture that can be read ({reason or type(error).__name__}).") from None
    width, height = picture.size
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    picture = picture.crop((left, top, left + short, top + short))
    done = [f"cut to the middle {short} x {short}"] if width != height else []
    if side_px is not None and short != side_px:
        picture = picture.resize((side_px, side_px), Image.Resampling.LANCZOS)
        done.append(f"resized to {side_px} x {side_px}")
    note = f"{path.name} ({width} x {height} px) is {' and '.join(done)}." if done else ""
    return to_tensor(np.asarray(picture)), note


def to_tensor(picture: RGB) -> Tensor:
    """uint8 [H, W, 3] -> float32 [1, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def to_bytes(images: Tensor) -> list[RGB]:
    """Float [N, 3, H, W] in [-1, 1], clipped -> N times uint8 [H, W, 3].

    >>> to_bytes(torch.tensor([-2.0, 0.0, 1.0]).view(1, 3, 1, 1))[0].tolist()
    [[[0, 128, 255]]]
    """
    whole = ((images.detach().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return list(whole.permute(0, 2, 3, 1).cpu().numpy())
