"""What real faces are like: means of EfficientNet's maps of samples that nothing else was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eval.domains.faces.generator import FaceGenerator, to_float
from eval.domains.faces.networks import FaceFeatures
from eval.domains.realism import fit

BATCH = 20


@dataclass(frozen=True)
class RealismRecipe:
    """Samples: those of the training for mean and covariance, labelled ones for threshold and measurement."""

    seen: tuple[int, int] = (10_000, 1_600)  # first seed and how many
    unseen: tuple[int, int] = (600, 700)
    held_out: tuple[int, int] = (0, 600)
    real: float = 0.99  # share of unseen samples that pass
    shrinkage: float = 0.1  # share of the mean variance in every direction


RECIPE = RealismRecipe()


def train(features: FaceFeatures, generator: FaceGenerator) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Estimate it.

    Returns:
        tensors ``mean`` [D] and ``whitening`` [D, D], and the measurements for the card.
    """
    seen, unseen, held_out = (
        statistics(features, generator, *part) for part in (RECIPE.seen, RECIPE.unseen, RECIPE.held_out)
    )
    mean, whitening, _ = fit(seen, [unseen], RECIPE.real, RECIPE.shrinkage)
    distances = ((held_out.double() - mean) @ whitening).norm(dim=1)
    measured = {f"unseen samples that are real, N = {len(held_out)}": float((distances <= 1).double().mean())}
    return {"mean": mean.float(), "whitening": whitening.float()}, measured


@torch.inference_mode()
def statistics(features: FaceFeatures, generator: FaceGenerator, first: int, count: int) -> Tensor:
    """Means of maps of the samples of ``count`` seeds from ``first`` on: float32 [count, D]."""
    _, pictures = generator.samples(first, count)
    blocks = (to_float(block) for block in pictures.split(BATCH))
    return torch.cat([features.look(block)[0] for block in blocks])
