"""The core margin: the largest charge, and basis, roll and proportional add-ons on top."""

from keeper.markets.instrument import Kind, Leg
from keeper.risk.book import book_of, with_spot
from keeper.risk.core import core_detail, core_of
from keeper.risk.greeks_charge import smile_charge
from keeper.risk.table import build_table
from keeper.units.constants import WAD
from tests.support.flat_market import flat_market, option, perp
from tests.support.round_methodology import round_methodology

METHODOLOGY = round_methodology()
CALL = option(2, 30, 2_000, Kind.CALL)
TABLE = build_table(flat_market(), METHODOLOGY, [CALL])


def test_core_of__one_perp__scan_and_roll() -> None:
    core = core_of(book_of([Leg(perp(2), WAD)], TABLE), TABLE)
    # .18 and .14 and .005 of 2000; the square root of the delta charge rounds up
    assert (core.scan, core.roll) == (360 * 10**6, 10 * 10**6)
    assert 280 * 10**6 <= core.greeks.total <= 280 * 10**6 + 3
    # and .005 of it for funding and the perpetual's index
    assert core.addons.total == 10 * 10**6
    assert (core.total, core.binding) == (380 * WAD, "scan")


def test_core_of__known_smile__same_margin() -> None:
    book = book_of([Leg(CALL, -3 * WAD)], TABLE)
    smile = smile_charge(book.exposures.values(), TABLE.tenors, METHODOLOGY)
    hedged = with_spot(book, 2, WAD, TABLE)
    assert core_of(hedged, TABLE, smile) == core_of(hedged, TABLE)


def test_core_detail__empty_book__nothing_charged() -> None:
    book = book_of([], TABLE)
    detail = core_detail(core_of(book, TABLE), book, [], TABLE)
    assert (detail["core"], detail["scan"], detail["roll"]) == ("0", [], {})
    assert detail["greeks"]["charge"] == "0"
