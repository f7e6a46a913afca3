"""Derive's standard margin against the venue's own cases, which give net margins in whole USD.

Source: github.com/derivexyz/v2-core at 3fcfef9043c8155a3b271a1c21c1aab45b97fdfa,
test/risk-managers/unit-tests/StandardManager/test-cases-portfolio.json, feeds of TestCaseExpiries and
TestStandardManager_Portfolio_Cases; test_general_portfolio at f46a7bc8187b0c29c95c39ea338c6d67e31cb73b.
"""

import math
from typing import NamedTuple

import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Holding, Portfolio, Position
from keeper.presets import derive_srm
from keeper.presets.parameters import load_parameters
from keeper.presets.requirement import Requirement
from keeper.pricing import black76

NOW = 1_672_531_200
DAY = 86_400
# days to expiry, and what the forwards stand above the spot
DATES = {"0104": 3, "0111": 10, "0118": 17, "0227": 57}
ETH_BASIS = {"0104": 0.91345, "0111": 2.83305, "0118": 4.7545, "0227": 15.7696}
BTC_BASIS = {"0104": 12.7883, "0111": 39.66276, "0118": 66.56301, "0227": 220.77451}
ETH, BTC = 2_000.0, 28_000.0

# test/config-test.sol and the base of the test: perps 5 % and 6.5 %
VENUE = {
    "perp": {"*": {"initial": 0.065, "maintenance": 0.05}},
    "option": {
        "*": {
            "min_spot": 0.1,
            "maintenance_call_spot": 0.075,
            "maintenance_put_spot": 0.075,
            "maintenance_put_mark": 0.075,
        }
    },
    "oracle": {
        "*": {
            "perp_threshold": 0.4,
            "option_threshold": 0.4,
            "collateral_threshold": 0.4,
            "factor": 0.4,
        }
    },
    "depeg": {"threshold": 0.98, "factor": 1.2},
    "collateral": {
        "ETH": {"margin_factor": 0.8, "initial_scale": 1.0},
        "BTC": {"margin_factor": 0.8, "initial_scale": 1.0},
    },
}


class Feeds(NamedTuple):
    """What single cases change; `forward` is that of ETH on 18 January."""

    stable: float = 1.0
    spot_confidence: float = 1.0
    perp_confidence: float = 1.0
    confidence: float = 1.0
    forward: float = 2_004.7545


def seconds(date: str) -> int:
    return NOW + DATES[date] * DAY + 8 * 3_600


def market_of(feeds: Feeds) -> MarketState:
    def expiries(spot: float, basis: dict[str, float]) -> dict[int, Expiry]:
        # every vol is 50 %
        return {seconds(d): Expiry(seconds(d), spot + x, vols=((1.0, 0.5),)) for d, x in basis.items()}

    eth = expiries(ETH, ETH_BASIS)
    low = Expiry(seconds("0118"), feeds.forward, vols=((1.0, 0.5),), confidence=feeds.confidence)
    eth[low.expiry] = low
    return MarketState(
        NOW,
        {
            "ETH": Underlying("ETH", ETH, ETH + 1.0, eth, feeds.spot_confidence, feeds.perp_confidence),
            "BTC": Underlying("BTC", BTC, BTC + 20.0, expiries(BTC, BTC_BASIS)),
        },
        feeds.stable,
    )


def option(symbol: str, date: str, strike: float, kind: str, quantity: float) -> Position:
    return Position(symbol, Kind.CALL if kind == "C" else Kind.PUT, quantity, strike, seconds(date))


def eth(date: str, strike: float, kind: str, quantity: float) -> Position:
    return option("ETH", date, strike, kind, quantity)


def btc(date: str, strike: float, kind: str, quantity: float) -> Position:
    return option("BTC", date, strike, kind, quantity)


def perp(symbol: str, quantity: float, entry: float) -> Position:
    return Position(symbol, Kind.PERP, quantity, entry=entry)


