"""The editing CLIP: an image tower that knows the person, a text tower that speaks of attributes.

OpenAI's CLIP carries both what a caption says and who is to be seen. A small CLIP that is trained on captions alone
forgets the person, and then DeltaEdit cannot tell from its embedding which styles the source has. So the tower is
first trained to tell the generator's code w of a picture. The embedding then has two halves: in the first, captions
and pictures meet by contrastive learning; the second is a fixed linear map of the code that the tower tells, about
which texts say nothing (their half is zero).

Captions are made from the codes by linear classifiers on labels (``labels/captions.csv``), never by a judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eval.domains.faces.captions import ATTRIBUTES
from eval.domains.faces.generator import FaceGenerator, to_float
from eval.domains.faces.networks import CONFIGURATIONS, TEXT_PART, build_clip
from eval.domains.faces.recipes.labels import code_classifier
from eval.domains.faces.recipes.texts import TextRecipe, train_texts
from eval.domains.recipes.training import Report, print_report, schedule, train

SIDE_PX = 128  # the tower's
FIRST_SEED = 10_000


TEXTS = TextRecipe(seed=602)


@dataclass(frozen=True)
class Recipe:
    """What the training needs."""

    samples: int = 8_800  # from FIRST_SEED on
    seed: int = 601
    code_steps: int = 1_650
    code_batch: int = 64
    code_learning_rate: float = 2e-3
    attribute_weight: float = 0.3  # of reading attributes beside the code
    texts: TextRecipe = TEXTS


RECIPE = Recipe()


@dataclass(frozen=True)
class Samples:
    """What both stages train on: w [N, 512], pictures uint8 [N, 3, 128, 128], log-odds of the attributes [N, A]."""

    w: Tensor
    pictures: Tensor
    log_odds: Tensor


def training_samples(recipe: Recipe = RECIPE) -> Samples:
    """Pictures of the recipe's seeds, at the tower's size."""
    w, pictures = FaceGenerator().samples(FIRST_SEED, recipe.samples)
    small = torch.cat([F.avg_pool2d(block.float(), 2).round().byte() for block in pictures.split(500)])
    weight, bias = code_classifier()
    return Samples(w, small, w @ weight.T + bias)


def train_code(data: Samples, recipe: Recipe = RECIPE, report: Report = print_report) -> tuple[nn.ModuleDict, float]:
    """Train the trunk to tell w and the attributes of a picture; returns trunk and heads, and the seconds it took."""
    torch.manual_seed(recipe.seed)
    tower: Any = build_clip(CONFIGURATIONS["editing-clip"]).visual
    trunk = tower.trunk
    width = trunk.num_features
    network = nn.ModuleDict(
        {"trunk": trunk, "code": nn.Linear(width, data.w.shape[1]), "attributes": nn.Linear(width, len(ATTRIBUTES))}
    ).to(memory_format=torch.channels_last)
    centre, spread = data.w.mean(0), data.w.std(0)
    code, share = (data.w - centre) / spread, torch.sigmoid(data.log_odds)
    adam = torch.optim.AdamW(network.parameters(), recipe.code_learning_rate, weight_decay=0.05)

    def step(number: int, rng: np.random.Generator) -> dict[str, float]:
        for group in adam.param_groups:
            group["lr"] = schedule(number, recipe.code_steps, recipe.code_learning_rate, warmup=60, final=0.01)
        rows = torch.from_numpy(rng.integers(0, len(code), recipe.code_batch))
        features = network["trunk"](varied(to_float(data.pictures[rows]), rng))
        code_loss = F.mse_loss(network["code"](features), code[rows])
        reading = F.binary_cross_entropy_with_logits(network["attributes"](features), share[rows])
        adam.zero_grad()
        (code_loss + recipe.attribute_weight * reading).backward()
        adam.step()
        return {"code": float(code_loss.detach()), "attributes": float(reading.detach())}

    modules, steps = {"network": network}, recipe.code_steps
    seconds = train("editing-clip-code", modules, {"adam": adam}, step, steps, recipe.seed, report, 50, "faces")
    return network.eval(), seconds


def varied(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Images as other cameras would have taken them: moved by up to 3 px, other contrast and colours, noise."""
    shift = tuple(int(rng.integers(-3, 4)) for _ in range(2))
    count = len(images)
    contrast = torch.from_numpy(rng.normal(1, 0.1, (count, 1, 1, 1))).float()
    colour = torch.from_numpy(rng.normal(0, 0.05, (count, 3, 1, 1))).float()
    noise = torch.from_numpy(rng.standard_normal(images.shape, dtype=np.float32)) * 0.02
    moved = torch.roll(images, shift, (2, 3)) * contrast + colour + noise
    return moved.contiguous(memory_format=torch.channels_last)


def assemble(
    network: nn.ModuleDict, data: Samples, recipe: Recipe = RECIPE, report: Report = print_report
) -> nn.Module:
    """The CLIP: both towers, the trunk frozen; the first half of the embedding learnt, the second computed."""
    torch.manual_seed(recipe.texts.seed)
    model: Any = build_clip(CONFIGURATIONS["editing-clip"])
    model.visual.trunk.load_state_dict(network["trunk"].state_dict())
    features = trunk_features(network["trunk"], data.pictures)
    code: Any = network["code"]
    person_weight, person_bias = person_half(code, features)
    half, _ = train_texts("editing-clip", model, features, data.log_odds, TEXT_PART, recipe.texts, report)
    with torch.no_grad():
        model.visual.head.proj.weight.copy_(torch.cat([half.weight, person_weight]))
        model.visual.head.proj.bias.copy_(torch.cat([half.bias, person_bias]))
    assembled: nn.Module = model.eval()
    return assembled


def person_half(code: nn.Linear, features: Tensor) -> tuple[Tensor, Tensor]:
    """Linear map of trunk features to the principal components of the told code, scaled to a mean norm of 1.

    Returns:
        weight [TEXT_PART, width] and bias [TEXT_PART].
    """
    with torch.no_grad():
        told = code(features)
        centre = told.mean(0)
        _, _, directions = torch.linalg.svd(told - centre, full_matrices=False)
        top = directions[:TEXT_PART]
        scale = ((told - centre) @ top.T).norm(dim=1).mean()
        return top @ code.weight / scale, (top @ (code.bias - centre)) / scale


def trunk_features(trunk: nn.Module, pictures: Tensor) -> Tensor:
    """Features of uint8 pictures [N, 3, 128, 128]: float32 [N, width]."""
    with torch.inference_mode():
        blocks = [to_float(block).contiguous(memory_format=torch.channels_last) for block in pictures.split(100)]
        return torch.cat([trunk(block) for block in blocks]).clone()


def known_share(told: Tensor, w: Tensor) -> float:
    """Share of the variance of w that told codes explain: both float [N, 512]."""
    return float(1 - (told - w).square().sum() / (w - w.mean(0)).square().sum())


def explained_code(
    embedding: Tensor, w: Tensor, train_embedding: Tensor, train_w: Tensor, ridge: float = 1e-3
) -> float:
    """How much of w a linear map of the embedding explains on samples that it was not fitted on.

    Args:
        embedding: float [N, E], held out; w: float [N, 512] of the same.
        train_embedding: float [M, E]; train_w: float [M, 512] of the same.
        ridge: added to the diagonal, as a share of its mean.
    """
    centre, mean = train_embedding.mean(0), train_w.mean(0)
    x = (train_embedding - centre).double()
    gram = x.T @ x
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
    weight = torch.linalg.solve(gram, x.T @ (train_w - mean).double())
    return known_share(((embedding - centre).double() @ weight).float() + mean, w)
