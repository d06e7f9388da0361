"""The second attribute judge: linear heads on edges, colours and landmarks, from ``labels/captions.csv``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from eval.domains.faces.generator import FaceGenerator, to_float
from eval.domains.faces.labelled import read
from eval.domains.faces.networks import DlibIdentity
from eval.domains.faces.recipes.attribute_judge import NAMES, heads, with_interval
from eval.domains.faces.recipes.labels import accuracy
from eval.domains.faces.second_judge import LANDMARK_NUMBERS, SIZE, features

PENALTY = 0.01  # C of the heads
BY_LANDMARKS = ("smile", "open_mouth")  # read by the landmarks alone


def train(identity: DlibIdentity, generator: FaceGenerator) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Fit the heads and measure the judge on ``labels/held_out.csv``.

    Returns:
        tensors ``weight`` [A, D] and ``bias`` [A], and the measurements for the card.
    """
    labels, held_out = read("captions"), read("held_out")
    weight, bias = heads(_seen(identity, generator, labels), labels, _columns, PENALTY)
    found = _seen(identity, generator, held_out) @ weight.T + bias
    measured: dict[str, Any] = {}
    for column, (name, (share, count)) in enumerate(accuracy(found, held_out, NAMES).items()):
        has = held_out[name].to_numpy() == 1
        seen = float((found[:, column].numpy()[has] > 0).mean())
        measured[f"accuracy: {name}"] = f"{with_interval(share, count)}; of {has.sum()} that have it {seen:.2f} found"
    return {"weight": weight, "bias": bias}, measured


def _columns(name: str) -> np.ndarray:
    return np.arange(SIZE) < (LANDMARK_NUMBERS if name in BY_LANDMARKS else SIZE)


@torch.inference_mode()
def _seen(identity: DlibIdentity, generator: FaceGenerator, labels: pd.DataFrame) -> Tensor:
    """Features of labelled faces, whose seeds follow each other: float32 [N, SIZE]."""
    _, pictures = generator.samples(int(labels.index[0]), len(labels))
    return torch.cat([features(to_float(block), identity.landmarks) for block in pictures.split(100)])
