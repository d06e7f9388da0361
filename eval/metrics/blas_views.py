"""Four routines of BLAS and one of LAPACK on parts of a matrix, in place.

SciPy's own wrappers copy whatever is not a whole array, a tenth of the time of the algorithms in ``root_trace`` and
``band``, which work on ever smaller parts of one. So the routines are called by the addresses that SciPy publishes for
this purpose (``scipy.linalg.cython_blas`` and ``cython_lapack``). Matrices are float64 with columns in one piece: whole
Fortran arrays or parts of them.

NumPy's products would do for some of them, but NumPy brings a BLAS of its own. The threads of both wait busily for a
while after every call, so that two cores taking turns between the libraries are three times slower than one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np


def product(
    first: np.ndarray,
    second: np.ndarray,
    result: np.ndarray | None = None,
    scale: float = 1.0,
    transposed: bool = False,
) -> np.ndarray:
    """``result += scale · first · second`` of [m, k] and [k, n], or of [k, m] and [k, n] with ``firstᵀ``.

    Without a result, in a new one.
    """
    m, k = first.shape[::-1] if transposed else first.shape
    n = second.shape[1]
    assert len(second) == k
    keep = float(result is not None)
    if result is None:
        result = np.empty((m, n), order="F")
    assert result.shape == (m, n)
    _call("dgemm", "T" if transposed else "N", "N", m, n, k, scale, first, second, keep, result)
    return result


def symmetric_product(matrix: np.ndarray, factor: np.ndarray, result: np.ndarray, scale: float = 1.0) -> None:
    """``result = scale · matrix · factor`` of a symmetric [m, m], of which the lower triangle is read, and [m, n]."""
    m, n = factor.shape
    assert matrix.shape == (m, m)
    assert result.shape == (m, n)
    _call("dsymm", "L", "L", m, n, scale, matrix, factor, 0.0, result)


def add_symmetric_update(first: np.ndarray, second: np.ndarray, result: np.ndarray, scale: float = 1.0) -> None:
    """``result += scale · (first · secondᵀ + second · firstᵀ)`` of [n, k], lower triangle of [n, n] only."""
    n, k = first.shape
    assert second.shape == (n, k)
    assert result.shape == (n, n)
    _call("dsyr2k", "L", "N", n, k, scale, first, second, 1.0, result)


def add_symmetric_update_transposed(first: np.ndarray, second: np.ndarray, result: np.ndarray) -> None:
    """``result += firstᵀ · second + secondᵀ · first`` of [k, n], lower triangle of [n, n] only."""
    k, n = first.shape
    assert second.shape == (k, n)
    assert result.shape == (n, n)
    _call("dsyr2k", "L", "T", n, k, 1.0, first, second, 1.0, result)


def multiply_right(triangle: np.ndarray, result: np.ndarray) -> None:
    """``result = result · triangle`` of [m, n] and a lower triangle [n, n]."""
    m, n = result.shape
    assert triangle.shape == (n, n)
    _call("dtrmm", "R", "L", "N", "N", m, n, 1.0, triangle, result)


def multiply_left_transposed(triangle: np.ndarray, result: np.ndarray) -> None:
    """``result = triangleᵀ · result`` of a lower triangle [m, m] and [m, n]."""
    m, n = result.shape
    assert triangle.shape == (m, m)
    _call("dtrmm", "L", "L", "T", "N", m, n, 1.0, triangle, result)


def triangulate(panel: np.ndarray) -> np.ndarray:
    """QR decomposition of [m, n], m ≥ n, with Q = 1 - V T Vᵀ: T [n, n], an upper triangle.

    In ``panel`` stay R, on and above the diagonal, and V below it, whose diagonal is 1.
    """
    m, n = panel.shape
    assert m >= n
    mixing = np.zeros((n, n), order="F")
    _call("dgeqrt3", m, n, panel, mixing, 0)
    return mixing


@cache
def _routine(name: str) -> Callable[..., None]:
    from scipy.linalg import cython_blas, cython_lapack

    capsule = {**cython_blas.__pyx_capi__, **cython_lapack.__pyx_capi__}[name]
    get_name, get_pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    routine: Callable[..., None] = ctypes.CFUNCTYPE(None)(get_pointer(capsule, get_name(capsule)))
    return routine


def _call(name: str, *arguments: str | int | float | np.ndarray) -> None:
    """Call a routine of Fortran: everything by address, a matrix followed by the distance of its columns."""
    passed: list[object] = []
    for value in arguments:
        if isinstance(value, str):
            passed.append(ctypes.c_char_p(value.encode()))
        elif isinstance(value, int):
            passed.append(ctypes.byref(ctypes.c_int(value)))
        elif isinstance(value, float):
            passed.append(ctypes.byref(ctypes.c_double(value)))
        else:
            passed += [ctypes.c_void_p(value.ctypes.data), ctypes.byref(ctypes.c_int(_column_step(value)))]
    _routine(name)(*passed)


def _column_step(matrix: np.ndarray) -> int:
    """Distance of neighbouring columns in numbers."""
    rows, columns = matrix.shape
    assert matrix.dtype == np.float64
    assert rows < 2 or matrix.strides[0] == matrix.itemsize
    step = matrix.strides[1] // matrix.itemsize if columns > 1 else rows
    return int(max(step, rows, 1))
