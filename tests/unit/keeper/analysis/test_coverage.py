"""Tests of exceedances against published figures."""

import numpy as np
import pytest

from keeper.analysis.coverage import acerbi_szekely, coverage, independence, kupiec, zone


@pytest.mark.parametrize(
    ("exceedances", "expected"),
    [(0, "green"), (4, "green"), (5, "yellow"), (9, "yellow"), (10, "red")],
)
def test_zone__250_days_at_one_percent__basel_table(exceedances: int, expected: str) -> None:
    # Basel Committee, 1996, table 2: green to 4, yellow 5 to 9, red from 10
    assert zone(exceedances, 250, 0.01) == expected


@pytest.mark.parametrize(
    ("days", "level", "first", "last"),
    [
        # Kupiec, 1995, as in P. Jorion, "Value at Risk", 3rd ed., table 6-2: non-rejection regions N at 5 %,
        # such as N < 7 of 255 days at 1 %, 1 < N < 11 of 510, 4 < N < 17 of 1000
        (255, 0.01, 0, 6),
        (510, 0.01, 2, 10),
        (1000, 0.01, 5, 16),
        # and 6 < N < 21 of 255 days at 5 %, 37 < N < 65 of 1000
        (255, 0.05, 7, 20),
        (1000, 0.05, 38, 64),
    ],
)
def test_kupiec__table_of_jorion__region_not_rejected(days: int, level: float, first: int, last: int) -> None:
    kept = [n for n in range(days) if kupiec(n, days, level).p_value > 0.05]
    assert (min(kept) if first else 0, max(kept)) == (first, last)


def test_kupiec__jp_morgan_1998__rejected() -> None:
    # Jorion, example: 20 exceedances of 252 days at 5 %: LR = 3.91, beyond 3.84
    found = kupiec(20, 252, 0.05)
    assert found.statistic == pytest.approx(3.91, abs=0.005)
    assert found.p_value < 0.05


def test_independence__clustered_exceedances_of_jorion__statistic() -> None:
    # Jorion, table 6-5: of 252 days 20 with an exceedance; 6 follow one, 14 follow none, 218 none after none
    hits = np.zeros(252, dtype=np.bool_)
    position = 5
    for length in [2] * 6 + [1] * 8:
        hits[position : position + length] = True
        position += length + 12
    assert (int(hits.sum()), int(np.sum(hits[1:] & hits[:-1]))) == (20, 6)
    # by hand: p01 = 14 / 231, p11 = 6 / 20, p = 20 / 251
    assert independence(hits).statistic == pytest.approx(9.53, abs=0.05)


def test_independence__no_exceedance__nothing_to_reject() -> None:
    assert independence(np.zeros(100, dtype=np.bool_)).p_value == 1.0


def test_coverage__loss_at_the_requirement__no_exceedance() -> None:
    found = coverage(np.array([1.0, 5.0, 7.0]), np.array([2.0, 5.0, 5.0]), 0.01)
    assert (found.days, found.exceedances, found.rate) == (3, 1, pytest.approx(1 / 3))
    assert found.worst_excess == pytest.approx(0.4)


def test_coverage__conditional__sum_of_both() -> None:
    losses = np.where(np.arange(500) % 50 == 0, 2.0, 0.0)
    found = coverage(losses, np.ones(500), 0.01)
    assert found.conditional.statistic == found.kupiec.statistic + found.independence.statistic


def test_acerbi_szekely__normal_losses_and_right_figures__near_zero() -> None:
    losses = np.random.default_rng(7).standard_normal(200_000)
    # standard normal at 2.5 %: quantile 1.95996, tail mean 2.33780
    ones = np.ones_like(losses)
    assert acerbi_szekely(losses, 1.95996 * ones, 2.33780 * ones, 0.025) == pytest.approx(0.0, abs=0.03)
    assert acerbi_szekely(losses, 1.3 * ones, 1.4 * ones, 0.025) > 1.0