CALL = (eth("0118", 2000, "C", -1),)
LONG_PERP = (perp("ETH", 1, 2005),)
GENERAL = Portfolio(
    (
        eth("0104", 7400, "P", -1),
        eth("0118", 7400, "P", -1),
        eth("0118", 2000, "C", -4),
        eth("0118", 2000, "P", 2.1),
        eth("0118", 2500, "C", 14),
        eth("0118", 2500, "P", 32.1),
        eth("0227", 1000, "C", 100),
        btc("0111", 24450, "C", -1.2),
        btc("0111", 24800, "C", 1.2),
        btc("0227", 10000, "P", -11),
        perp("ETH", 2, 2007),
        perp("BTC", -4, 30000),
    ),
    -3522.42,
    (Holding("ETH", 4), Holding("BTC", 19)),
)
TWO_BY_TWO = (
    eth("0118", 2900, "P", 1),
    eth("0118", 3500, "P", -1),
    eth("0227", 3000, "C", -1),
    eth("0227", 3200, "C", 1),
    btc("0118", 35000, "P", 1),
    btc("0118", 38000, "P", -1),
    btc("0111", 36000, "C", -1),
    btc("0111", 40000, "C", 1),
)
# name of the case, portfolio, feeds, net maintenance and initial margin in whole USD
CASES: list[tuple[str, Portfolio, Feeds, int, int]] = [
    ("long_ATM_call", Portfolio((eth("0111", 2000, "C", 1),)), Feeds(), 0, 0),
    ("short_ITM_call", Portfolio((eth("0111", 1500, "C", -1),)), Feeds(), -652, -802),
    ("short_ITM_put", Portfolio((eth("0111", 3000, "P", -2),)), Feeds(), -2294, -2594),
    ("short_OTM_call", Portfolio((eth("0118", 2500, "C", -1),)), Feeds(), -151, -201),
    ("short_OTM_put", Portfolio((eth("0111", 1100, "P", -1),)), Feeds(), -150, -200),
    (
        "short_call_spread_with_MaxLoss",
        Portfolio((eth("0111", 1800, "C", -1), eth("0111", 2000, "C", 1))),
        Feeds(),
        -200,
        -200,
    ),
    (
        "short_call_spread_with_iso_margin",
        Portfolio((eth("0111", 2300, "C", -1), eth("0111", 4000, "C", 1))),
        Feeds(),
        -153,
        -203,
    ),
    (
        "short_put_spread_with_iso_margin",
        Portfolio((eth("0111", 1200, "P", 1), eth("0111", 2000, "P", -1))),
        Feeds(),
        -215,
        -365,
    ),
    ("two_currencies_two_expiries", Portfolio(TWO_BY_TWO), Feeds(), -5855, -6601),
    (
        "short_box",
        Portfolio(
            (
                eth("0111", 1000, "C", -1),
                eth("0111", 1000, "P", 1),
                eth("0111", 2000, "C", 1),
                eth("0111", 2000, "P", -1),
            )
        ),
        Feeds(),
        -1000,
        -1000,
    ),
    ("short_put_with_0_strike_MaxLoss", Portfolio((eth("0118", 100, "P", -1),)), Feeds(), -100, -100),
    ("USDC_depeg", Portfolio((eth("0118", 2000, "P", -1),)), Feeds(stable=0.1), -234, -2496),
    (
        "short_call_spread_with_offset",
        Portfolio((eth("0111", 1100, "C", -1.01), eth("0111", 1200, "C", 1))),
        Feeds(),
        -123,
        -125,
    ),
    (
        "short_eth_call_with_USDC_and_BTC",
        Portfolio(CALL, 10_000.0, (Holding("BTC", 1),)),
        Feeds(),
        32160,
        32010,
    ),
    ("long_ITM_perp", Portfolio((perp("ETH", 1, 1400),)), Feeds(), 500, 470),
    ("short_ATM_perp", Portfolio((perp("ETH", -1, 2000),)), Feeds(), -101, -131),
    ("short_call_low_vol_conf", Portfolio(CALL), Feeds(confidence=0.1), -239, -1109),
    (
        "short_call_low_vol_and_fwd_confidence",
        Portfolio(CALL),
        Feeds(confidence=0.4 - 1e-12, forward=2004.75),
        -239,
        -869,
    ),
    (
        "short_call_low_spot_vol_fwd_confidence",
        Portfolio(CALL),
        Feeds(confidence=0.4, spot_confidence=0.2, forward=2004.75),
        -239,
        -1029,
    ),
    (
        "short_options_two_expiries_low_conf_one_expiry",
        Portfolio((*CALL, eth("0227", 2300, "P", -2))),
        Feeds(confidence=0.3, spot_confidence=0.9, forward=2004.75),
        -1236,
        -2246,
    ),
    ("long_eth_perp_low_perp_confidence", Portfolio(LONG_PERP), Feeds(perp_confidence=0.1), -104, -854),
    (
        "base_asset_low_spot_confidence",
        Portfolio((), collateral=(Holding("ETH", 1),)),
        Feeds(spot_confidence=0.1),
        1600,
        880,
    ),
    ("ITM_put_with_IM_multiple_of_MM", Portfolio((eth("0104", 7400, "P", -1),)), Feeds(), -5804, -6094),
    ("long_perp_and_USDC_depeg", Portfolio(LONG_PERP), Feeds(stable=0.1), -104, -2246),
    (
        "general_portfolio",
        GENERAL,
        Feeds(stable=0.97, confidence=0.4 - 1e-12, spot_confidence=0.2, forward=2004.75),
        394499,
        371310,
    ),
]


