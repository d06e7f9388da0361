"""The two CLIP models: one that editors use, and another architecture, seed and set of renders that judges.

Contrastive learning of image-text pairs with all truths known: in a batch every caption that is true of an image is a
positive of it, not just its own, captions that nobody could decide (about hair under a hat) are left out, and the
targets are uniform over the positives (UniCL, Yang et al. 2022, arXiv 2204.03610). The caption "face" is true of all.
A linear head on the image feature that reads the factors helps the training and is dropped afterwards: without it
mouths and eyebrows, a few pixels each, are found only after most of the training.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip, imagenet_templates
from deltaedit.text import text_feature
from deltaedit.tools.precision import autocast
from eval.domains.avatars import datasets
from eval.domains.avatars.captions import caption_batch, phrase, truth
from eval.domains.avatars.factors import FACTOR_NAMES, VALUES, Portraits
from eval.domains.avatars.networks import EDITING_CLIP, JUDGE_CLIP, MERGES_FILE, build_clip, to_float
from eval.domains.avatars.recipes.attributes import augment, visible_cross_entropy
from eval.domains.recipes.contrastive import contrastive_loss
from eval.domains.recipes.training import Report, print_report, schedule, train
from eval.domains.vocabulary import tokenizer

HEAD_SCALE = 20.0  # of unit features, so that the head's logits can be sure


@dataclass(frozen=True)
class ClipRecipe:
    """What one training needs."""

    configuration: dict[str, object]
    split: str
    seed: int
    steps: int = 2200
    batch: int = 192
    general_captions: int = 128
    learning_rate: float = 1.5e-3
    head_weight: float = 1.0


RECIPES = {
    "editing-clip": ClipRecipe(EDITING_CLIP, "train", seed=301),
    "judge-clip": ClipRecipe(JUDGE_CLIP, "judge", seed=302, learning_rate=1e-3),
}


def train_clip(name: str, report: Report = print_report) -> tuple[nn.Module, float]:
    """Train one of ``RECIPES``; returns the model in eval mode and the seconds it took."""
    recipe = RECIPES[name]
    torch.manual_seed(recipe.seed)
    model = build_clip(recipe.configuration)
    tokenize = tokenizer(MERGES_FILE)
    sizes = [len(values) for values in VALUES.values()]
    head = nn.Linear(int(recipe.configuration["embed_dim"]), sum(sizes))  # type: ignore[call-overload]
    both = [*model.parameters(), *head.parameters()]
    decay = [p for p in both if p.ndim > 1]
    other = [p for p in both if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": other, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
    people, pictures = datasets.portraits(recipe.split), datasets.renders(recipe.split)

    values, visible = torch.from_numpy(people.values), torch.from_numpy(people.visible())

    def batch_of(number: int) -> tuple[np.ndarray, Tensor, Tensor, Tensor, Tensor]:
        rng = np.random.default_rng((recipe.seed, number))
        rows = np.sort(rng.integers(0, len(people), recipe.batch))
        captions = caption_batch(people[rows], recipe.general_captions, rng, imagenet_templates())
        true, false = truth(people[rows], captions.claims)
        images = augment(to_float(pictures[rows]), rng)
        return rows, images, tokenize(list(captions.texts)), torch.from_numpy(true), torch.from_numpy(false)

    pool = ThreadPoolExecutor(1)
    ahead: dict[int, Any] = {}

    def step(number: int, rng: np.random.Generator) -> dict[str, float]:
        batch = ahead.pop(number, None) or pool.submit(batch_of, number)
        ahead[number + 1] = pool.submit(batch_of, number + 1)
        rows, images, tokens, true, false = batch.result()
        for group in adam.param_groups:
            group["lr"] = schedule(number, recipe.steps, recipe.learning_rate)
        with autocast(torch.device("cpu"), True):
            image = F.normalize(model.encode_image(images).float(), dim=-1)  # type: ignore[operator]
            text = F.normalize(model.encode_text(tokens).float(), dim=-1)  # type: ignore[operator]
        scale = model.logit_scale.exp().clamp(max=100)  # type: ignore[union-attr, operator]
        contrast = contrastive_loss(scale * image @ text.t(), true, false)
        logits = dict(zip(FACTOR_NAMES, (head(image) * HEAD_SCALE).split(sizes, 1), strict=True))
        reading = visible_cross_entropy(logits, values[rows], visible[rows])
        loss = contrast + recipe.head_weight * reading
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(both, 1.0)
        adam.step()
        return {
            "contrast": float(contrast.detach()),
            "reading": float(reading.detach()),
            "scale": float(scale.detach()),
        }

    seconds = train(name, {"model": model, "head": head}, {"adam": adam}, step, recipe.steps, recipe.seed, report)
    return model.eval(), seconds


@torch.no_grad()
def zero_shot_accuracy(clip: Clip, people: Portraits, images: Tensor) -> dict[str, float]:
    """Per factor, the share of portraits (that show it) whose value's text is the nearest of the factor's values.

    Texts are "face with …" over the 79 templates, as prompts are.
    """
    features = torch.cat([clip.encode_images(block) for block in images.split(256)])
    visible, out = people.visible(), {}
    for i, factor in enumerate(FACTOR_NAMES):
        texts = torch.stack([text_feature(clip, f"face with {phrase(factor, value)}") for value in VALUES[factor]])
        right = (features @ texts.t()).argmax(1).numpy() == people.values[:, i]
        out[factor] = float(right[visible[:, i]].mean())
    return out


@torch.no_grad()
def modality_gap(clip: Clip, people: Portraits, images: Tensor, seed: int = 0) -> float:
    """Distance of the mean image feature from the mean caption feature (Liang et al. 2022)."""
    captions = caption_batch(people, 0, np.random.default_rng(seed))
    image = torch.cat([clip.encode_images(block) for block in images.split(256)]).mean(0)
    text = torch.cat([clip.encode_texts(captions.texts[i : i + 256]) for i in range(0, len(people), 256)]).mean(0)
    return float((image - text).norm())
