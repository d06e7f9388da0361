"""A text tower beside frozen image features: captions whose truth is known from log-odds of attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.clip import imagenet_templates
from deltaedit.tools.precision import autocast
from eval.domains.faces.captions import caption_batch, truth
from eval.domains.faces.networks import MERGES_FILE
from eval.domains.recipes.contrastive import contrastive_loss
from eval.domains.recipes.training import Report, print_report, schedule, train
from eval.domains.vocabulary import tokenizer

UNSURE = 0.6  # log-odds within which nobody says whether an attribute is there
LARGEST_SCALE = 100.0  # of the logits, as in CLIP


@dataclass(frozen=True)
class TextRecipe:
    """What the training needs."""

    seed: int
    steps: int = 1_500
    batch: int = 128
    learning_rate: float = 1e-3
    general_captions: int = 64
    noise: float = 0.1  # added to the image features, in their standard deviations


def train_texts(
    network: str,
    model: nn.Module,
    features: Tensor,
    log_odds: Tensor,
    size: int,
    recipe: TextRecipe,
    report: Report = print_report,
) -> tuple[nn.Linear, float]:
    """Contrastive learning of the text tower of ``model`` and of a linear map of image features.

    Args:
        network: name of the training.
        model: an open_clip model; its text tower learns, and texts get zeros after the first ``size`` numbers.
        features: float32 [N, D] of the pictures.
        log_odds: float32 [N, A] of the attributes, of ``captions.ATTRIBUTES``.
        size: how many numbers of the embedding are learnt.
        recipe: its hyper-parameters; ``report`` is where progress goes.

    Returns:
        the map [size, D], scaled so that its outputs have a mean norm of 1, and the seconds it took.
    """
    torch.manual_seed(recipe.seed)
    half = nn.Linear(features.shape[1], size)
    scale = nn.Parameter(torch.tensor(2.5))
    towers: list[Any] = [model.transformer, model.token_embedding, model.ln_final]
    parameters = [parameter for tower in towers for parameter in tower.parameters()]
    parameters += [model.positional_embedding, model.text_projection, *half.parameters(), scale]
    adam = torch.optim.AdamW(parameters, recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    tokenize = tokenizer(MERGES_FILE)
    values = np.where(log_odds.abs().numpy() < UNSURE, -1, (log_odds > 0).numpy().astype(int))
    spread = features.std(0) * recipe.noise
    named = nn.ParameterDict({"scale": scale})

    def step(number: int, rng: np.random.Generator) -> dict[str, float]:
        for group in adam.param_groups:
            group["lr"] = schedule(number, recipe.steps, recipe.learning_rate, warmup=100)
        rows = np.sort(rng.integers(0, len(values), recipe.batch))
        captions = caption_batch(values[rows], recipe.general_captions, rng, imagenet_templates())
        true, false = truth(values[rows], captions.claims)
        noise = torch.from_numpy(rng.standard_normal((recipe.batch, features.shape[1]), dtype=np.float32))
        image = F.normalize(half(features[rows] + noise * spread), dim=1)
        with autocast(torch.device("cpu"), True):
            text = model.encode_text(tokenize(list(captions.texts)))[:, :size].float()  # type: ignore[operator]
        logits = scale.exp().clamp(max=LARGEST_SCALE) * image @ F.normalize(text, dim=1).T
        loss = contrastive_loss(logits, torch.from_numpy(true), torch.from_numpy(false))
        adam.zero_grad()
        loss.backward()
        adam.step()
        return {"contrast": float(loss.detach()), "scale": float(scale.detach().exp())}

    modules = {"model": model, "half": half, "scale": named}
    seconds = train(network, modules, {"adam": adam}, step, recipe.steps, recipe.seed, report, 100, "faces")
    with torch.no_grad():
        model.text_projection[:, size:] = 0  # type: ignore[index, operator]
        model.logit_scale.copy_(scale.clamp(max=float(np.log(LARGEST_SCALE))))  # type: ignore[union-attr, operator]
        norm = half(features).norm(dim=1).mean()
        half.weight.div_(norm)
        half.bias.div_(norm)
    return half, seconds
