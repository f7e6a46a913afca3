"""Outliers of a few values."""

import pytest

from keeper.sources.outliers import Bound, is_outlier, limit

BOUND = Bound(hard=200.0, calm=10.0, deviations=6.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([100.0], [False]),
        ([100.0, 400.0], [False, False]),  # 150 from the middle each: inside, and who is wrong is not known
        ([100.0, 600.0], [True, True]),
        ([100.0, 101.0, 400.0], [False, False, True]),
        ([100.0, 101.0, 111.0], [False, False, False]),  # 10 away is calm, however close the others are
        ([100.0, 101.0, 112.0], [False, False, True]),
        ([0.0, 40.0, 80.0, 120.0, 260.0], [False, False, False, False, False]),
        ([0.0, 40.0, 80.0, 120.0, 281.0], [False, False, False, False, True]),  # 201 away: the hard bound
    ],
)
def test_is_outlier__known_values__those_too_far(values: list[float], expected: list[bool]) -> None:
    assert is_outlier(values, BOUND) == expected


def test_limit__spread_of_the_values__robust_deviations() -> None:
    # median 5, deviations 5, 1, 0, 2, 3: their median is 2
    assert limit([0.0, 4.0, 5.0, 7.0, 8.0], BOUND) == pytest.approx(6 * 1.4826 * 2)
