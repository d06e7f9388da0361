import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics.frechet import (
    frechet_distance,
    frechet_floor,
    frechet_from_statistics,
)


def by_scipy(x, y):
    """The formula as it stands, with SciPy's matrix square root."""
    import scipy.linalg

    (m1, s1), (m2, s2) = ((z.mean(0), np.atleast_2d(np.cov(z, rowvar=False))) for z in (x, y))
    return float(np.square(m1 - m2).sum() + np.trace(s1 + s2) - 2 * np.trace(scipy.linalg.sqrtm(s1 @ s2)).real)


def features(seed, n, dims, spread=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((dims, dims))  # correlated, the same for every set
    return rng.standard_normal((n, dims)) @ mixing * spread + shift


@pytest.mark.parametrize(("n", "m", "dims"), [(300, 300, 24), (100, 400, 24), (40, 30, 1), (40, 30, 2)])
def test_equals_scipy(n, m, dims):
    x, y = features(0, n, dims), features(1, m, dims, 1.4, 0.3)
    assert frechet_distance(x, y) == pytest.approx(by_scipy(x, y), rel=1e-8)


def test_equals_pytorch_fid(monkeypatch):
    import scipy.linalg
    from pytorch_fid import fid_score

    original = scipy.linalg.sqrtm

    def sqrtm(matrix, disp=True):
        """pytorch-fid 0.3.0 asks for ``disp=False`` and two results, which SciPy 1.18 no longer has."""
        root = original(matrix)
        return root if disp else (root, 0.0)

    monkeypatch.setattr(fid_score.linalg, "sqrtm", sqrtm)
    x, y = features(2, 500, 48), features(3, 400, 48, 0.8, 0.1)
    theirs = fid_score.calculate_frechet_distance(
        x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False)
    )
    assert frechet_distance(x, y) == pytest.approx(theirs, rel=1e-6)


def test_statistics_equal_features():
    x, y = features(4, 200, 16), features(5, 200, 16, 1.2)
    covariances = [np.cov(z, rowvar=False) for z in (x, y)]
    from_statistics = frechet_from_statistics(x.mean(0), covariances[0], y.mean(0), covariances[1])
    assert from_statistics == pytest.approx(by_scipy(x, y), rel=1e-8)


def test_statistics_of_singular_covariances():
    # N(0, diag(4, 0)) and N((1, 0), diag(1, 0)): 1 + (2 - 1)²
    distance = frechet_from_statistics(np.zeros(2), np.diag([4.0, 0]), np.array([1.0, 0]), np.diag([1.0, 0]))
    assert distance == pytest.approx(2.0, abs=1e-12)


@pytest.mark.parametrize("decay", [0.0, 1.2])
def test_many_dimensions_equal_scipy_from_features_and_from_statistics(decay):
    """A flat spectrum and one that falls as Inception's."""
    rng = np.random.default_rng(18)
    spread = np.arange(1, 301) ** -decay
    turn = np.linalg.qr(rng.standard_normal((300, 300)))[0]
    x, y = (rng.standard_normal((700, 300)) * spread @ turn for _ in range(2))
    y = 1.1 * y + 0.05
    (mean1, covariance1), (mean2, covariance2) = ((z.mean(0), np.cov(z, rowvar=False)) for z in (x, y))
    expected = by_scipy(x, y)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert frechet_from_statistics(mean1, covariance1, mean2, covariance2) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(x, x) <= 1e-9 * np.trace(covariance1)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_statistics_equal_roots_by_eigenvalues(seed, decay):
    """The other way to factors: Σ = V diag(λ) Vᵀ, F = diag(√λ) Vᵀ; also where the scales differ by 10⁸."""
    rng = np.random.default_rng(seed)
    spread, scale = np.arange(1, 81) ** -decay, 10.0 ** rng.uniform(-4, 4)
    covariances = [np.cov(rng.standard_normal((160, 80)) * spread, rowvar=False) * s for s in (scale, 1.0)]
    roots = []
    for matrix in covariances:
        values, vectors = np.linalg.eigh(matrix)
        roots.append(np.sqrt(values.clip(min=0))[:, None] * vectors.T)
    traces = sum(np.trace(matrix) for matrix in covariances)
    expected = traces - 2 * np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    found = frechet_from_statistics(np.zeros(80), covariances[0], np.zeros(80), covariances[1])
    assert found == pytest.approx(expected, abs=1e-10 * traces)


