"""``tr (Σ1 Σ2)^½`` of two covariances, with a bound of its error, in matrix products alone.

With Σ2 = L Lᵀ it is the sum of the roots of the eigenvalues of M = LᵀΣ1L. The usual way to eigenvalues, through a
tridiagonal matrix, spends most of its time waiting for memory, and no eigenvalue is asked for. So M is reduced by
orthogonal transformations only to a band T of blocks (first half of Bischof, Lang and Sun 2000, ACM TOMS 26:581), and

    tr T^½ = Σ_j w_j tr T (T + s_j)⁻¹         tr T^-½ = Σ_j w_j tr (T + s_j)⁻¹

is summed over a dozen or two shifts s_j (Hale, Higham and Trefethen 2008, SIAM J. Numer. Anal. 46:2505, method 3),
each of which costs next to nothing for a band.

Where that is not good enough, ``factor_trace`` takes the singular values of L1ᵀL2, at four times the cost.

A rounding of M by ε‖Σ1‖‖Σ2‖ moves the root of an eigenvalue λ by that over 2√λ: the sum is exact for well-conditioned
covariances, and infinitely wrong, as the bound then says, for singular ones.
"""

from __future__ import annotations

import numpy as np

from eval.metrics import blas_views as blas

BLOCK = 64  # width of the band; products of thinner blocks are slower, inverses of wider ones
LEAF = 128  # matrices that LAPACK transforms whole
SMALL = 256  # up to this D eigenvalues are as fast
QUADRATURE = 1e-11  # relative error of the roots
FINER = 4.0  # steps in which the smallest eigenvalue is looked for
MOST_SHIFTS = 40
ROUNDING = 4 * np.finfo(np.float64).eps  # of a product or a factor, as a share of its norm
WORST_CONDITION = 1e-6  # reciprocal; of covariances of many D that are worth the first way
BETWEEN = 200  # eigenvalues at which that error is measured

Band = tuple[list[np.ndarray], list[np.ndarray]]  # blocks of the diagonal, and those below


def root_trace(covariance1: np.ndarray, covariance2: np.ndarray) -> tuple[float, float]:
    """``tr (Σ1 Σ2)^½`` and a bound of its error.

    Args:
        covariance1: float64 [D, D], symmetric, positive semi-definite.
        covariance2: float64 [D, D], likewise.

    Returns:
        NaN and infinity where Σ1 Σ2 is singular to working precision.
    """
    from scipy.linalg import lapack

    unknown = float("nan"), float("inf")
    # Transposed because LAPACK wants columns: a symmetric matrix is its own transpose, and this one need not be turned.
    factor, failed = lapack.dpotrf(covariance2.T, lower=1, clean=0)
    if failed:
        return unknown
    large = len(factor) > SMALL
    if large and _reciprocal_condition(factor, covariance2) < WORST_CONDITION:
        return unknown  # what M's would be; spares the work
    product = np.array(covariance1.T, order="F")
    transform(product, factor)
    sums = _sums_by_shifts(product) if large else _sums_by_eigenvalues(product)
    if sums is None:
        return unknown
    roots, inverse_roots = sums
    rounding = ROUNDING * np.linalg.norm(covariance1) * np.linalg.norm(covariance2)
    return roots, float(rounding * inverse_roots / 2) + 2 * QUADRATURE * roots


def factor_trace(covariance1: np.ndarray, covariance2: np.ndarray) -> tuple[float, float]:
    """The same from the singular values of L1ᵀL2, where Σ = L Lᵀ.

    Nothing is squared, so only the factors are inexact: a rounding of Σ moves L by that over √2 times L's smallest
    singular value (Sun 1991, BIT 31:341).

    Args:
        covariance1: float64 [D, D], symmetric, positive semi-definite.
        covariance2: float64 [D, D], likewise.

    Returns:
        NaN and infinity where one of them is singular to working precision.
    """
    from scipy.linalg import blas as whole
    from scipy.linalg import lapack

    factors, moved = [], []
    for covariance in (covariance1, covariance2):
        factor, failed = lapack.dpotrf(covariance.T, lower=1)
        condition = 0.0 if failed else _reciprocal_condition(factor, covariance)
        if condition == 0:
            return float("nan"), float("inf")
        smallest = np.sqrt(condition * np.linalg.norm(covariance, 1))
        factors.append(factor)
        moved.append(ROUNDING * np.linalg.norm(covariance) / (np.sqrt(2) * smallest))
    product = whole.dtrmm(1.0, factors[0], factors[1], lower=1, trans_a=1)
    first, second = (float(np.sqrt(np.trace(covariance))) for covariance in (covariance1, covariance2))
    # The nuclear norm of a change X Y is at most the product of the Frobenius norms of X and Y.
    error = first * moved[1] + second * moved[0]
    values = np.linalg.svd(product, compute_uv=False)
    return float(values.sum()), float(error + ROUNDING * len(values) * values[0])


