"""Summaries of a backtest made by hand: three days, two books, two models."""

from datetime import date

import numpy as np
import pytest

from keeper.analysis.backtest import BacktestResult
from keeper.analysis.backtest_summary import exceedances, scaled_frontier, summary, totals_with

RESULT = BacktestResult(
    days=(date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)),
    books=("short", "long"),
    models=("wide", "narrow"),
    profit=np.array([[-5.0, 1.0], [-12.0, 0.0], [3.0, -2.0]]),
    maintenance=np.array([[[20.0, 2.0]] * 3, [[10.0, np.nan]] * 3]),
    initial=np.array([[[25.0, 3.0]] * 3, [[12.5, np.nan]] * 3]),
)


def test_exceedances__losses_beyond_maintenance__flagged() -> None:
    assert not exceedances(RESULT, 0).any()
    assert np.flatnonzero(exceedances(RESULT, 1)[:, 0]).tolist() == [1]


def test_summary__book_that_one_model_cannot_hold__left_out_of_totals() -> None:
    found = summary(RESULT)
    assert found["common_books"] == ["short"]
    assert found["models"]["wide"]["total_maintenance"] == 20.0
    assert (found["models"]["wide"]["held"], found["models"]["narrow"]["held"]) == (2, 1)


def test_summary__leaking_book__named_with_its_excess() -> None:
    narrow = summary(RESULT)["models"]["narrow"]
    assert narrow["leaking_books"] == ["short"]
    assert narrow["books"]["short"]["rate"] == pytest.approx(1 / 3)
    assert narrow["books"]["short"]["worst_excess"] == pytest.approx(0.2)


def test_totals_with__two_models__books_both_hold() -> None:
    assert totals_with(RESULT, "wide", "narrow") == (20.0, 10.0, 1)


def test_scaled_frontier__margins_halved__rate_rises() -> None:
    points = scaled_frontier(RESULT, [1.0, 0.5])["wide"]
    assert [p["total"] for p in points] == [20.0, 10.0]
    assert [p["worst_rate"] for p in points] == [0.0, pytest.approx(1 / 3)]
