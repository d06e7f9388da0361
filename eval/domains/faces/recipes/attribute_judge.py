"""The attribute judge: linear heads on frozen features, from ``labels/judges.csv``; measured on ``held_out.csv``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
from eval.domains.faces.recipes.labels import accuracy
from eval.folders import cache_folder
from eval.metrics.attributes import log_odds
from eval.statistics.logistic import logistic_regression

BATCH = 20
PENALTY = 0.03  # C of the heads
FOLDS = 10  # of the cross-validation
DOUBT = 10  # faces
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
    weight, bias = heads(features_of(features, generator, labels.index), labels, _columns, PENALTY)
    found = features_of(features, generator, held_out.index) @ weight.T + bias
    measured: dict[str, Any] = {}
    for name, (share, count) in accuracy(found, held_out, NAMES).items():
        measured[f"accuracy: {name}"] = with_interval(share, count)
    sigma = torch.cat([log_odds(logits).std(0) for logits in split_logits(found).values()])
    return {"weight": weight, "bias": bias, "sigma": sigma}, measured | identity_range(identity, generator)


def _columns(name: str) -> np.ndarray:
    """Which of the features are of the crops where an attribute is: bool [D]."""
    return np.repeat([crop in CROPS_OF.get(name, tuple(CROPS)) for crop in CROPS], 2 * TRUNK_FEATURES)


def heads(
    seen: Tensor, labels: pd.DataFrame, columns_of: Callable[[str], np.ndarray], penalty: float
) -> tuple[Tensor, Tensor]:
    """A linear head for each attribute: weight [A, D] and bias [A].

    Its threshold is set by cross-validation. Faces that a head was fitted to lie further from it than others, and those
    of a rare value furthest: at its own zero a head overlooks two bald persons in three. ``DOUBT`` faces of the rarer
    value speak for that zero, so that a threshold which rests on few is not moved far.

    Args:
        seen: features float32 [N, D], one row for each row of ``labels``.
        labels: of ``labelled.read``.
        columns_of: attribute -> which features its head sees, bool [D].
        penalty: C, as in ``logistic_regression``.
    """
    weights, biases = [], []
    for name in NAMES:
        columns = torch.from_numpy(columns_of(name))
        known = labels[name].notna().to_numpy()
        x, y = seen[:, columns].numpy()[known], labels[name].to_numpy()[known] > 0.5
        weight, bias = logistic_regression(x, y, penalty)
        row = torch.zeros(seen.shape[1])
        row[columns] = torch.tensor(weight, dtype=torch.float32)
        weights.append(row)
        rarer = min(y.sum(), (~y).sum())
        biases.append(bias - even_threshold(left_out(x, y, penalty), y) * rarer / (rarer + DOUBT))
    return torch.stack(weights), torch.tensor(biases, dtype=torch.float32)


def left_out(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """Log-odds of every face from a head that was fitted to nine tenths of the others: float64 [N].

    Args:
        x: float [N, D]; y: bool [N], whose two values are spread evenly over the tenths.
        penalty: C, as in ``logistic_regression``.
    """
    fold = np.empty(len(y), dtype=int)
    for value in (True, False):
        fold[y == value] = np.arange((y == value).sum()) % FOLDS
    scores = np.empty(len(y))
    for number in range(FOLDS):
        weight, bias = logistic_regression(x[fold != number], y[fold != number], penalty)
        scores[fold == number] = x[fold == number] @ weight + bias
    return scores


def even_threshold(scores: np.ndarray, y: np.ndarray) -> float:
    """The middle of the scores at which the share of right readings is largest, on average of two ways to count.

    One counts every face the same, the other both values the same: the first alone overlooks what is rare, the second
    alone sees it where it is not.

    >>> float(even_threshold(np.array([-3.0, -2.0, -1.0, 1.0]), np.array([False, False, True, True])))
    -1.5
    """
    ordered = np.unique(scores)
    middles = (ordered[1:] + ordered[:-1]) / 2
    said = scores > middles[:, None]
    found, rejected = said[:, y].mean(1), 1 - said[:, ~y].mean(1)
    quality = (said == y).mean(1) + (found + rejected) / 2
    return float(middles[quality >= quality.max() - 1e-12].mean())


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