def whole(net: float) -> int:
    """Towards zero, as the contract divides; a whole number stands however floats round it."""
    return math.trunc(net + math.copysign(1e-9, net))


def evaluate(portfolio: Portfolio, feeds: Feeds) -> Requirement:
    return derive_srm.evaluate(portfolio, market_of(feeds), load_parameters("derive-srm", VENUE))


@pytest.mark.parametrize(
    ("portfolio", "feeds", "maintenance", "initial"), [x[1:] for x in CASES], ids=[x[0] for x in CASES]
)
def test_evaluate__case_of_the_venue__same_whole_dollars(
    portfolio: Portfolio, feeds: Feeds, maintenance: int, initial: int
) -> None:
    result = evaluate(portfolio, feeds)
    assert whole(result.equity - result.maintenance) == maintenance
    assert whole(result.equity - result.initial) == initial


@pytest.mark.parametrize(
    ("kind", "strike", "share"),
    [("C", 2_100.0, 0.10), ("C", 3_000.0, 0.10), ("C", 1_500.0, 0.15), ("P", 1_950.0, 0.125)],
)
def test_evaluate__isolated_short__formula_to_the_last_digits(kind: str, strike: float, share: float) -> None:
    result = evaluate(Portfolio((eth("0111", strike, kind, -2.0),)), Feeds())
    value = 2.0 * float(
        black76.price(
            is_call=kind == "C",
            forward=ETH + ETH_BASIS["0111"],
            strike=strike,
            years=(seconds("0111") - NOW) / 31_536_000,
            vol=0.5,
        )
    )
    assert math.isclose(result.mark, -value, rel_tol=1e-12)
    # its mark is in equity already
    assert math.isclose(result.maintenance, 2.0 * 0.075 * ETH, rel_tol=1e-12)
    assert math.isclose(result.initial, 2.0 * share * ETH, rel_tol=1e-12)


def test_evaluate__defined_risk__names_the_rule() -> None:
    result = evaluate(Portfolio((eth("0111", 1800, "C", -1), eth("0111", 2000, "C", 1))), Feeds())
    (expiry,) = result.breakdown["initial"]["ETH"]["expiries"]
    assert (expiry["rule"], expiry["margin"]) == ("max loss", -200.0)


def test_evaluate__long_option__gives_nothing() -> None:
    result = evaluate(Portfolio((eth("0111", 2000, "C", 1),)), Feeds())
    assert result.mark > 0.0
    assert result.initial == result.maintenance == result.equity == result.mark
