"""What real pictures are like: mean and covariance of map statistics, and the distance that one in 1000 exceeds."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eval.domains.avatars import datasets
from eval.domains.avatars.networks import AttributeNetwork, to_float
from eval.domains.avatars.recipes.spoiled import Networks, inversions, spoiled_pixels
from eval.domains.realism import Realism, fit
from eval.domains.recipes.training import Report, print_report

NAME = "realism"


@dataclass(frozen=True)
class RealismRecipe:
    """Portraits as rendered and through the inversion, half and half."""

    split: str = "second-judge"
    pictures: int = 3_000  # of each kind
    check_pictures: int = 2_000  # of each kind, unseen
    shrinkage: float = 0.01  # share of the mean variance in every direction, for those that hardly vary
    real: float = 0.999  # share of unseen pictures of either kind that pass


RECIPE = RealismRecipe()


@torch.no_grad()
def fit_realism(
    features: AttributeNetwork, networks: Networks, report: Report = print_report, recipe: RealismRecipe = RECIPE
) -> tuple[Realism, float]:
    """Estimate it; returns the judge and the seconds that took.

    Args:
        features: the Fréchet network.
        networks: generator and encoder of the inversions.
        report: told when either half is done.
        recipe: how much of what.
    """
    began = time.perf_counter()
    seen = torch.cat([_statistics(features, part) for part in _real(networks, recipe.split, recipe.pictures)])
    report(NAME, 1, 2, {})
    unseen = _real(networks, f"{recipe.split}-check", recipe.check_pictures)
    checks = [_statistics(features, part) for part in unseen]
    mean, whitening, threshold = fit(seen, checks, recipe.real, recipe.shrinkage)
    report(NAME, 2, 2, {"threshold": threshold})
    return _judge(features, mean, whitening), time.perf_counter() - began


def _judge(features: AttributeNetwork, mean: Tensor, whitening: Tensor) -> Realism:
    """As it will be read from its file: in half precision."""
    return Realism(features, mean.half().float(), whitening.half().float()).eval()


def _real(networks: Networks, split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Portraits of a set as rendered and through encoder and generator: uint8 [count, 64, 64, 3] each."""
    renders = datasets.renders(split)[:count]
    return renders, inversions(networks, renders, split)


def _statistics(features: AttributeNetwork, pictures: np.ndarray) -> Tensor:
    return torch.cat([features.look(to_float(block))[0] for block in _blocks(pictures)]).double()


def _distances(judge: Realism, pictures: np.ndarray) -> np.ndarray:
    distances: np.ndarray = torch.cat([judge(to_float(block)) for block in _blocks(pictures)]).numpy()
    return distances


def _blocks(pictures: np.ndarray) -> list[np.ndarray]:
    return np.array_split(pictures, max(1, len(pictures) // 200))


@torch.no_grad()
def measured(judge: Realism, networks: Networks, recipe: RealismRecipe = RECIPE) -> dict[str, float]:
    """Share of unseen real pictures that pass, and of spoiled ones that do not."""
    renders, inverted = _real(networks, f"{recipe.split}-check", recipe.check_pictures)
    people = datasets.portraits(f"{recipe.split}-check", recipe.check_pictures)
    spoiled, _ = spoiled_pixels(renders, people.values, np.random.default_rng(0))
    refused = torch.cat([judge(part) > 1 for part in spoiled.split(200)])
    return {
        "unseen renders that are real": float((_distances(judge, renders) <= 1).mean()),
        "unseen inversions that are real": float((_distances(judge, inverted) <= 1).mean()),
        "spoiled pixels that are not": float(refused.float().mean()),
    }
