"""Basis and roll by hand: spot 2000, half a percent, five percent a year where that is more."""

from keeper.markets.instrument import Leg
from keeper.risk.book import book_of
from keeper.risk.methodology import Methodology
from keeper.risk.roll import roll_charges
from keeper.risk.table import build_table
from keeper.units.constants import WAD
from tests.support.flat_market import DAY, NOW, flat_market, future, perp

FUTURES = [future(2, days) for days in (30, 120)]
TABLE = build_table(flat_market(), Methodology.default(), FUTURES)


def test_roll_charges__calendar_of_futures__each_expiry_by_itself() -> None:
    legs = [Leg(perp(2), WAD), *(Leg(i, -2 * WAD) for i in FUTURES)]
    assert roll_charges(book_of(legs, TABLE), TABLE) == {
        (2, 0): 10 * 10**6,
        # .05 * 30 / 365 is below .005
        (2, NOW + 30 * DAY): 20 * 10**6,
        # .05 * 120 / 365 = .016438.., rounded up to parts per million
        (2, NOW + 120 * DAY): 4_000 * 16_439,
    }
