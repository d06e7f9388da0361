import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics.root_trace import factor_trace, root_trace, transform


def covariance(seed, size, decay=0.0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2 * size, size)) * np.arange(1, size + 1) ** -decay
    turn = np.linalg.qr(rng.standard_normal((size, size)))[0]
    return np.cov(rows @ turn, rowvar=False).reshape(size, size)


@pytest.mark.parametrize("size", [1, 2, 100, 257, 400, 650])
def test_equals_scipy_by_eigenvalues_and_by_shifts(size):
    first, second = covariance(0, size), covariance(1, size)
    found, error = root_trace(first, second)
    expected = np.trace(scipy.linalg.sqrtm(first @ second)).real
    assert found == pytest.approx(expected, rel=1e-9)
    assert error < 1e-10 * np.trace(first + second)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(257, 330), decay=st.floats(0, 0.5), log_scale=st.floats(-4, 4))
def test_the_error_is_below_its_bound(seed, size, decay, log_scale):
    """Against singular values of Cholesky factors, which square nothing."""
    first, second = covariance(seed, size, decay) * 10**log_scale, covariance(seed + 1, size, decay)
    found, error = root_trace(first, second)
    factors = np.linalg.cholesky(first), np.linalg.cholesky(second)
    expected = np.linalg.svd(factors[0].T @ factors[1], compute_uv=False).sum()
    assert abs(found - expected) <= error
    assert error < 1e-7 * expected


@pytest.mark.parametrize("size", [3, 300])
def test_singular_covariances_are_left_to_others(size):
    full, flat = covariance(2, size), np.zeros((size, size))
    flat[0, 0] = 1.0
    for pair in ((full, flat), (flat, full)):
        assert root_trace(*pair)[1] > 1e-3


@pytest.mark.parametrize("way", [root_trace, factor_trace])
def test_work_that_cannot_be_good_enough_is_spared(way):
    first, second = covariance(0, 300, 0.3), covariance(1, 300, 0.3)
    found, error = way(first, second)
    assert way(first, second, worst=2 * error) == (found, error)
    assert np.isnan(way(first, second, worst=error / 1e4)[0])


@pytest.mark.parametrize("size", [5, 128, 129, 300])
def test_transform_is_the_product(size):
    matrix, factor = covariance(3, size), np.asfortranarray(np.tril(np.random.default_rng(4).normal(size=(size, size))))
    expected = factor.T @ matrix @ factor
    found = np.array(matrix, order="F")
    transform(found, factor)
    assert np.allclose(np.tril(found), np.tril(expected))


@pytest.mark.parametrize(("size", "decay"), [(2, 0.0), (60, 0.0), (60, 1.5), (300, 1.2)])
def test_factors_equal_the_roots_of_eigenvalues(size, decay):
    """Spectra that fall as far as Inception's, where the eigenvalues of the product are rounded away."""
    first, second = covariance(8, size, decay), covariance(9, size, decay)
    roots = []
    for matrix in (first, second):
        values, vectors = np.linalg.eigh(matrix)
        roots.append(np.sqrt(values.clip(min=0))[:, None] * vectors.T)
    expected = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    found, error = factor_trace(first, second)
    assert abs(found - expected) <= max(error, 1e-12 * expected)
    assert error < 1e-9 * np.trace(first + second)


def test_a_singular_covariance_has_no_factors():
    assert factor_trace(np.diag([1.0, 0.0]), np.eye(2))[1] == np.inf


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 40), decay=st.floats(0, 2))
def test_equal_covariances_leave_nothing(seed, size, decay):
    """tr (ΣΣ)^½ = tr Σ."""
    matrix = covariance(seed, size, decay)
    for way in (root_trace, factor_trace):
        found, error = way(matrix, matrix)
        if error < 1e-9 * np.trace(matrix):
            assert abs(found - np.trace(matrix)) <= error + 1e-13 * np.trace(matrix)
