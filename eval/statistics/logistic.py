"""Logistic regression with an L2 penalty, by Newton's method."""

from __future__ import annotations

import numpy as np

STEPS = 50  # Newton's method needs about ten
TOLERANCE = 1e-8  # largest change of a coefficient at which it has converged


def logistic_regression(x: np.ndarray, y: np.ndarray, penalty: float = 0.01) -> tuple[np.ndarray, float]:
    """Weight and bias of a binary classifier whose two classes count the same, however many members they have.

    Args:
        x: float [N, D].
        y: bool or 0 and 1 [N], both of which occur.
        penalty: C, the inverse strength of the penalty on the weights of the standardised features, as scikit-learn
            defines it; the bias is free.

    Returns:
        weight float64 [D] and bias of the log-odds, for the features as they are.

    Raises:
        ValueError: only one class occurs.

    >>> weight, bias = logistic_regression(np.array([[-1.0], [0.0], [2.0], [3.0]]), np.array([0, 0, 1, 1]))
    >>> bool(weight[0] > 0), round(-bias / float(weight[0]), 6)
    (True, 1.0)
    """
    y = np.asarray(y, dtype=float)
    if not 0 < y.mean() < 1:
        raise ValueError("logistic regression needs members of both classes")
    centre, spread = x.mean(0), x.std(0) + 1e-6
    z = (x - centre) / spread
    if z.shape[1] <= len(z):
        inner, bias = _newton(z, y, penalty)
    else:  # the solution lies in the span of the rows: it is looked for in as many axes
        squares, turn = np.linalg.eigh(z @ z.T)
        lengths = np.sqrt(np.maximum(squares, len(z) * 1e-9))
        inner, bias = _newton(turn * lengths, y, penalty)
        inner = (turn @ (inner / lengths)) @ z
    weight = inner / spread
    return weight, float(bias - weight @ centre)


def _newton(z: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    ridge = np.append(np.full(z.shape[1], 1 / penalty), 0.0)
    z = np.column_stack([z, np.ones(len(z))])
    share = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))  # weight of a row
    beta = np.zeros(z.shape[1])
    for _ in range(STEPS):
        probability = 1 / (1 + np.exp(-np.clip(z @ beta, -500, 500)))
        gradient = z.T @ (share * (probability - y)) + ridge * beta
        curvature = share * np.maximum(probability * (1 - probability), 1e-12)
        step = np.linalg.solve((z.T * curvature) @ z + np.diag(ridge), gradient)
        beta -= step
        if np.abs(step).max() < TOLERANCE:
            break
    return beta[:-1], float(beta[-1])
