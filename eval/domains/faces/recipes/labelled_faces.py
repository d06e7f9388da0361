"""Fréchet features of faces that people looked at: real pictures that show a value, to compare edits to it with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from eval.domains.faces.generator import FaceGenerator
from eval.domains.faces.labelled import seeds_showing
from eval.domains.faces.networks import FACTORS, TRUNK_FEATURES, FaceFeatures
from eval.domains.faces.recipes.attribute_judge import features_of


def gather(features: FaceFeatures, generator: FaceGenerator) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Features of the faces of all values.

    Returns:
        tensors ``seeds`` int64 [N] and ``features`` [N, 1280], and for the card how many faces show each value.
    """
    shown = {(factor, value): seeds_showing(factor, value) for factor, values in FACTORS.items() for value in values}
    seeds = sorted(set().union(*shown.values()))
    whole = features_of(features, generator, seeds)[:, :TRUNK_FEATURES]
    counts = {f"{factor}: {value}": len(found) for (factor, value), found in shown.items()}
    return {"seeds": torch.tensor(seeds), "features": whole}, counts
