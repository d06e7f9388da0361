import numpy as np
import pytest

from eval.metrics.alignment import (
    cka,
    gap_and_unpaired,
    modality_hits,
    procrustes_distances,
    recall_hits,
    unit,
)


def _sides(count, width, seed, noise=0.5):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(count, width))
    return unit(images), unit(images + noise * rng.normal(size=(count, width)))


def _ones(count):
    return np.ones((1, count))


def test_gap_and_unpaired_against_loops():
    images, texts = _sides(7, 3, 0)
    gap, unpaired = gap_and_unpaired(images, texts, _ones(7))
    strangers = [images[i] @ texts[j] for i in range(7) for j in range(7) if i != j]
    assert gap[0] == pytest.approx(sum((images.mean(0) - texts.mean(0)) ** 2))
    assert unpaired[0] == pytest.approx(np.mean(strangers))


def test_gap_and_unpaired_with_weights_are_weighted_means():
    images, texts = _sides(6, 3, 1)
    weights = np.array([[2.0, 0.0, 1.0, 3.0, 0.0, 1.0]])
    gap, unpaired = gap_and_unpaired(images, texts, weights)
    w = weights[0] / weights.sum()
    top = sum(w[i] * w[j] * (images[i] @ texts[j]) for i in range(6) for j in range(6) if i != j)
    bottom = sum(w[i] * w[j] for i in range(6) for j in range(6) if i != j)
    assert gap[0] == pytest.approx(np.linalg.norm(w @ images - w @ texts) ** 2)
    assert unpaired[0] == pytest.approx(top / bottom)


def test_recall_counts_by_sorting():
    queries, gallery = _sides(40, 5, 2, noise=1.0)
    hits = recall_hits(queries, gallery, (1, 5))
    order = np.argsort(-(queries @ gallery.T), axis=1)
    places = np.array([list(order[k]).index(k) for k in range(40)])
    assert 0 < (places < 1).mean() < (places < 5).mean() < 1
    assert hits.tolist() == np.stack([places < 1, places < 5], axis=1).astype(float).tolist()


def test_recall_in_blocks_is_the_same(monkeypatch):
    queries, gallery = _sides(25, 4, 3, noise=1.0)
    whole = recall_hits(queries, gallery)
    monkeypatch.setattr("eval.metrics.alignment.BLOCK", 7)
    assert recall_hits(queries, gallery).tolist() == whole.tolist()


def test_recall_of_three_equal_texts_is_shared():
    images = unit(np.array([[1.0, 0.1], [1.0, 0.2], [1.0, 0.3]]))
    texts = np.tile([1.0, 0.0], (3, 1)) + np.array([[0.0], [1e-8], [-1e-8]])
    assert recall_hits(images, texts, (1, 2)) == pytest.approx(np.array([[1 / 3, 2 / 3]] * 3))


def test_classifier_is_fishers_discriminant_of_sklearn():
    discriminant = pytest.importorskip("sklearn.discriminant_analysis")
    images, texts = _sides(120, 4, 4)
    images = images + 0.2
    folds = np.arange(120) % 2
    hits = modality_hits(images, texts, folds)
    expected = np.zeros(120)
    for fold in (0, 1):
        model = discriminant.LinearDiscriminantAnalysis(solver="lsqr")
        kept, out = folds != fold, folds == fold
        model.fit(np.concatenate([images[kept], texts[kept]]), [1] * 60 + [0] * 60)
        expected[out] = (model.predict(images[out]) == 1) * 0.5 + (model.predict(texts[out]) == 0) * 0.5
    assert 0.55 < expected.mean() < 0.95
    assert np.abs(hits - expected).mean() < 0.01  # the tiny penalty may turn a point on the border


def test_classifier_is_perfect_on_separated_modalities_and_held_out():
    images, texts = _sides(40, 30, 5)
    far = modality_hits(images + 5, texts, np.arange(40) % 2)
    noise = np.random.default_rng(6).normal(size=(2, 40, 30))
    assert far.tolist() == [1.0] * 40
    assert modality_hits(*noise, np.arange(40) % 2).mean() < 0.7  # fitted to the same rows it would be near 1


