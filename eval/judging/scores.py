"""What judges say of pictures, on their device until all of a chunk is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from eval.domains.base import Domain
from eval.judging.counterfactuals import blocks_of
from eval.metrics.judged import REAL
from eval.pixels import Pictures
from eval.prompts import Prompt

BATCH = 64  # images at once where a caller names no other number


def attributes_of(domain: Domain, images: Pictures, batch: int) -> dict[str, Tensor]:
    """Attribute logits of all images, in batches: factor -> float32 [N, V] on the CPU."""
    device = domain.editing.device
    parts = [domain.judges.attributes(images[block].to(device)) for block in blocks_of(len(images), batch)]
    return off_device({factor: torch.cat([part[factor].float() for part in parts]) for factor in domain.factors})


@dataclass(frozen=True)
class Scores:
    """What the judges say of n edits.

    Attributes:
        logits: of the attribute judge, float32 [n, V] a factor.
        clip: unit features float32 [n, E] by the judge CLIP.
        frechet: features float32 [n, D].
        identity: unit embeddings float32 [n, E].
        second: bool [n], the second attribute judge accepts the value asked for; None where there is no such judge.
        realism: distance from real pictures, float32 [n]; None where there is no such judge.
    """

    logits: dict[str, Tensor]
    clip: Tensor
    frechet: Tensor
    identity: Tensor
    second: Tensor | None
    realism: Tensor | None


def score_edits(domain: Domain, edits: Tensor, prompt: Prompt) -> Scores:
    """Ask every judge; networks that serve several of them look once.

    Args:
        domain: the judges.
        edits: float32 [n, 3, H, W] in [-1, 1], of 8-bit values.
        prompt: what was asked.
    """
    judges = domain.judges
    if judges.clip_and_second is None:
        clip, second = judges.clip.encode_images(edits), second_accepts(domain, edits, prompt)
    else:
        clip, accepted = judges.clip_and_second(edits)
        second = _of_value(domain, accepted, prompt)
    if judges.frechet_and_realism is None:
        frechet, realism = judges.frechet(edits), distance_from_real(domain, edits)
    else:
        frechet, realism = judges.frechet_and_realism(edits)
    logits = read_attributes(domain, edits, clip.float())
    return Scores(logits, clip.float(), frechet.float(), judges.identity(edits).float(), second, realism)


def read_attributes(domain: Domain, images: Tensor, clip: Tensor) -> dict[str, Tensor]:
    """Attribute logits [n, V] a factor, of images or of their features [n, E] by a judge CLIP that is both judges."""
    judges = domain.judges
    read = judges.attributes(images) if judges.attributes_of_clip is None else judges.attributes_of_clip(clip)
    return {factor: read[factor].float() for factor in domain.factors}


def second_accepts(domain: Domain, edits: Tensor, prompt: Prompt) -> Tensor | None:
    """Whether the second attribute judge accepts the value asked for: bool [n]; None where there is none."""
    judge = domain.judges.second
    if judge is None:
        return None
    return torch.cat([_of_value(domain, judge(block), prompt) for block in edits.split(BATCH)])


def _of_value(domain: Domain, accepted: Mapping[str, Tensor], prompt: Prompt) -> Tensor:
    return accepted[prompt.attribute][:, domain.factors[prompt.attribute].index(prompt.value)]


def distance_from_real(domain: Domain, edits: Tensor) -> Tensor | None:
    """Distance from real pictures, float32 [n]; None where there is no such judge."""
    judge = domain.judges.realism
    return None if judge is None else torch.cat([judge(block).float() for block in edits.split(BATCH)])


def is_real(domain: Domain, edits: Tensor) -> Tensor | None:
    """Whether pictures are real, whatever they show: bool [n]; None where there is no such judge."""
    distance = distance_from_real(domain, edits)
    return None if distance is None else distance <= REAL


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
