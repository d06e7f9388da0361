"""The attribute judge: linear heads on frozen features, from ``labels/judges.csv``; measured on ``held_out.csv``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest
from torch import Tensor
from torch.nn import functional as F

from deltaedit.tools.files import keep
from eval.domains.faces.generator import FaceGenerator, to_float
from eval.domains.faces.labelled import read
from eval.domains.faces.networks import CROPS, LABELS, TRUNK_FEATURES, DlibIdentity, FaceFeatures, split_logits
from eval.domains.faces.recipes.labels import FEATURE_PENALTY, accuracy, classifiers
from eval.folders import cache_folder
from eval.metrics.attributes import log_odds

BATCH = 20
# Where an attribute is, for those that are at one place; the others see the whole face and both crops.
CROPS_OF = {"glasses": ("eyes",), "beard": ("mouth",), "smile": ("mouth",), "open_mouth": ("mouth",)}
NAMES = tuple(name for names in LABELS.values() for name in names)


def features_of(features: FaceFeatures, generator: FaceGenerator, seeds: Iterable[int]) -> Tensor:
    """Features of the faces of seeds, kept in the cache folder in shards of 100 as float16: float32 [N, size]."""
    wanted = list(seeds)
    shards = {start: _shard(features, generator, start) for start in sorted({seed - seed % 100 for seed in wanted})}
    return torch.stack([shards[seed - seed % 100][seed % 100] for seed in wanted]).float()


def _shard(features: FaceFeatures, generator: FaceGenerator, start: int) -> Tensor:
    path = cache_folder() / "faces" / "features" / f"{start:08d}.npy"
    if path.exists():
        return torch.from_numpy(np.load(path))
    _, pictures = generator.samples(start, 100)
    with torch.inference_mode():
        found = torch.cat([features(to_float(block)) for block in pictures.split(BATCH)]).half()
    keep(path, lambda file: np.save(file, found.numpy()))
    return found.clone()


def train(
    features: FaceFeatures, generator: FaceGenerator, identity: DlibIdentity
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Fit the heads and measure the judge.

    Returns:
        tensors ``weight`` [A, D], ``bias`` [A] and ``sigma`` [V], and the measurements for the card.
    """
    labels, held_out = read("judges"), read("held_out")
    weight, bias = heads(features_of(features, generator, labels.index), labels)
    found = features_of(features, generator, held_out.index) @ weight.T + bias
    measured: dict[str, Any] = {}
    for name, (share, count) in accuracy(found, held_out, NAMES).items():
        measured[f"accuracy: {name}"] = with_interval(share, count)
    sigma = torch.cat([log_odds(logits).std(0) for logits in split_logits(found).values()])
    return {"weight": weight, "bias": bias, "sigma": sigma}, measured | identity_range(identity, generator)


def heads(seen: Tensor, labels: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """A linear head for each attribute, which sees only the crops of ``CROPS_OF``: weight [A, D] and bias [A]."""
    weights, biases = [], []
    for name in NAMES:
        columns = torch.zeros(seen.shape[1], dtype=torch.bool)
        for number, crop in enumerate(CROPS):
            width = 2 * TRUNK_FEATURES
            columns[number * width : (number + 1) * width] = crop in CROPS_OF.get(name, tuple(CROPS))
        weight, bias = classifiers(seen[:, columns].numpy(), labels, (name,), FEATURE_PENALTY)
        row = torch.zeros(seen.shape[1])
        row[columns] = weight[0]
        weights.append(row)
        biases.append(bias)
    return torch.stack(weights), torch.cat(biases)


def with_interval(share: float, count: int) -> str:
    """A share with its 95 % Wilson interval and the number of faces."""
    low, high = binomtest(round(share * count), count).proportion_ci(method="wilson")
    return f"{share:.3f} [{low:.3f}, {high:.3f}], N = {count}"


@torch.inference_mode()
def identity_range(identity: DlibIdentity, generator: FaceGenerator, count: int = 100) -> dict[str, Any]:
    """Mean cosine of different persons, of a picture and its mirror image, and the one at dlib's distance .6."""
    _, pictures = generator.samples(1_300, count)
    found = identity.descriptors(to_float(pictures))
    mirrored = identity.descriptors(to_float(pictures.flip(3)))
    unit = F.normalize(found, dim=1)
    pairs = torch.triu_indices(count, count, 1)
    distances, cosines = torch.cdist(found, found)[pairs[0], pairs[1]], (unit @ unit.T)[pairs[0], pairs[1]]
    near = (distances - 0.6).abs() < 0.02
    return {
        "identity: different persons": float(cosines.mean()),
        "identity: a picture and its mirror image": float((unit * F.normalize(mirrored, dim=1)).sum(1).mean()),
        "identity: cosine at dlib's distance .6": float(cosines[near].mean()),
        "identity: share of different persons nearer than .6": float((distances < 0.6).float().mean()),
    }