def test_procrustes_finds_a_rotation_on_held_out_pairs():
    rng = np.random.default_rng(7)
    images = rng.normal(size=(60, 5))
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    paired, strangers = procrustes_distances(images, images @ rotation + 3.0, np.arange(60) % 2)
    assert paired.sum() / strangers.sum() < 0.01  # not 0: the means of the two halves differ for both sides alike


def test_procrustes_rotation_is_scipys():
    linalg = pytest.importorskip("scipy.linalg")
    images, texts = _sides(50, 4, 8, noise=1.0)
    folds = np.arange(50) % 2
    paired, strangers = procrustes_distances(images, texts, folds)
    kept, out = folds == 1, folds == 0
    a, b = images[kept].mean(0), texts[kept].mean(0)
    rotation, _ = linalg.orthogonal_procrustes(images[kept] - a, texts[kept] - b)
    assert paired[out] == pytest.approx((((images[out] - a) @ rotation - (texts[out] - b)) ** 2).sum(1))
    assert strangers[out] == pytest.approx(((images[out] - a) ** 2).sum(1) + ((texts[out] - b) ** 2).sum(1))


def test_procrustes_of_unrelated_sides_is_about_one():
    images, texts = np.random.default_rng(9).normal(size=(2, 400, 3))
    paired, strangers = procrustes_distances(images, texts, np.arange(400) % 2)
    assert paired.sum() / strangers.sum() == pytest.approx(1, abs=0.15)


def _song_hsic(first, second):
    """Song et al. 2012, equation 5."""
    n, one = len(first), np.ones(len(first))
    first, second = first - np.diag(np.diag(first)), second - np.diag(np.diag(second))
    total = (
        np.trace(first @ second)
        + (one @ first @ one) * (one @ second @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (one @ first @ second @ one)
    )
    return total / (n * (n - 3))


def test_cka_is_the_ratio_of_songs_unbiased_hsic():
    images, texts = _sides(15, 4, 10)
    first, second = images @ images.T, texts @ texts.T
    expected = _song_hsic(first, second) / np.sqrt(_song_hsic(first, first) * _song_hsic(second, second))
    assert cka(images, texts, _ones(15))[0] == pytest.approx(expected, rel=1e-4)


def test_cka_with_weights_against_sums_over_distinct_indices():
    images, texts = _sides(6, 3, 11)
    w = np.array([2.0, 1.0, 0.0, 1.0, 3.0, 1.0])

    def hsic(first, second):
        sums = {}
        for term, size in (("two", 2), ("three", 3), ("four", 4)):
            top = bottom = 0.0
            for index in np.ndindex(*(6,) * size):
                if len(set(index)) < size:
                    continue
                weight = np.prod(w[list(index)])
                pair = {"two": index * 2, "three": (index[0], index[1], index[0], index[-1]), "four": index}[term]
                top += weight * first[pair[0], pair[1]] * second[pair[2], pair[3]]
                bottom += weight
            sums[term] = top / bottom
        return sums["two"] + sums["four"] - 2 * sums["three"]

    a, b = images - images.mean(0), texts - texts.mean(0)
    first, second = a @ a.T, b @ b.T
    expected = hsic(first, second) / np.sqrt(hsic(first, first) * hsic(second, second))
    assert cka(images, texts, w[None])[0] == pytest.approx(expected, rel=1e-3)


def test_cka_of_rotated_copies_is_one_and_of_unrelated_sides_zero():
    rng = np.random.default_rng(12)
    images = rng.normal(size=(80, 40))
    rotation = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    assert cka(images, 3 * images @ rotation + 1, _ones(80))[0] == pytest.approx(1, abs=1e-3)
    assert abs(cka(images, rng.normal(size=(80, 40)), _ones(80))[0]) < 0.1  # the biased one would be about 0.5


def test_cka_of_a_constant_side_is_nan():
    images, _ = _sides(10, 3, 13)
    assert np.isnan(cka(images, np.ones((10, 3)), _ones(10))[0])
