"""What judges say of pictures, on their device until all of a chunk is known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from eval.domains.base import Domain
from eval.judging.counterfactuals import blocks_of
from eval.pixels import Pictures


def attributes_of(domain: Domain, images: Pictures, batch: int) -> dict[str, Tensor]:
    """Attribute logits of all images, in batches: factor -> float32 [N, V] on the CPU."""
    device = domain.editing.device
    parts = [domain.judges.attributes(images[block].to(device)) for block in blocks_of(len(images), batch)]
    return off_device({factor: torch.cat([part[factor].float() for part in parts]) for factor in domain.factors})


def read_scores(domain: Domain, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Attribute logits [n, V] a factor, and the judge CLIP's features [n, E]; a CLIP that is both sees images once."""
    judges = domain.judges
    clip = judges.clip.encode_images(images).float()
    read = judges.attributes(images) if judges.attributes_of_clip is None else judges.attributes_of_clip(clip)
    return {factor: read[factor].float() for factor in domain.factors}, clip


def off_device(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors on the CPU, all in one crossing: bool, or float32."""
    if all(tensor.device.type == "cpu" for tensor in tensors.values()):
        return dict(tensors)
    crossed = torch.cat([tensor.float().flatten() for tensor in tensors.values()]).cpu()
    parts = crossed.split([tensor.numel() for tensor in tensors.values()])
    pairs = zip(tensors.items(), parts, strict=True)
    return {name: part.view(tensor.shape).to(_kind(tensor)) for (name, tensor), part in pairs}


def _kind(tensor: Tensor) -> torch.dtype:
    return torch.bool if tensor.dtype == torch.bool else torch.float32
