"""The judge CLIP: another trunk, other samples, other labels and another seed than the editing CLIP."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from eval.domains.faces.captions import ATTRIBUTES
from eval.domains.faces.generator import FaceGenerator
from eval.domains.faces.labelled import read
from eval.domains.faces.networks import CONFIGURATIONS, TRUNK_FEATURES, FaceFeatures, build_clip
from eval.domains.faces.recipes.attribute_judge import features_of
from eval.domains.faces.recipes.labels import FEATURE_PENALTY, classifiers
from eval.domains.faces.recipes.texts import TextRecipe, train_texts
from eval.domains.recipes.training import Report, print_report

FIRST_SEED, SAMPLES = 30_000, 1_500
RECIPE = TextRecipe(seed=701, steps=1_000)


def train_clip(
    features: FaceFeatures, generator: FaceGenerator, report: Report = print_report
) -> tuple[nn.Module, float]:
    """Train the text tower and the projection on the frozen trunk; returns the model and the seconds it took."""
    labels = read("judges")
    known = features_of(features, generator, labels.index)
    weight, bias = classifiers(known.numpy(), labels, ATTRIBUTES, FEATURE_PENALTY)
    seen = features_of(features, generator, range(FIRST_SEED, FIRST_SEED + SAMPLES))
    torch.manual_seed(RECIPE.seed)
    model: Any = build_clip(CONFIGURATIONS["judge-clip"])
    model.visual.trunk.load_state_dict(features.trunk.state_dict(), strict=False)
    size = int(CONFIGURATIONS["judge-clip"]["embed_dim"])
    head, seconds = train_texts(
        "judge-clip", model, seen[:, :TRUNK_FEATURES], seen @ weight.T + bias, size, RECIPE, report
    )
    with torch.no_grad():
        model.visual.head.proj.weight.copy_(head.weight)
        model.visual.head.proj.bias.copy_(head.bias)
    return model.eval(), seconds
