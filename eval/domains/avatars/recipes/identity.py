"""Identity networks, the judge and the editors': pictures of a person, all but the person redrawn, lie together.

Supervised contrastive loss over persons, helped by a regression of the person's measures from the same features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.tools.precision import autocast
from eval.domains.avatars import datasets
from eval.domains.avatars.networks import IdentityNetwork, to_float
from eval.domains.avatars.recipes.attributes import augment
from eval.domains.recipes.training import Report, print_report, schedule, train


@dataclass(frozen=True)
class IdentityRecipe:
    """What one training needs."""

    split: str
    seed: int
    persons: int = 48  # per batch, three pictures each
    steps: int = 1800
    learning_rate: float = 2e-3
    temperature: float = 0.1
    geometry_weight: float = 1.0


RECIPES = {
    "identity": IdentityRecipe("judge", seed=401),
    "editing-identity": IdentityRecipe("train-persons", seed=402, steps=1200),
}


def supervised_contrastive(embeddings: Tensor, person: Tensor, temperature: float) -> Tensor:
    """Khosla et al. 2020, equation 2: embeddings float [N, E] of unit norm, person int64 [N]."""
    logits = embeddings @ embeddings.t() / temperature
    itself = torch.eye(len(person), dtype=torch.bool)
    logits = logits.masked_fill(itself, -1e4)
    same = (person[:, None] == person) & ~itself
    return -((F.log_softmax(logits, 1) * same).sum(1) / same.sum(1)).mean()


def train_identity(name: str, report: Report = print_report) -> tuple[IdentityNetwork, float]:
    """Train one of ``RECIPES``; returns the network in eval mode and the seconds it took."""
    recipe = RECIPES[name]
    torch.manual_seed(recipe.seed)
    network = IdentityNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=0.02)
    people, pictures = datasets.portraits(recipe.split), datasets.renders(recipe.split)
    each = datasets.SPLITS[recipe.split].per_person
    geometry = torch.from_numpy(people.geometry)

    def step(number: int, rng: np.random.Generator) -> dict[str, float]:
        adam.param_groups[0]["lr"] = schedule(number, recipe.steps, recipe.learning_rate)
        persons = np.sort(rng.choice(len(people) // each, recipe.persons, replace=False))
        rows = (persons[:, None] * each + np.arange(each)).ravel()
        images = augment(to_float(pictures[rows]), rng, shift_px=0)
        with autocast(torch.device("cpu"), True):
            hidden = network.hidden(images.contiguous(memory_format=torch.channels_last))
            embeddings = F.normalize(network.embedding(hidden).float(), dim=-1)
            measured = network.geometry(hidden).float()
        contrast = supervised_contrastive(embeddings, torch.from_numpy(rows // each), recipe.temperature)
        regression = (measured - geometry[rows]).square().mean()
        adam.zero_grad()
        (contrast + recipe.geometry_weight * regression).backward()
        adam.step()
        return {"contrast": float(contrast.detach()), "geometry": float(regression.detach())}

    seconds = train(name, {"network": network}, {"adam": adam}, step, recipe.steps, recipe.seed, report)
    return network.eval(), seconds


@torch.no_grad()
def verification(embeddings: Tensor, person: Tensor) -> dict[str, float]:
    """How well cosine similarity tells same from different persons, over all pairs.

    Returns:
        ``verification AUC``; ``same person`` and ``different persons``: mean cosine of the two kinds of pairs, the
        ceiling and the floor of identity similarity.
    """
    cosine = embeddings @ embeddings.t()
    upper = torch.triu(torch.ones_like(cosine, dtype=torch.bool), diagonal=1)
    same = person[:, None] == person
    positive, negative = cosine[same & upper], cosine[~same & upper]
    order = torch.searchsorted(negative.sort().values, positive)
    return {
        "verification AUC": float(order.double().mean() / len(negative)),
        "same person": float(positive.mean()),
        "different persons": float(negative.mean()),
    }
