"""``tr (Σ1 Σ2)^½`` of two covariances, with a bound of its error, in matrix products alone.

With Σ2 = L Lᵀ it is the sum of the roots of the eigenvalues of M = LᵀΣ1L. The usual way to eigenvalues, through a
tridiagonal matrix, spends most of its time waiting for memory, and no eigenvalue is asked for. So M is reduced by
orthogonal transformations only to a band, whose roots are summed (``band``).

Where that is not good enough, ``factor_trace`` takes the singular values of L1ᵀL2, at four times the cost.

A rounding of M by ε‖Σ1‖‖Σ2‖ moves the root of an eigenvalue λ by that over 2√λ: the sum is exact for well-conditioned
covariances, and infinitely wrong, as the bound then says, for singular ones.
"""

from __future__ import annotations

import numpy as np

from eval.metrics import blas_views as blas
from eval.metrics.band import QUADRATURE, root_sums

LEAF = 128  # matrices that LAPACK transforms whole
SMALL = 256  # up to this D eigenvalues are as fast
ROUNDING = 4 * np.finfo(np.float64).eps  # of a product or a factor, as a share of its norm


def root_trace(covariance1: np.ndarray, covariance2: np.ndarray, worst: float = float("inf")) -> tuple[float, float]:
    """``tr (Σ1 Σ2)^½`` and a bound of its error.

    Args:
        covariance1: float64 [D, D], symmetric, positive semi-definite.
        covariance2: float64 [D, D], likewise.
        worst: a larger error is of no use, so that the work may be spared.

    Returns:
        NaN and infinity where Σ1 Σ2 is singular to working precision, or the error would be above ``worst``.
    """
    from scipy.linalg import lapack

    unknown = float("nan"), float("inf")
    # Transposed because LAPACK wants columns: a symmetric matrix is its own transpose, and this one need not be turned.
    factor, failed = lapack.dpotrf(covariance2.T, lower=1, clean=0)
    if failed:
        return unknown
    rounding = ROUNDING * _norm(covariance1) * _norm(covariance2)
    # Of covariances that are alike, tr M^-½ is tr Σ⁻¹, which is at least this sum.
    if rounding / 2 * float((1 / np.diag(factor) ** 2).sum()) > worst:
        return unknown
    product = np.array(covariance1.T, order="F")
    transform(product, factor)
    sums = root_sums(product) if len(factor) > SMALL else _sums_by_eigenvalues(product)
    if sums is None:
        return unknown
    roots, inverse_roots = sums
    return roots, rounding * inverse_roots / 2 + 2 * QUADRATURE * roots


def factor_trace(covariance1: np.ndarray, covariance2: np.ndarray, worst: float = float("inf")) -> tuple[float, float]:
    """The same from the singular values of L1ᵀL2, where Σ = L Lᵀ.

    Nothing is squared, so only the factors are inexact: a rounding of Σ moves L by that over √2 times L's smallest
    singular value (Sun 1991, BIT 31:341).

    Args:
        covariance1: float64 [D, D], symmetric, positive semi-definite.
        covariance2: float64 [D, D], likewise.
        worst: as above.

    Returns:
        NaN and infinity where one of them is singular to working precision, or the error would be above ``worst``.
    """
    from scipy.linalg import blas as whole
    from scipy.linalg import lapack

    factors, moved = [], []
    for covariance in (covariance1, covariance2):
        factor, failed = lapack.dpotrf(covariance.T, lower=1)
        norm = lapack.dlange("1", covariance.T)
        reciprocal_condition = 0.0 if failed else lapack.dpocon(factor, norm, uplo="L")[0]
        if reciprocal_condition == 0:
            return float("nan"), float("inf")
        smallest = np.sqrt(reciprocal_condition * norm)
        factors.append(factor)
        moved.append(ROUNDING * _norm(covariance) / (np.sqrt(2) * smallest))
    product = whole.dtrmm(1.0, factors[0], factors[1], lower=1, trans_a=1)
    first, second = (float(np.sqrt(np.trace(covariance))) for covariance in (covariance1, covariance2))
    # The nuclear norm of a change X Y is at most the product of the Frobenius norms of X and Y.
    error = first * moved[1] + second * moved[0]
    if error > worst:
        return float("nan"), float("inf")
    values = np.linalg.svd(product, compute_uv=False)
    return float(values.sum()), float(error + ROUNDING * len(values) * values[0])


def _norm(matrix: np.ndarray) -> float:
    """Frobenius norm by SciPy's BLAS, in turns with which NumPy's would be in the way (``blas_views``)."""
    from scipy.linalg import blas as whole

    numbers = matrix.ravel(order="K")
    return float(np.sqrt(whole.ddot(numbers, numbers)))


def transform(matrix: np.ndarray, factor: np.ndarray) -> None:
    """``matrix = factorᵀ · matrix · factor`` in place: lower triangle of a symmetric [D, D], lower triangle [D, D].

    LAPACK's ``dsygst`` in halves instead of stripes, so that almost all of it are products of large matrices.
    """
    from scipy.linalg import lapack

    size = len(matrix)
    if size <= LEAF:
        matrix[...] = lapack.dsygst(matrix, factor, itype=2, lower=1)[0]
        return
    half = size // 2
    corner, side, rest = matrix[:half, :half], matrix[half:, :half], matrix[half:, half:]
    below, factor_rest = factor[half:, :half], factor[half:, half:]
    transform(corner, factor[:half, :half])
    rest_below = np.empty_like(below, order="F")
    blas.symmetric_product(rest, below, rest_below, 0.5)
    blas.multiply_right(factor[:half, :half], side)
    side += rest_below
    blas.add_symmetric_update_transposed(side, below, corner)
    side += rest_below
    blas.multiply_left_transposed(factor_rest, side)
    transform(rest, factor_rest)


def _sums_by_eigenvalues(matrix: np.ndarray) -> tuple[float, float] | None:
    """``tr M^½`` and ``tr M^-½`` of a symmetric matrix of which the lower triangle is read."""
    eigenvalues = np.linalg.eigvalsh(matrix, UPLO="L")
    if eigenvalues[0] <= 0:
        return None
    roots = np.sqrt(eigenvalues)
    return float(roots.sum()), float((1 / roots).sum())
