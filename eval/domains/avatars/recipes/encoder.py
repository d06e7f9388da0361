"""The encoder: picture -> W+ of the trained generator.

Renders know their factor codes, so their true w is known: the encoder regresses it, measured in code space, where every
factor and every measure of the face counts alike. On part of each batch the picture is also synthesised again and
compared (L1 and perceptual loss), which trains the small offsets of the layers and what codes do not say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deltaedit.tools.precision import autocast
from eval.domains.avatars import datasets
from eval.domains.avatars.networks import AvatarEncoder, to_float
from eval.domains.avatars.recipes.attributes import train_attributes
from eval.domains.avatars.recipes.generator import ReconstructionLoss, train_generator
from eval.domains.recipes.training import Report, print_report, schedule, train


@dataclass(frozen=True)
class EncoderRecipe:
    """Hyper-parameters."""

    seed: int = 121
    batch: int = 96
    pictures: int = 16  # of the batch, synthesised again
    steps: int = 3000
    learning_rate: float = 1.5e-3
    perceptual_weight: float = 0.1
    code_weight: float = 1.0
    offset_weight: float = 0.05


RECIPE = EncoderRecipe()


def train_encoder(report: Report = print_report, recipe: EncoderRecipe = RECIPE) -> tuple[AvatarEncoder, float]:
    """Returns the encoder in eval mode and the seconds it took (the generator's not counted)."""
    perceptual, _ = train_attributes("perceptual", report)
    generator, _ = train_generator(report)
    generator.requires_grad_(False)
    torch.manual_seed(recipe.seed)
    encoder = AvatarEncoder().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    criterion = ReconstructionLoss(perceptual, recipe.perceptual_weight)
    adam = torch.optim.AdamW(encoder.parameters(), lr=recipe.learning_rate, weight_decay=0.02)
    people, pictures = datasets.portraits("train"), datasets.renders("train")
    codes = torch.from_numpy(people.codes())
    basis = (generator.mapping.linear.weight * generator.mapping.linear.scale).detach() * 2
    to_code = torch.linalg.pinv(basis)

    def step(number: int, rng: np.random.Generator) -> dict[str, float]:
        adam.param_groups[0]["lr"] = schedule(number, recipe.steps, recipe.learning_rate)
        rows = np.sort(rng.integers(0, len(people), recipe.batch))
        images = to_float(pictures[rows])
        noise = torch.tensor(rng.standard_normal(images.shape, dtype=np.float32))
        level = torch.tensor(rng.uniform(0, 0.04, (len(images), 1, 1, 1)), dtype=torch.float32)
        with autocast(torch.device("cpu"), True):
            w, offsets = encoder.split((images + level * noise).contiguous(memory_format=torch.channels_last))
        wanted: Tensor = generator.mapping(codes[rows])
        error = w - wanted
        code = (error @ to_code.t()).square().sum(1).mean()
        off_basis = (error - error @ to_code.t() @ basis.t()).square().mean()
        chosen = torch.from_numpy(rng.permutation(len(images))[: recipe.pictures])
        with autocast(torch.device("cpu"), True):
            again = generator.synthesis((w[:, None] + offsets)[chosen])
            picture, l1, distance = criterion(again, images[chosen])
        spread = offsets.square().mean()
        adam.zero_grad()
        (picture + recipe.code_weight * (0.05 * code + off_basis) + recipe.offset_weight * spread).backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 5.0)
        adam.step()
        losses = {"code": code, "l1": l1, "perceptual": distance, "offsets": spread}
        return {name: float(value.detach()) for name, value in losses.items()}

    seconds = train("encoder", {"encoder": encoder}, {"adam": adam}, step, recipe.steps, recipe.seed, report)
    return encoder.eval(), seconds
