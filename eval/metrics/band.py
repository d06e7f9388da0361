"""Traces of ``M^½`` and ``M^-½`` of a large symmetric matrix, without its eigenvalues.

Orthogonal transformations reduce M to a band T of blocks, in products of large matrices (first half of Bischof, Lang
and Sun 2000, ACM TOMS 26:581), and

    tr T^½ = Σ_j w_j tr T (T + s_j)⁻¹         tr T^-½ = Σ_j w_j tr (T + s_j)⁻¹

is summed over a dozen or two shifts s_j (Hale, Higham and Trefethen 2008, SIAM J. Numer. Anal. 46:2505, method 3),
each of which costs next to nothing for a band.
"""

from __future__ import annotations

import numpy as np

from eval.metrics import blas_views as blas

BLOCK = 64  # width of the band; products of thinner blocks are slower, inverses of wider ones
QUADRATURE = 1e-11  # relative error of the roots
FINER = 4.0  # steps in which the smallest eigenvalue is looked for
MOST_SHIFTS = 64  # a hundredth of the time of singular values each
BETWEEN = 200  # eigenvalues at which that error is measured

Band = tuple[list[np.ndarray], list[np.ndarray]]  # blocks of the diagonal, and those below


def root_sums(matrix: np.ndarray) -> tuple[float, float] | None:
    """``tr M^½`` and ``tr M^-½`` of a symmetric matrix, of which the lower triangle is read and which is destroyed.

    None where it is singular or too ill-conditioned for shifts.
    """
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


def band(matrix: np.ndarray, block: int = BLOCK) -> Band:
    """Band of blocks with the eigenvalues of a symmetric matrix, which is destroyed.

    Args:
        matrix: float64 [D, D] in Fortran's order, of which the lower triangle is read.
        block: width.

    Returns:
        Blocks [block, block] of the diagonal, symmetric, and those below; the first ones may be smaller.
    """
    diagonal, below = [], []
    first = len(matrix) % block or block
    starts = [0, *range(first, len(matrix), block)]
    for start, stop in zip(starts, [*starts[1:], len(matrix)], strict=True):
        corner = np.tril(matrix[start:stop, start:stop])
        diagonal.append(np.asfortranarray(corner + np.tril(corner, -1).T))
        if stop < len(matrix):
            panel = matrix[stop:, start:stop]
            mixing = blas.triangulate(panel)
            width = stop - start
            below.append(np.zeros((min(block, len(panel)), width)))
            below[-1][:width] = np.triu(panel[:width])
            vectors = panel.copy(order="F")
            vectors[:width] = np.tril(panel[:width], -1) + np.eye(width)
            _reflect(matrix[stop:, stop:], vectors, mixing)
    return diagonal, below


def _reflect(matrix: np.ndarray, vectors: np.ndarray, mixing: np.ndarray) -> None:
    """Qᵀ · matrix · Q of a symmetric [m, m] in place, lower triangle only."""
    mixed = blas.product(vectors, mixing)
    product = np.empty_like(mixed, order="F")
    blas.symmetric_product(matrix, mixed, product)
    overlaps = blas.product(mixed, product, transposed=True)
    blas.product(vectors, overlaps, product, scale=-0.5)
    blas.add_symmetric_update(vectors, product, matrix, -1.0)


def _smallest_eigenvalue(blocks: Band) -> float:
    """A bound from below, at most FINER times too small.

    Raises:
        LinAlgError: an eigenvalue is not positive.
    """
    diagonal, below = blocks
    bound = 1 / resolvent_trace(blocks, 0.0)
    while True:
        try:
            eliminate([_shifted(block, -FINER * bound) for block in diagonal], below)
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
    shifted = [_shifted(block, place) for block in diagonal]
    from_start = eliminate(shifted, below)
    from_end = eliminate(shifted[::-1], [block.T for block in below[::-1]])[::-1]
    middles = zip(shifted, from_start, from_end, strict=True)
    return sum(_inverse_trace(first + last - middle) for middle, first, last in middles)


def _shifted(block: np.ndarray, place: float) -> np.ndarray:
    """``block + place`` times the identity."""
    shifted = block.copy(order="F")
    np.einsum("ii->i", shifted)[...] += place
    return shifted


def eliminate(diagonal: list[np.ndarray], below: list[np.ndarray]) -> list[np.ndarray]:
    """What is left of each block of the diagonal when those before it are eliminated: the lower triangles.

    Raises:
        LinAlgError: the band is not positive definite.
    """
    from scipy.linalg import blas as whole
    from scipy.linalg import lapack

    left = diagonal[:1]
    for block, coupling in zip(diagonal[1:], below, strict=True):
        half, _ = lapack.dtrtrs(_cholesky(left[-1]), coupling.T, lower=1)
        left.append(whole.dsyrk(-1.0, half, beta=1.0, c=block, trans=1, lower=1))
    _cholesky(left[-1])  # or the last block could be the one that is not
    return left


def _inverse_trace(block: np.ndarray) -> float:
    """``tr B⁻¹`` of a positive definite block, of which the lower triangle is read."""
    from scipy.linalg import lapack

    inverse, _ = lapack.dtrtri(_cholesky(block), lower=1)
    return float(np.square(inverse).sum())


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
