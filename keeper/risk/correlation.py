"""Correlation matrices that are valid: the nearest positive definite one to a matrix of assumptions.

Matrices are rows of integers in parts per million, so that every machine reads the same ones. Floating point
serves only the search (basic operations alone, in a fixed order); its result is rounded and then checked in
exact integers.

Reference: N. Higham, "Computing the nearest correlation matrix", IMA Journal of Numerical Analysis 22 (2002),
329-343; the eigenvalues are found by Jacobi's cyclic rotations.
"""

from collections.abc import Sequence
from math import sqrt

from keeper.risk.parameters import PPM

Matrix = tuple[tuple[int, ...], ...]
_Rows = list[list[float]]

_PROJECTIONS = 100
_SWEEPS = 12


def exceeds(matrix: Matrix, floor_ppm: int) -> bool:
    """Whether every eigenvalue of a symmetric matrix is above `floor_ppm`; exact.

    By Sylvester's criterion on the leading minors of matrix - floor * identity, which are the pivots of
    Bareiss' fraction-free elimination.
    """
    rows = [[x - floor_ppm * (i == j) for j, x in enumerate(row)] for i, row in enumerate(matrix)]
    previous = 1
    for k, pivots in enumerate(rows):
        if pivots[k] <= 0:
            return False
        for row in rows[k + 1 :]:
            head = row[k]
            for j in range(k, len(rows)):
                row[j] = (row[j] * pivots[k] - head * pivots[j]) // previous
        previous = pivots[k]
    return True


def least_eigenvalue(matrix: Matrix) -> int:
    """A whole number of ppm below the least eigenvalue and at most one below it; 0 when that is not
    positive.
    """
    low, high = 0, PPM
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if exceeds(matrix, middle) else (low, middle)
    return low


def nearest(matrix: Matrix, floor_ppm: int) -> Matrix:
    """The matrix itself where its eigenvalues exceed `floor_ppm`, else the nearest correlation matrix whose
    do.

    Args:
        matrix: symmetric, ones (1e6) on the diagonal.
        floor_ppm: in [0, 1e6).
    """
    if exceeds(matrix, floor_ppm):
        return matrix
    found = _rounded(_project([[x / PPM for x in row] for row in matrix], floor_ppm / PPM))
    # rounding may leave an eigenvalue just below the floor: shrinking towards the identity raises it
    shrink = 1
    result = found
    while not exceeds(result, floor_ppm):
        result = _shrunk(found, min(shrink, PPM))
        shrink *= 2
    return result


def _rounded(rows: _Rows) -> Matrix:
    n = len(rows)
    return tuple(
        tuple(PPM if i == j else round(rows[min(i, j)][max(i, j)] * PPM) for j in range(n)) for i in range(n)
    )


def _shrunk(matrix: Matrix, share_ppm: int) -> Matrix:
    """Off-diagonal entries less `share_ppm` of themselves, rounded towards zero."""
    kept = PPM - share_ppm
    return tuple(
        tuple(x if i == j else (abs(x) * kept // PPM) * (1 if x > 0 else -1) for j, x in enumerate(row))
        for i, row in enumerate(matrix)
    )


def _project(start: _Rows, floor: float) -> _Rows:
    """Alternating projections with Dykstra's correction on {eigenvalues >= floor} and {unit diagonal}."""
    n = len(start)
    unit = [row[:] for row in start]
    correction = [[0.0] * n for _ in range(n)]
    for _ in range(_PROJECTIONS):
        target = [[unit[i][j] - correction[i][j] for j in range(n)] for i in range(n)]
        raised = _raise_eigenvalues(target, floor)
        correction = [[raised[i][j] - target[i][j] for j in range(n)] for i in range(n)]
        unit = [[1.0 if i == j else raised[i][j] for j in range(n)] for i in range(n)]
    return unit


def _raise_eigenvalues(matrix: _Rows, floor: float) -> _Rows:
    """V max(L, floor) V' of a symmetric matrix V L V'."""
    values, vectors = _eigen(matrix)
    n = len(matrix)
    result = [[0.0] * n for _ in range(n)]
    for k, value in enumerate(values):
        size = value if value > floor else floor
        for i in range(n):
            for j in range(i, n):
                result[i][j] += size * vectors[i][k] * vectors[j][k]
    for i in range(n):
        for j in range(i):
            result[i][j] = result[j][i]
    return result


def _eigen(matrix: _Rows) -> tuple[list[float], _Rows]:
    """Eigenvalues, and eigenvectors as columns."""
    n = len(matrix)
    a = [row[:] for row in matrix]
    vectors = [[1.0 if i == j else 0.0 for j in range(n)] for i in range(n)]
    for _ in range(_SWEEPS):
        for p in range(n - 1):
            for q in range(p + 1, n):
                if a[p][q] != 0.0:
                    _rotate(a, vectors, p, q)
    return [a[i][i] for i in range(n)], vectors


def _rotate(a: _Rows, vectors: _Rows, p: int, q: int) -> None:
    """One rotation that zeroes a[p][q]."""
    theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q])
    t = (1.0 if theta >= 0.0 else -1.0) / (abs(theta) + sqrt(theta * theta + 1.0))
    cosine = 1.0 / sqrt(t * t + 1.0)
    sine = t * cosine
    _turn_columns(a, p, q, cosine, sine)
    a[p], a[q] = _turned(a[p], a[q], cosine, sine)
    _turn_columns(vectors, p, q, cosine, sine)


def _turn_columns(rows: _Rows, p: int, q: int, cosine: float, sine: float) -> None:
    for row in rows:
        row[p], row[q] = cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]


def _turned(
    x: Sequence[float], y: Sequence[float], cosine: float, sine: float
) -> tuple[list[float], list[float]]:
    pairs = list(zip(x, y, strict=True))
    return [cosine * a - sine * b for a, b in pairs], [sine * a + cosine * b for a, b in pairs]
