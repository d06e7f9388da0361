"""Pictures of codes: the one way in which the harness makes them."""

from __future__ import annotations

import torch
from torch import Tensor

from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from deltaedit.tools.precision import computing
from eval.memory import in_blocks, pictures_at_once


def synthesised(domain: EditingDomain, latents: Latents, most: int | None = None) -> Tensor:
    """What the generator makes of codes, in the domain's precision, as many at once as fit into memory.

    Args:
        domain: whose generator.
        latents: of N images, on its device.
        most: no more than these at once; None for no such limit.

    Returns:
        float32 [N, 3, H, W], about [-1, 1], not clipped, on the domain's device.
    """
    block = pictures_at_once(domain.synthesis.resolution, domain.device, most or len(latents))
    with torch.inference_mode(), computing(domain.device, domain.precision):
        parts = in_blocks(lambda rows: domain.images(latents[rows]).float(), len(latents), max(1, block))
    return parts[0] if len(parts) == 1 else torch.cat(parts)
