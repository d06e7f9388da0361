"""Linear classifiers that are fitted on labels made by looking."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from eval.domains.faces.captions import ATTRIBUTES
from eval.domains.faces.generator import FaceGenerator
from eval.domains.faces.labelled import read
from eval.statistics.logistic import logistic_regression

CODE_PENALTY = 0.01  # C of the logistic regressions on standardised codes
FEATURE_PENALTY = 0.01  # on standardised features


def classifiers(x: np.ndarray, labels: pd.DataFrame, names: tuple[str, ...], penalty: float) -> tuple[Tensor, Tensor]:
    """One logistic regression for each attribute, on the rows where it is labelled.

    Args:
        x: float [N, D], one row for each row of ``labels``.
        labels: of ``labelled.read``.
        names: the attributes.
        penalty: C, as in ``logistic_regression``.

    Returns:
        weight float32 [A, D] and bias float32 [A].
    """
    weights, biases = [], []
    for name in names:
        known = labels[name].notna().to_numpy()
        weight, bias = logistic_regression(x[known], labels[name].to_numpy()[known], penalty)
        weights.append(weight)
        biases.append(bias)
    return torch.tensor(np.stack(weights), dtype=torch.float32), torch.tensor(biases, dtype=torch.float32)


def code_classifier() -> tuple[Tensor, Tensor]:
    """Attributes from w, for captions: weight float32 [A, 512] and bias [A] of their log-odds."""
    labels = read("captions")
    w = FaceGenerator().w(list(labels.index))
    return classifiers(w.numpy(), labels, ATTRIBUTES, CODE_PENALTY)


def accuracy(log_odds: Tensor, labels: pd.DataFrame, names: tuple[str, ...]) -> dict[str, tuple[float, int]]:
    """Share of labelled faces that are read right, and how many there are, of each attribute.

    Args:
        log_odds: float [N, A], one row for each row of ``labels``.
        labels: of ``labelled.read``.
        names: the attributes, in the order of the columns of ``log_odds``.
    """
    found = {}
    for column, name in enumerate(names):
        known = labels[name].notna().to_numpy()
        right = (log_odds[:, column].numpy() > 0)[known] == (labels[name].to_numpy()[known] > 0.5)
        found[name] = (float(right.mean()), int(known.sum()))
    return found
