"""Vectors of two modalities as points of a plane: PCA, and t-SNE where scikit-learn is installed."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

TSNE_PAIRS = 500  # shown by t-SNE: more points take minutes and hide each other
PERPLEXITY = 30.0
NO_TSNE = "The t-SNE panels are left out: they need scikit-learn (pip install 'deltabench[align]')."

Points = tuple[np.ndarray, np.ndarray]  # of images and of texts, float64 [n, 2] each


def pca(images: np.ndarray, texts: np.ndarray) -> Points:
    """Both sides on the first two principal components of all their rows together.

    Args:
        images: float [N, E], E >= 2.
        texts: float [N, E].

    Returns:
        float64 [N, 2] of each side; the sign is such that the largest weight of a component is positive.
    """
    rows = np.concatenate([images, texts]).astype(np.float64)
    rows -= rows.mean(0)
    _, axes = np.linalg.eigh(rows.T @ rows)
    components = axes[:, :-3:-1]
    largest = components[np.abs(components).argmax(0), [0, 1]]
    points = rows @ (components * np.sign(largest))
    return points[: len(images)], points[len(images) :]


def has_tsne() -> bool:
    """Whether scikit-learn is installed."""
    return find_spec("sklearn") is not None


def tsne(images: np.ndarray, texts: np.ndarray, seed: int = 0) -> Points:
    """t-SNE (van der Maaten and Hinton 2008) of the first 500 pairs, both sides together, started from PCA.

    Args:
        images: float [N, E].
        texts: float [N, E].
        seed: of the optimisation.

    Returns:
        float64 [min(N, 500), 2] of each side.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    from sklearn.manifold import TSNE

    shown = min(len(images), TSNE_PAIRS)
    rows = np.concatenate([images[:shown], texts[:shown]]).astype(np.float32)
    model = TSNE(2, perplexity=min(PERPLEXITY, (len(rows) - 1) / 3), init="pca", random_state=seed)
    points = model.fit_transform(rows).astype(np.float64)
    return points[:shown], points[shown:]
