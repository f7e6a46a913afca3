"""Proportional add-ons by hand on a market of round numbers: ETH at 2000, vol .60."""

from dataclasses import replace

import pytest

from keeper.markets.instrument import Kind, Leg
from keeper.risk.addons import LINEAR, Addons
from keeper.risk.book import book_of, with_spot
from keeper.risk.methodology import Methodology
from keeper.risk.table import RiskTable, build_table
from keeper.units.constants import WAD
from tests.support.flat_market import flat_market, future, option, perp

METHODOLOGY = Methodology.default()
CALL, PUT = (option(2, 30, 2_000, kind) for kind in (Kind.CALL, Kind.PUT))
OTHER_STRIKE, OTHER_EXPIRY = option(2, 30, 2_100, Kind.PUT), option(2, 120, 2_000, Kind.PUT)
FUTURE = future(2, 30)
INSTRUMENTS = [CALL, PUT, OTHER_STRIKE, OTHER_EXPIRY, FUTURE]
TABLE = build_table(flat_market(), METHODOLOGY, INSTRUMENTS)


def addons(*legs: tuple[int, int], table: RiskTable = TABLE) -> Addons:
    return book_of([Leg(i, q * WAD) for i, q in sorted(legs)], table).addons


def doubtful(confidence_ppm: int) -> RiskTable:
    market = flat_market()
    eth = replace(market.underlyings[1], confidence_ppm=confidence_ppm)
    unsure = replace(market, underlyings=(market.underlyings[0], eth, market.underlyings[2]))
    return build_table(unsure, METHODOLOGY, INSTRUMENTS)


@pytest.mark.parametrize(
    ("legs", "shorts"),
    [
        ([(CALL, -1)], 1),
        ([(CALL, -1), (PUT, -2)], 3),
        ([(CALL, -2), (PUT, 1)], 1),  # a short call and a long put at one strike are a short future
        ([(CALL, 3), (PUT, -1)], 0),
        ([(CALL, -1), (OTHER_STRIKE, 5)], 1),
        ([(PUT, -1), (OTHER_EXPIRY, 1), (FUTURE, -1)], 1),
        ([(CALL, 1), (PUT, 1)], 0),
    ],
)
def test_naked__shorts_per_strike__three_per_mille_of_spot_each(
    legs: list[tuple[int, int]], shorts: int
) -> None:
    assert addons(*legs).naked == shorts * 6 * 10**6


def test_perps__either_side__half_a_percent_of_the_notional() -> None:
    assert addons((perp(2), -3)).perps == addons((perp(2), 3)).perps == 30 * 10**6
    assert addons((FUTURE, -3)).perps == 0


def test_perps__coins_beside_them__hedge_nothing() -> None:
    book = book_of([Leg(perp(2), -3 * WAD)], TABLE)
    assert with_spot(book, 2, 3 * WAD, TABLE).addons == book.addons


@pytest.mark.parametrize(("confidence", "charge"), [(550_000, 0), (549_999, 450_001), (200_000, 800_000)])
def test_confidence__below_the_threshold__missing_share_of_the_notional(confidence: int, charge: int) -> None:
    found = addons((CALL, -1), (perp(2), 2), table=doubtful(confidence))
    assert found.confidence == pytest.approx(charge * 3 * 2_000, abs=2)


def test_confidence__other_underlying__untouched() -> None:
    assert addons((perp(1), 1), table=doubtful(0)).confidence == 0


def test_spreads__perp_future_and_option__by_bucket() -> None:
    found = addons((perp(2), -1), (FUTURE, 1), (CALL, -1)).spreads
    tenor = TABLE.unit(FUTURE).tenor
    assert found[2, 0, LINEAR] == pytest.approx(0.0002 * 2_000e6, abs=1)
    assert found[2, tenor, LINEAR] == pytest.approx(0.0005 * 2_000e6, abs=1)
    # unit Greeks of test_greeks: vega * vol = 136.741, delta 1068.5394
    assert found[2, tenor, 1] == pytest.approx((0.03 * 136.741 + 0.0002 * 1_068.5394) * 1e6, rel=1e-5)
    assert len(found) == 3


def test_spreads__wing__half_as_wide_again() -> None:
    far = option(2, 30, 2_600, Kind.CALL)
    table = build_table(flat_market(), METHODOLOGY, [far])
    wider = replace(METHODOLOGY, liquidity=replace(METHODOLOGY.liquidity, wing_ppm=1_000_000, delta_ppm=0))
    narrow = build_table(flat_market(), wider, [far]).unit(far).addons.spread
    of_delta = 0.0002 * abs(table.unit(far).rates[0])
    assert table.unit(far).addons.spread == pytest.approx(1.5 * narrow + of_delta, rel=1e-9)


def test_detail__any_book__names_the_parts() -> None:
    assert addons((CALL, -1), (perp(2), 1)).detail() == {
        "naked_shorts": "6000000",
        "perps": "10000000",
        "confidence": "0",
    }