def _reciprocal_condition(factor: np.ndarray, covariance: np.ndarray) -> float:
    """Of Σ = L Lᵀ in the 1-norm, estimated by LAPACK."""
    from scipy.linalg import lapack

    reciprocal, _ = lapack.dpocon(factor, np.linalg.norm(covariance, 1), uplo="L")
    return float(reciprocal)


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


def band(matrix: np.ndarray, block: int = BLOCK) -> Band:
    """Band of blocks with the eigenvalues of a symmetric matrix, which is destroyed.

    Args:
        matrix: float64 [D, D] in Fortran's order, of which the lower triangle is read.
        block: width.

    Returns:
        Blocks [block, block] of the diagonal, symmetric, and those below; the last ones may be smaller.
    """
    diagonal, below = [], []
    for start in range(0, len(matrix), block):
        stop = min(start + block, len(matrix))
        corner = np.tril(matrix[start:stop, start:stop])
        diagonal.append(corner + np.tril(corner, -1).T)
        if stop < len(matrix):
            triangle, vectors, mixing = _reflections(matrix[stop:, start:stop])
            below.append(triangle)
            _reflect(matrix[stop:, stop:], vectors, mixing)
    return diagonal, below


def _reflections(panel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R [r, b] of the QR decomposition of a panel [m, b], r = min(m, b), and V [m, r], T [r, r] with Q = 1 - V T Vᵀ."""
    from scipy.linalg import lapack

    rank = min(panel.shape)
    packed, weights, _, _ = lapack.dgeqrf(panel, lwork=64 * panel.shape[1])
    vectors = np.asfortranarray(np.tril(packed[:, :rank], -1))
    np.fill_diagonal(vectors, 1)
    # LAPACK's dlarft, which SciPy does not pass on: T⁻¹ = diag(1 / weights) + strict upper triangle of VᵀV.
    overlaps = weights[:, None] * np.triu(vectors.T @ vectors, 1)
    mixing, _ = lapack.dtrtrs(overlaps, np.diag(weights), unitdiag=1)
    return np.triu(packed[:rank]), vectors, mixing


def _reflect(matrix: np.ndarray, vectors: np.ndarray, mixing: np.ndarray) -> None:
    """Qᵀ · matrix · Q of a symmetric [m, m] in place, lower triangle only."""
    mixed = np.asfortranarray(vectors @ mixing)
    product = np.empty_like(mixed, order="F")
    blas.symmetric_product(matrix, mixed, product)
    product -= vectors @ (0.5 * mixing.T @ (vectors.T @ product))
    blas.add_symmetric_update(vectors, product, matrix, -1.0)


def _sums_by_eigenvalues(matrix: np.ndarray) -> tuple[float, float] | None:
    """``tr M^½`` and ``tr M^-½`` of a symmetric matrix of which the lower triangle is read."""
    eigenvalues = np.linalg.eigvalsh(matrix, UPLO="L")
    if eigenvalues[0] <= 0:
        return None
    roots = np.sqrt(eigenvalues)
    return float(roots.sum()), float((1 / roots).sum())


def _sums_by_shifts(matrix: np.ndarray) -> tuple[float, float] | None:
    """The same of a large matrix, which is destroyed; none where it is singular or too ill-conditioned for shifts."""
    size = len(matrix)
    blocks = band(matrix)
    try:
        found = shifts(_smallest_eigenvalue(blocks), _largest_row_sum(blocks))
        if found is None:
            return None
        places, weights = found
        traces = np.array([resolvent_trace(blocks, place) for place in places])
    except np.linalg.LinAlgError:
        return None
    return float(weights @ (size - places * traces)), float(weights @ traces)


def _smallest_eigenvalue(blocks: Band) -> float:
    """A bound from below, at most FINER times too small.

    Raises:
        LinAlgError: an eigenvalue is not positive.
    """
    diagonal, below = blocks
    bound = 1 / resolvent_trace(blocks, 0.0)
    while True:
        try:
            eliminate([block - FINER * bound * np.eye(len(block)) for block in diagonal], below)
        except np.linalg.LinAlgError:
            return bound
        bound *= FINER


def _largest_row_sum(blocks: Band) -> float:
    """Largest sum of absolute values of a row: no eigenvalue is larger."""
    diagonal, below = blocks
    sums = [np.abs(block).sum(1) for block in diagonal]
    for number, block in enumerate(below):
        sums[number + 1] += np.abs(block).sum(1)
        sums[number] += np.abs(block).sum(0)
    return float(max(part.max() for part in sums))


def shifts(smallest: float, largest: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Places s and weights w with ``√λ = Σ w λ / (λ + s)`` for eigenvalues between two bounds, to QUADRATURE.

    None where MOST_SHIFTS do not suffice, or the bounds are no bounds.
    """
    from scipy.special import ellipj, ellipkm1

    if not 0 < smallest < largest < np.inf:
        return None
    parameter = smallest / largest
    period = ellipkm1(parameter)
    eigenvalues = np.geomspace(smallest, largest, BETWEEN)
    for count in range(8, MOST_SHIFTS + 1, 2):
        sine, cosine, delta, _ = ellipj((np.arange(count) + 0.5) * period / count, 1 - parameter)
        places = smallest * (sine / cosine) ** 2
        weights = 2 * period * np.sqrt(smallest) / (np.pi * count) * delta / cosine**2
        roots = (weights * eigenvalues[:, None] / (eigenvalues[:, None] + places)).sum(1)
        if np.abs(roots / np.sqrt(eigenvalues) - 1).max() < QUADRATURE:
            return places, weights
    return None


def resolvent_trace(blocks: Band, place: float) -> float:
    """``tr (T + s)⁻¹`` of a positive definite T + s.

    Eliminating blocks from both ends leaves at block i the inverse of (T + s)⁻¹'s i-th diagonal block.

    Raises:
        LinAlgError: T + s is not positive definite.
    """
    diagonal, below = blocks
    shifted = [block + place * np.eye(len(block)) for block in diagonal]
    from_start = eliminate(shifted, below)
    from_end = eliminate(shifted[::-1], [block.T for block in below[::-1]])[::-1]
    middles = zip(shifted, from_start, from_end, strict=True)
    return sum(_inverse_trace(first + last - middle) for middle, first, last in middles)


def eliminate(diagonal: list[np.ndarray], below: list[np.ndarray]) -> list[np.ndarray]:
    """What is left of each block of the diagonal when those before it are eliminated.

    Raises:
        LinAlgError: the band is not positive definite.
    """
    from scipy.linalg import lapack

    left = diagonal[:1]
    for block, coupling in zip(diagonal[1:], below, strict=True):
        half, _ = lapack.dtrtrs(_cholesky(left[-1]), coupling.T, lower=1)
        left.append(block - half.T @ half)
    _cholesky(left[-1])  # or the last block could be the one that is not
    return left


def _inverse_trace(block: np.ndarray) -> float:
    """``tr B⁻¹`` of a positive definite block: the squares of its inverted Cholesky factor."""
    from scipy.linalg import lapack

    inverse, _ = lapack.dtrtri(_cholesky(block), lower=1)
    return float(np.vdot(inverse, inverse))


def _cholesky(block: np.ndarray) -> np.ndarray:
    """LAPACK's Cholesky factor, a third of the time of NumPy's for a small block.

    Raises:
        LinAlgError: the block is not positive definite.
    """
    from scipy.linalg import lapack

    factor, failed = lapack.dpotrf(block, lower=1)
    if failed:
        raise np.linalg.LinAlgError("not positive definite")
    return np.asarray(factor)
