import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics import band as module
from eval.metrics.band import band, resolvent_trace, shifts


def covariance(seed, size):
    return np.cov(np.random.default_rng(seed).standard_normal((2 * size, size)), rowvar=False)


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