def test_fewer_images_than_dimensions_is_exact_and_silent():
    """N = 1,000 in 2,048-d in small: with D > n the two sets' spans are compared, not inverted."""
    x, y = features(6, 20, 64), features(7, 25, 64, 1.1, 0.2)
    a, b = ((z - z.mean(0)) / np.sqrt(len(z) - 1) for z in (x, y))
    # tr (Σ1 Σ2)^½ through the eigenvalues of the small matrix A Bᵀ B Aᵀ
    nuclear = np.sqrt(np.linalg.eigvalsh(a @ b.T @ b @ a.T).clip(min=0)).sum()
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.square(a).sum() + np.square(b).sum() - 2 * nuclear
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        distance = frechet_distance(x, y)
    assert isinstance(distance, float)
    assert distance == pytest.approx(expected, rel=1e-7)


def test_singular_covariances_of_many_images():
    """Dead features and duplicated ones, as ReLU networks have."""
    x, y = features(8, 200, 6), features(9, 200, 6, 1.3)
    wide = [np.concatenate([z, z[:, :2], np.zeros((200, 3))], 1) for z in (x, y)]
    # repeating a column stretches the space: compare with the same stretch written as a rotation-free factor
    stretched = [z * np.sqrt([2, 2, 1, 1, 1, 1]) for z in (x, y)]
    assert frechet_distance(*wide) == pytest.approx(by_scipy(*stretched), rel=1e-8)


sizes = st.integers(2, 40)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=sizes, m=sizes, dims=st.integers(1, 20), log_scale=st.floats(-3, 3))
def test_properties(seed, n, m, dims, log_scale):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dims)) * 10**log_scale
    y = rng.standard_normal((m, dims)) * 10**log_scale * rng.choice([0.0, 1.0, 3.0], dims)
    trace = np.trace(np.atleast_2d(np.cov(x, rowvar=False)))
    distance = frechet_distance(x, y)
    assert distance >= 0
    assert frechet_distance(x, x) <= 1e-9 * max(trace, 1e-300)
    assert frechet_distance(y, x) == pytest.approx(distance, rel=1e-7, abs=1e-9 * trace)
    assert frechet_distance(rng.permutation(x), rng.permutation(y)) == pytest.approx(
        distance, rel=1e-9, abs=1e-9 * trace
    )


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_images_have_no_distance(rows):
    assert np.isnan(frechet_distance(np.ones((rows, 3)), np.ones((5, 3))))


def test_takes_tensors():
    x, y = features(10, 30, 4), features(11, 30, 4)
    assert frechet_distance(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(by_scipy(x, y), rel=1e-8)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), "same D"),
        (np.ones(3), np.ones((3, 1)), "same D"),
        (np.full((3, 2), np.nan), np.ones((3, 2)), "finite"),
    ],
)
def test_wrong_features_are_refused(x, y, said):
    with pytest.raises(ValueError, match=said):
        frechet_distance(x, y)


def test_floor_is_the_bias_of_its_size():
    real = features(12, 4000, 8)
    rng = np.random.default_rng(0)
    expected = np.mean([by_scipy(features(100 + i, 200, 8), features(200 + i, 200, 8)) for i in range(20)])
    assert frechet_floor(real, 200, rng, splits=20) == pytest.approx(expected, rel=0.25)


def test_floor_is_scaled_where_there_are_too_few_images():
    real = features(13, 400, 8)
    expected = np.mean([by_scipy(features(300 + i, 400, 8), features(400 + i, 400, 8)) for i in range(20)])
    assert frechet_floor(real, 400, np.random.default_rng(0), splits=20) == pytest.approx(expected, rel=0.35)


def test_floor_keeps_groups_on_one_side():
    """Eight copies of each image: split by rows, both sides hold the same images and the floor would nearly vanish."""
    real = np.repeat(features(14, 40, 6), 8, axis=0)
    groups = np.repeat(np.arange(40), 8)
    by_rows, by_groups = (
        frechet_floor(real, 160, np.random.default_rng(0), chosen, splits=8) for chosen in (None, groups)
    )
    assert by_groups > 3 * by_rows


def test_floor_of_three_images_is_not_known():
    assert np.isnan(frechet_floor(features(15, 3, 4), 2, np.random.default_rng(0)))


PUBLISHED = Path(__file__).resolve().parents[4] / "shared" / "data" / "clip_embeddings" / "celeba"


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published CLIP embeddings are not here")
def test_of_published_embeddings_equals_scipy():
    """Real, ill-conditioned features: image against text embeddings."""
    files = sorted(PUBLISHED.glob("*.npy"))
    x, y = (np.load(file).astype(np.float64).reshape(-1, 512) for file in files[:2])
    assert frechet_distance(x, y) == pytest.approx(by_scipy(x, y), rel=1e-5)
