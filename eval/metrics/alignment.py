"""How well the two sides of a CLIP space match: modality gap, cosines, retrieval, classifier, CKA, Procrustes.

Everything works on rows of unit length, image k and text k being a pair. Statistics take a matrix of weights, one row a
bootstrap draw, so that all draws cost a few matrix products; a row of ones gives the statistic itself.

Sources: modality gap, Liang et al. 2022 (arXiv 2203.02053); CKA, Kornblith et al. 2019 (arXiv 1905.00414) with the
unbiased HSIC of Song et al. 2012 (JMLR 13:1393); orthogonal Procrustes, Schönemann 1966 (Psychometrika 31:1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TIE = 1e-6  # cosines closer than that are equal: equal texts differ in the last bit when encoded in different batches
RIDGE = 1e-4  # penalty of the classifier, in units of the features' mean variance; only keeps the system solvable
BLOCK = 1000  # queries compared with the gallery at once


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1: float64 [N, E]; a row of zeros stays one.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)


def gap_and_unpaired(images: np.ndarray, texts: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared modality gap ‖mean of images - mean of texts‖² and the mean cosine of images with others' texts.

    Args:
        images: float [N, E], unit rows.
        texts: float [N, E], unit rows.
        weights: float [B, N].

    Returns:
        float64 [B] in [0, 4], and float64 [B] in [-1, 1]; not finite where fewer than two weights are positive.
    """
    total, squares = weights.sum(1), (weights**2).sum(1)
    image_sum, text_sum = weights @ images, weights @ texts
    own = weights**2 @ (images * texts).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = ((image_sum - text_sum) ** 2).sum(1) / total**2
        unpaired = ((image_sum * text_sum).sum(1) - own) / (total**2 - squares)
    return gap, unpaired


def recall_hits(queries: np.ndarray, gallery: np.ndarray, depths: Sequence[int] = (1, 5)) -> np.ndarray:
    """Whether the partner of each query is among the ``depth`` nearest rows of the gallery.

    Rows as near as the partner are in random order: they share the places that are left, so a hit can be a fraction.

    Args:
        queries: float [N, E], unit rows.
        gallery: float [N, E], unit rows; row k is the partner of query k.
        depths: how many nearest rows count.

    Returns:
        float64 [N, len(depths)] in [0, 1].

    >>> same = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> recall_hits(same, same, (1, 2)).tolist()
    [[0.5, 1.0], [0.5, 1.0], [1.0, 1.0]]
    """
    parts = []
    for start in range(0, len(queries), BLOCK):
        rows = slice(start, start + BLOCK)
        cosines = queries[rows] @ gallery.T
        own = (queries[rows] * gallery[rows]).sum(1)[:, None]
        nearer = (cosines > own + TIE).sum(1)
        equal = (np.abs(cosines - own) <= TIE).sum(1)
        parts.append(np.stack([np.clip((depth - nearer) / equal, 0.0, 1.0) for depth in depths], axis=1))
    return np.concatenate(parts)


def modality_hits(images: np.ndarray, texts: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """How many of the two members of each pair a linear classifier puts on the right side: image or text.

    Least squares on ±1, which is Fisher's linear discriminant for classes of equal size. Every pair is held out once.
    Differences of exchangeable vectors are as often Δ as -Δ, so no linear classifier of them beats chance, however
    different the modalities are; give it squares to see a difference of spread.

    Args:
        images: float [N, E].
        texts: float [N, E].
        folds: int [N], the part that each pair is held out in; both members together.

    Returns:
        float64 [N], 0, 0.5 or 1. The mean is the held-out accuracy; 0.5 is chance.
    """
    hits = np.empty(len(images))
    for fold in np.unique(folds):
        kept, out = folds != fold, folds == fold
        inputs = np.concatenate([images[kept], texts[kept]]).astype(np.float64)
        labels = np.repeat([1.0, -1.0], kept.sum())
        centre = inputs.mean(0)
        inputs = inputs - centre
        gram = inputs.T @ inputs
        gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram) + np.finfo(float).tiny
        slope = np.linalg.solve(gram, inputs.T @ labels)
        hits[out] = (((images[out] - centre) @ slope > 0) * 0.5) + (((texts[out] - centre) @ slope < 0) * 0.5)
    return hits


