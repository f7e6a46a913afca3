"""Daily closes: the shipped table, files, and markets on them."""

from datetime import date
from math import exp, log, sqrt
from pathlib import Path

import numpy as np
import pytest

from keeper.analysis.history import PriceHistory, from_files, parse_files, recorded
from keeper.analysis.history_market import MarketHistory, profits
from keeper.analysis.volatility_model import SurfacePath, surface_paths
from keeper.markets.instrument import Kind
from keeper.portfolio.portfolio import Holding, Portfolio, Position
from keeper.pricing import svi

DAY = 86_400
HISTORY = recorded()


def test_recorded__known_days__facts() -> None:
    # Binance spot closes: SOL lost 42 % on 9 November 2022; bitcoin 37 % on 12 March 2020
    index = HISTORY.index_of(date(2022, 11, 9))
    before, after = HISTORY.closes[index - 1 : index + 1, HISTORY.symbols.index("SOL")]
    assert after / before - 1 == pytest.approx(-0.42, abs=0.005)
    index = HISTORY.index_of(date(2020, 3, 12))
    assert HISTORY.listed(index) == ("BTC", "ETH")
    assert HISTORY.closes[index, 0] / HISTORY.closes[index - 1, 0] - 1 == pytest.approx(-0.37, abs=0.005)


def test_recorded__span__five_joint_years_with_sources() -> None:
    assert (HISTORY.first_joint_day(), HISTORY.days[-1]) == (date(2020, 8, 11), date(2025, 4, 30))
    assert len(HISTORY) == (HISTORY.days[-1] - HISTORY.days[0]).days + 1
    assert "MIT" in HISTORY.source
    assert HISTORY.close_time(0) == 1_503_014_400  # 2017-08-18T00:00:00Z


def test_from_files__two_daily_files__joined_with_gaps_filled(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("date,close\n2024-01-01,10\n2024-01-02,11\n2024-01-04,12\n")
    (tmp_path / "b.csv").write_text("date,close\n2024-01-02,5\n2024-01-03,6\n2024-01-04,7\n2024-01-05,8\n")
    found = from_files(parse_files([f"btc={tmp_path / 'a.csv'}", f"ETH={tmp_path / 'b.csv'}"]))
    assert found.symbols == ("BTC", "ETH")
    assert found.days == tuple(date(2024, 1, n) for n in (1, 2, 3, 4))
    assert found.closes[:, 0].tolist() == [10, 11, 11, 12]
    assert np.isnan(found.closes[0, 1])


def test_parse_files__no_symbol__one_sentence() -> None:
    with pytest.raises(ValueError, match="is not SYMBOL=FILE"):
        parse_files(["prices.csv"])


def test_surface_paths__through_crashes__no_arbitrage() -> None:
    paths = surface_paths(HISTORY)
    crash = HISTORY.index_of(date(2020, 3, 12))
    for index in [*range(400, len(HISTORY), 211), crash, HISTORY.index_of(date(2022, 11, 9))]:
        for symbol in HISTORY.listed(index):
            slices = [paths[symbol].smile(index, days / 365) for days in (1, 2, 3, 7, 14, 30, 60, 90, 180)]
            assert svi.arbitrage(slices) == []


def test_surface_paths__recorded_vols__near() -> None:
    # Deribit, 21 October 2021: bitcoin at the money .875, .905, .919 and .970 at 16, 37, 72 and 158 days
    path, index = surface_paths(HISTORY)["BTC"], HISTORY.index_of(date(2021, 10, 21))
    for days, vol in ((16, 0.875), (37, 0.905), (72, 0.919), (158, 0.970)):
        years = days / 365
        assert sqrt(path.total_variance(index, years) / years) == pytest.approx(vol, abs=0.08)


def test_smile__svi_of_ssvi__at_the_money_and_slope() -> None:
    path = SurfacePath(
        *(np.full(1, x) for x in (0.36, 0.36, 0.36, -0.3, 0.0)), wings=0.8, fast_days=5.0, slow_days=90.0
    )
    smile, theta = path.smile(0, 0.25), 0.09
    assert path.total_variance(0, 0.25) == pytest.approx(theta)
    # SSVI (Gatheral and Jacquier, 2014, definition 4.1) by its own formula
    phi, rho = 0.8 / sqrt(theta), -0.3
    for k in (-0.4, 0.0, 0.3):
        expected = theta / 2 * (1 + rho * phi * k + sqrt((phi * k + rho) ** 2 + 1 - rho**2))
        assert float(svi.total_variance(parameters=smile, log_moneyness=k)) == pytest.approx(expected)


def flat_history(*closes: float) -> tuple[PriceHistory, MarketHistory]:
    days = tuple(date(2024, 1, 1 + n) for n in range(len(closes)))
    history = PriceHistory(days, ("BTC",), np.array(closes)[:, None], "")
    path = SurfacePath(
        *(np.full(len(closes), x) for x in (0.25, 0.25, 0.25, 0.0, 0.0)), wings=0.1, fast_days=5, slow_days=90
    )
    return history, MarketHistory(history, {"BTC": path})


def test_profits__perp_future_expiring_option_and_coins__by_hand() -> None:
    history, markets = flat_history(100.0, 90.0)
    tomorrow = history.close_time(1)
    before, after = markets.market(0, [tomorrow]), markets.market(1, [tomorrow])
    put = Position("BTC", Kind.PUT, -2.0, 95.0, tomorrow)
    books = [
        Portfolio((Position("BTC", Kind.PERP, 3.0, entry=100.0),)),
        Portfolio((Position("BTC", Kind.FUTURE, -1.0, expiry=tomorrow, entry=100.0),)),
        Portfolio((put,)),
        Portfolio((), collateral=(Holding("BTC", 0.5),)),
    ]
    found = profits(books, before, after)
    vol = before.underlying("BTC").expiry(tomorrow).vol(95.0, 1 / 365)
    total = vol * sqrt(1 / 365)
    d1 = log(100 / 95) / total + total / 2

    def normal(x: float) -> float:
        from statistics import NormalDist

        return NormalDist().cdf(x)

    price = 95 * normal(total - d1) - 100 * normal(-d1)
    assert found.tolist() == pytest.approx([-30.0, 10.0, 2.0 * (price - 5.0), -5.0])


def test_market__carry__forward_grows_with_time() -> None:
    history, _ = flat_history(100.0, 100.0)
    path = SurfacePath(*(np.full(2, x) for x in (0.25, 0.25, 0.25, 0.0, 0.1)), 0.5, 5.0, 90.0)
    expiry = history.close_time(0) + 73 * DAY
    market = MarketHistory(history, {"BTC": path}).market(0, [expiry], {"BTC": 1.5})
    assert market.underlying("BTC").expiry(expiry).forward == pytest.approx(100 * exp(0.1 / 5))
    assert market.underlying("BTC").volatility_scale == 1.5
