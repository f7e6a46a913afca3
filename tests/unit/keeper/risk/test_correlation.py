"""The nearest correlation matrix: a closed case, and NumPy as an independent judge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.risk.correlation import Matrix, exceeds, least_eigenvalue, nearest
from keeper.risk.parameters import PPM


def symmetric(n: int, upper: list[int]) -> Matrix:
    rows = [[PPM] * n for _ in range(n)]
    places = [(i, j) for i in range(n) for j in range(i + 1, n)]
    for (i, j), value in zip(places, upper, strict=True):
        rows[i][j] = rows[j][i] = value
    return tuple(tuple(row) for row in rows)


matrices = st.integers(2, 8).flatmap(
    lambda n: st.lists(st.integers(-PPM, PPM), min_size=n * (n - 1) // 2, max_size=n * (n - 1) // 2).map(
        lambda upper: symmetric(n, upper)
    )
)


def eigenvalues(matrix: Matrix) -> np.ndarray:
    return np.linalg.eigvalsh(np.array(matrix, dtype=np.float64) / PPM)


def test_nearest__higham_2002_tridiagonal_example__its_published_solution() -> None:
    # Higham (2002), section 4: the nearest correlation matrix to [[1, 1, 0], [1, 1, 1], [0, 1, 1]]
    result = nearest(((PPM, PPM, 0), (PPM, PPM, PPM), (0, PPM, PPM)), 0)
    assert np.array(result) / PPM == pytest.approx(
        np.array([[1.0, 0.7607, 0.1573], [0.7607, 1.0, 0.7607], [0.1573, 0.7607, 1.0]]), abs=6e-5
    )


def test_nearest__valid_matrix__unchanged() -> None:
    matrix = symmetric(3, [700_000, 500_000, 500_000])
    assert nearest(matrix, 50_000) is matrix


def test_nearest__two_assets_correlated_beyond_the_floor__as_high_as_it_allows() -> None:
    # eigenvalues of [[1, g], [g, 1]] are 1 - g and 1 + g
    result = nearest(symmetric(2, [PPM]), 50_000)
    assert result[0][1] == pytest.approx(950_000, abs=2)
    assert result[0][1] < 950_000


@settings(max_examples=60, deadline=None)
@given(matrices, st.sampled_from([0, 50_000]))
def test_nearest__two_to_eight_assets__valid_and_no_worse_than_shrinking(matrix: Matrix, floor: int) -> None:
    result = nearest(matrix, floor)
    assert all(row[i] == PPM for i, row in enumerate(result))
    assert all(result[i][j] == result[j][i] for i in range(len(result)) for j in range(i))
    assert exceeds(result, floor)
    assert eigenvalues(result)[0] > floor / PPM - 1e-12
    # the feasible point that shrinking the off-diagonal reaches is never nearer
    least = float(eigenvalues(matrix)[0])
    keep = min(1.0, (1.0 - floor / PPM) / (1.0 - least)) if least < 1.0 else 1.0
    exact = np.array(matrix, dtype=np.float64) / PPM
    shrunk = np.where(np.eye(len(matrix)) > 0, 1.0, exact * keep)
    assert np.linalg.norm(np.array(result) / PPM - exact) <= np.linalg.norm(shrunk - exact) + 1e-4


@settings(max_examples=60, deadline=None)
@given(matrices)
def test_exceeds__against_numpy__agrees_away_from_the_boundary(matrix: Matrix) -> None:
    least = float(eigenvalues(matrix)[0])
    if abs(least - 0.1) > 1e-9:
        assert exceeds(matrix, 100_000) == (least > 0.1)


@settings(max_examples=30, deadline=None)
@given(matrices)
def test_least_eigenvalue__against_numpy__within_one_part_per_million(matrix: Matrix) -> None:
    found, least = least_eigenvalue(matrix), float(eigenvalues(matrix)[0]) * PPM
    assert found == pytest.approx(max(least, 0.0), abs=1.001)