def procrustes_distances(images: np.ndarray, texts: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the best rotation leaves of the distance between an image and its text, on pairs that it was not fitted to.

    Both sides are centred (means of the fitted pairs). Sum of the first result over sum of the second is the residual:
    0 where a rotation maps images onto their texts, 1 where a pair is then as far apart as two strangers.

    Args:
        images: float [N, E].
        texts: float [N, E].
        folds: int [N], the part that each pair is held out in.

    Returns:
        Squared distance of each pair after the rotation, float64 [N]; and what it is on average between strangers,
        the sum of both squared lengths, float64 [N].
    """
    paired, strangers = np.empty(len(images)), np.empty(len(images))
    for fold in np.unique(folds):
        kept, out = folds != fold, folds == fold
        image_centre, text_centre = images[kept].mean(0), texts[kept].mean(0)
        left, _, right = np.linalg.svd((images[kept] - image_centre).T @ (texts[kept] - text_centre))
        rotated, held_out = (images[out] - image_centre) @ (left @ right), texts[out] - text_centre
        paired[out] = ((rotated - held_out) ** 2).sum(1)
        strangers[out] = (rotated**2).sum(1) + (held_out**2).sum(1)
    return paired, strangers


def cka(images: np.ndarray, texts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Linear CKA from unbiased HSIC: 0 on average for unrelated sides whatever N and E are, 1 for rotated copies.

    Args:
        images: float [N, E], N >= 4.
        texts: float [N, E].
        weights: float [B, N], at least four positive ones a row, else NaN. Terms that hold a pair twice are left
            out, so a pair drawn twice does not count as similar to itself.

    Returns:
        float64 [B], at most about 1; NaN where a side does not vary.
    """
    grams = []
    for side in (images, texts):  # HSIC ignores the mean; without it float32 is exact enough
        centred = np.asarray(side - side.mean(0), dtype=np.float32)
        gram = centred @ centred.T
        np.fill_diagonal(gram, 0)
        grams.append(gram)
    image_gram, text_gram = grams
    weights = np.asarray(weights, dtype=np.float32)
    sums = weights @ image_gram, weights @ text_gram
    across = _hsic(image_gram * text_gram, sums[0], sums[1], weights)
    own = _hsic(image_gram**2, sums[0], sums[0], weights) * _hsic(text_gram**2, sums[1], sums[1], weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: np.ndarray = np.where(own > 0, across / np.sqrt(np.maximum(own, 0)), np.nan)
    return ratio


def _hsic(products: np.ndarray, first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted U-statistic of HSIC over distinct pairs: float64 [B].

    Args:
        products: K∘L, [N, N], zero diagonal.
        first: weights @ K, [B, N].
        second: weights @ L, [B, N].
        weights: [B, N].
    """
    squares = weights**2
    shared = np.asarray(squares @ products, dtype=np.float64)  # Σ_l w_l² K_kl L_kl
    w, w2 = weights.astype(np.float64), squares.astype(np.float64)
    first, second = first.astype(np.float64), second.astype(np.float64)
    p1, p2, p3, p4 = (np.sum(w**power, axis=1) for power in (1, 2, 3, 4))
    with np.errstate(invalid="ignore", divide="ignore"):  # fewer than four distinct pairs: no statistic
        two = (w * (weights @ products)).sum(1) / (p1**2 - p2)
        three = (w * (first * second - shared)).sum(1) / (p1**3 - 3 * p1 * p2 + 2 * p3)
        four = (w * first).sum(1) * (w * second).sum(1) - 4 * (w2 * first * second).sum(1) + 2 * (w2 * shared).sum(1)
        four = four / (p1**4 - 6 * p1**2 * p2 + 8 * p1 * p3 + 3 * p2**2 - 6 * p4)
    statistic: np.ndarray = two + four - 2 * three
    return statistic
