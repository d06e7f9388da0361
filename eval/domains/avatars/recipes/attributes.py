"""Attribute networks: the judge, the Fréchet features, and the perceptual network of the generator's training.

One architecture, three trainings with other data, seeds and widths. Cross-entropy over the visible factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deltaedit.tools.precision import autocast
from eval.domains.avatars import datasets
from eval.domains.avatars.factors import FACTOR_NAMES, Portraits
from eval.domains.avatars.networks import AttributeNetwork, to_float
from eval.domains.recipes.training import Report, print_report, schedule, train


@dataclass(frozen=True)
class AttributeRecipe:
    """What one training needs."""

    split: str
    seed: int
    widths: tuple[int, int, int, int]
    steps: int = 2400
    batch: int = 64
    learning_rate: float = 2e-3


RECIPES = {
    "perceptual": AttributeRecipe("train", seed=101, widths=(32, 64, 96, 128), steps=1600),
    "attribute-judge": AttributeRecipe("judge", seed=201, widths=(32, 64, 96, 160), steps=3000),
    "frechet-features": AttributeRecipe("judge", seed=202, widths=(24, 48, 96, 128), steps=1600),
}


def augment(pictures: Tensor, rng: np.random.Generator, shift_px: int = 2) -> Tensor:
    """Shift by up to ``shift_px``, change the colours by a few per cent, add a little noise, soften some pictures.

    A judge must read edited images too, which are a bit softer and noisier than renders.
    """
    count = len(pictures)
    dx, dy = (int(v) for v in rng.integers(0, 2 * shift_px + 1, 2))
    side = pictures.shape[-1]
    pictures = F.pad(pictures, (shift_px,) * 4, mode="replicate")[:, :, dy : dy + side, dx : dx + side]
    gain = torch.tensor(rng.uniform(0.93, 1.07, (count, 3, 1, 1)), dtype=torch.float32)
    shift = torch.tensor(rng.uniform(-0.05, 0.05, (count, 3, 1, 1)), dtype=torch.float32)
    noise = torch.tensor(rng.standard_normal(pictures.shape, dtype=np.float32))
    level = torch.tensor(rng.uniform(0, 0.08, (count, 1, 1, 1)), dtype=torch.float32)
    soft = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    blend = torch.tensor(rng.uniform(-0.5, 0.8, (count, 1, 1, 1)), dtype=torch.float32).clamp(min=0)
    return (pictures + blend * (soft - pictures)) * gain + shift + level * noise


def visible_cross_entropy(logits: dict[str, Tensor], values: Tensor, visible: Tensor) -> Tensor:
    """Mean over factors of the cross-entropy over the portraits that show the factor."""
    losses = []
    for i, factor in enumerate(FACTOR_NAMES):
        seen = visible[:, i]
        losses.append(F.cross_entropy(logits[factor][seen], values[seen, i]))
    return torch.stack(losses).mean()


def train_attributes(name: str, report: Report = print_report) -> tuple[AttributeNetwork, float]:
    """Train one of ``RECIPES``; returns the network in eval mode and the seconds it took."""
    recipe = RECIPES[name]
    torch.manual_seed(recipe.seed)
    network = AttributeNetwork(recipe.widths).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=0.05)
    people, pictures = datasets.portraits(recipe.split), datasets.renders(recipe.split)
    values, visible = torch.from_numpy(people.values), torch.from_numpy(people.visible())

    def step(number: int, rng: np.random.Generator) -> dict[str, float]:
        optimizer.param_groups[0]["lr"] = schedule(number, recipe.steps, recipe.learning_rate, warmup=100)
        rows = np.sort(rng.integers(0, len(people), recipe.batch))
        batch = augment(to_float(pictures[rows]), rng)
        with autocast(torch.device("cpu"), True):
            logits = network(batch.contiguous(memory_format=torch.channels_last))
        loss = visible_cross_entropy(logits, values[rows], visible[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": float(loss.detach())}

    seconds = train(name, {"network": network}, {"adam": optimizer}, step, recipe.steps, recipe.seed, report)
    return network.eval(), seconds


@torch.no_grad()
def accuracy(network: AttributeNetwork, people: Portraits, images: Tensor) -> dict[str, float]:
    """Share of portraits whose visible factors are read right, per factor.

    Args:
        images: float32 [N, 3, 64, 64] in [-1, 1].
    """
    logits: dict[str, list[Tensor]] = {factor: [] for factor in FACTOR_NAMES}
    for block in images.split(256):
        for factor, values in network(block).items():
            logits[factor].append(values.argmax(1))
    visible, out = people.visible(), {}
    for i, factor in enumerate(FACTOR_NAMES):
        right = torch.cat(logits[factor]).numpy() == people.values[:, i]
        out[factor] = float(right[visible[:, i]].mean())
    return out
