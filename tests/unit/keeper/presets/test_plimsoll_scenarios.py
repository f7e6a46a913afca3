"""Scenario names in words, held against the scan's own names."""

import re

import pytest

from keeper.markets.instrument import Instrument, Kind
from keeper.presets.plimsoll_scenarios import scenario_text
from keeper.pricing.market import ExpiryMarket, Market, UnderlyingMarket
from keeper.risk.margin import build_table
from keeper.risk.methodology import Methodology

METHODOLOGY = Methodology.default()
SYMBOLS = {1: "BTC", 2: "ETH"}
RANGE = {u: METHODOLOGY.spot(u).range_ppm / 1e4 for u in SYMBOLS}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("grid -10/10 vol down", f"BTC {-RANGE[1]:.1f} %, ETH {-RANGE[2]:.1f} %, vols down"),
        ("grid +5/10 vol flat", f"BTC {RANGE[1] / 2:+.1f} %, ETH {RANGE[2] / 2:+.1f} %, vols unmoved"),
        ("grid +0/10 vol up", "spots unmoved, vols up"),
        ("tilt-down at +0.0", "spots unmoved, vols above the forward down, below it up"),
        ("something new", "something new"),
    ],
)
def test_scenario_text__of_a_name__its_words(name: str, text: str) -> None:
    assert scenario_text(name, SYMBOLS, METHODOLOGY) == text


def test_scenario_text__tail__says_what_counts() -> None:
    weight = 100 * METHODOLOGY.scan.tail_share_ppm / 1e6 * RANGE[1] / 66
    text = scenario_text("tail -660000ppm vol up", {1: "BTC"}, METHODOLOGY)
    assert text == f"BTC -66 % counted at {weight:.0f} %, vols up"


def test_scenario_text__every_scenario_of_a_table__has_words() -> None:
    call = Instrument(1, 1_751_011_200, 80_000 * 10**8, Kind.CALL).pack()
    expiry = ExpiryMarket(1_751_011_200, 81_000 * 10**8, (20 * 10**9, 10**11, 0, 0, 3 * 10**11))
    spot = 80_000 * 10**8
    market = Market(1_744_113_600, (UnderlyingMarket(1, spot, spot, (expiry,)),))
    for group in build_table(market, METHODOLOGY, [call]).groups.values():
        for scenario in group.scenarios:
            text = scenario_text(scenario.name, {1: "BTC"}, METHODOLOGY)
            assert re.match(r"(BTC [+-]\d|spots unmoved)", text), scenario.name
