"""Correlations between expiries: two tenors by hand, and positive definiteness for any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.risk import tenors
from keeper.risk.methodology import Methodology

METHODOLOGY = Methodology.default()
NOW, DAY = 1_750_000_000, 86_400
UNIT = tenors.CORRELATION_UNIT


def build(*seconds: int) -> tenors.Tenors:
    return tenors.build(NOW, [NOW + s for s in seconds], METHODOLOGY.greeks, METHODOLOGY.roll)


def test_build__thirty_days_against_perp__kernels_of_one_thirtieth() -> None:
    found = build(30 * DAY)
    assert found.expiries == (0, NOW + 30 * DAY)
    # .95 + .05 / 30
    assert found.delta[0][1] / UNIT == pytest.approx(0.9516666666666667, rel=1e-14)
    # .3 + .7 * (1/30)**.25, with 30**.25 = 2.34034731932072
    assert found.vega[0][1] / UNIT == pytest.approx(0.3 + 0.7 / 2.34034731932072, rel=1e-13)
    # .9516667**2 - .9025
    assert found.curvature[0][1] / UNIT == pytest.approx(0.0031694444444444, rel=1e-11)
    assert found.curvature[0][0] / UNIT == pytest.approx(0.0975, rel=1e-12)
    # max(.5 %, 5 % * 30 / 365 = .41 %): flat
    assert found.roll_ppm == (5_000, 5_000)


def test_build__a_year__roll_by_the_year() -> None:
    assert build(365 * DAY).roll_ppm[1] == 50_000


def test_build__tenors_below_the_horizon__count_as_the_horizon() -> None:
    found = build(60, 3_600, -5)
    assert all(entry >= UNIT for row in found.delta for entry in row)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 400 * DAY), min_size=1, max_size=16))
def test_build__any_expiries__positive_definite(seconds: list[int]) -> None:
    found = build(*seconds)
    for rows in (found.delta, found.vega, found.curvature):
        matrix = np.array(rows, dtype=object)
        assert (matrix == matrix.T).all()
        # LDL' in whole numbers is exact; NumPy's eigenvalues are good to 1e-15 of the largest
        assert np.linalg.eigvalsh(matrix.astype(np.float64) / UNIT)[0] > -1e-14


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(DAY, DAY + 40), min_size=2, max_size=8),
    st.lists(st.integers(-(10**15), 10**15), min_size=9, max_size=9),
)
def test_build__nearly_equal_expiries__exact_forms_are_never_negative(
    seconds: list[int], values: list[int]
) -> None:
    # weights that sum to zero make the form as small as it gets: here rounding would show
    found = build(*seconds)
    weights = values[: len(found.expiries)]
    weights[-1] -= sum(weights)
    for rows in (found.delta, found.vega, found.curvature):
        form = sum(x * y * rows[i][j] for i, x in enumerate(weights) for j, y in enumerate(weights))
        assert form >= 0
