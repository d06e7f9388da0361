"""Pictures of eight bits: tensors to arrays."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

RGB = np.ndarray  # uint8 [H, W, 3]


def to_bytes(images: Tensor) -> list[RGB]:
    """Float [N, 3, H, W] in [-1, 1], clipped -> N times uint8 [H, W, 3].

    >>> to_bytes(torch.tensor([-2.0, 0.0, 1.0]).view(1, 3, 1, 1))[0].tolist()
    [[[0, 128, 255]]]
    """
    whole = ((images.detach().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return list(whole.permute(0, 2, 3, 1).cpu().numpy())
