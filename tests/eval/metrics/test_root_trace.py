import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics import root_trace as module
from eval.metrics.root_trace import band, factor_trace, resolvent_trace, root_trace, shifts, transform


def covariance(seed, size, decay=0.0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2 * size, size)) * np.arange(1, size + 1) ** -decay
    turn = np.linalg.qr(rng.standard_normal((size, size)))[0]
    return np.cov(rows @ turn, rowvar=False).reshape(size, size)


def dense(blocks):
    """The band as a matrix."""
    diagonal, below = blocks
    starts = np.cumsum([0] + [len(block) for block in diagonal])
    matrix = scipy.linalg.block_diag(*diagonal)
    for number, block in enumerate(below):
        rows = slice(starts[number + 1], starts[number + 1] + len(block))
        columns = slice(starts[number], starts[number + 1])
        matrix[rows, columns], matrix[columns, rows] = block, block.T
    return matrix


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


@pytest.mark.parametrize("size", [5, 128, 129, 300])
def test_transform_is_the_product(size):
    matrix, factor = covariance(3, size), np.asfortranarray(np.tril(np.random.default_rng(4).normal(size=(size, size))))
    expected = factor.T @ matrix @ factor
    found = np.array(matrix, order="F")
    transform(found, factor)
    assert np.allclose(np.tril(found), np.tril(expected))


@pytest.mark.parametrize(("size", "block"), [(64, 64), (65, 64), (100, 16), (97, 32), (33, 8)])
def test_a_band_has_the_eigenvalues_of_its_matrix(size, block):
    matrix = covariance(5, size)
    blocks = band(np.array(np.tril(matrix), order="F"), block)
    assert all(len(part) <= block for part in blocks[0])
    assert np.allclose(np.linalg.eigvalsh(dense(blocks)), np.linalg.eigvalsh(matrix))


def test_a_band_of_a_diagonal_matrix_is_itself():
    matrix = np.diag(np.arange(1.0, 41.0))
    assert np.allclose(dense(band(np.array(matrix, order="F"), 16)), matrix)


@pytest.mark.parametrize("place", [0.0, 0.3, 50.0])
def test_resolvent_trace_is_that_of_the_inverse(place):
    blocks = band(np.array(covariance(6, 90), order="F"), 16)
    expected = np.trace(np.linalg.inv(dense(blocks) + place * np.eye(90)))
    assert resolvent_trace(blocks, place) == pytest.approx(expected, rel=1e-10)


def test_a_band_that_is_not_positive_definite_is_refused():
    with pytest.raises(np.linalg.LinAlgError):
        resolvent_trace(([np.eye(2), -np.eye(2)], [np.zeros((2, 2))]), 0.0)


@settings(max_examples=50)
@given(log_condition=st.floats(0.01, 4), log_scale=st.floats(-8, 8), part=st.floats(0, 1))
def test_shifts_give_square_roots(log_condition, log_scale, part):
    smallest = 10**log_scale
    largest = smallest * 10**log_condition
    eigenvalue = smallest * (largest / smallest) ** part
    places, weights = shifts(smallest, largest)
    assert (weights * eigenvalue / (eigenvalue + places)).sum() == pytest.approx(np.sqrt(eigenvalue), rel=1e-10)
    assert (weights / (eigenvalue + places)).sum() == pytest.approx(1 / np.sqrt(eigenvalue), rel=1e-10)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, np.inf), (np.nan, 1.0), (1e-30, 1.0)])
def test_no_shifts_without_bounds(bounds):
    assert shifts(*bounds) is None


@pytest.mark.parametrize("seed", range(4))
def test_bounds_of_the_spectrum(seed):
    blocks = band(np.array(covariance(seed, 300), order="F"))
    eigenvalues = np.linalg.eigvalsh(dense(blocks))
    smallest = module._smallest_eigenvalue(blocks)
    assert eigenvalues[0] / module.FINER <= smallest <= eigenvalues[0]
    assert eigenvalues[-1] <= module._largest_row_sum(blocks)


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
