"""Margin modes: pockets are separate accounts, and separating never lowers the core margin."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.markets.instrument import Kind, Leg
from keeper.portfolio.portfolio import MarginMode
from keeper.risk.collateral import Collateral
from keeper.risk.margin import account_margin
from keeper.risk.methodology import Methodology
from keeper.risk.modes import pocket_margins, pocket_of
from keeper.risk.table import build_table
from keeper.units.constants import WAD
from tests.support.flat_market import DAY, NOW, flat_market, future, option, perp

METHODOLOGY = Methodology.default()
CALL, FAR_PUT = option(2, 30, 2_000, Kind.CALL), option(2, 120, 1_800, Kind.PUT)
INSTRUMENTS = sorted([CALL, FAR_PUT, option(1, 30, 80_000, Kind.PUT), future(1, 30), future(2, 30)])
TABLE = build_table(flat_market(), METHODOLOGY, INSTRUMENTS)
COINS = Collateral(1, 2, 1_000, 500, WAD)
QUANTUM = METHODOLOGY.quantum_e8 * 10**10

books = st.dictionaries(
    st.sampled_from(sorted(TABLE.units)), st.integers(-10_000, 10_000).filter(bool), min_size=1
).map(lambda book: [Leg(i, q * 10**15) for i, q in sorted(book.items())])


def test_pocket_of__each_mode__what_it_tells_apart() -> None:
    assert pocket_of(CALL, MarginMode.CROSS) == (0, 0)
    assert pocket_of(CALL, MarginMode.ISOLATED_UNDERLYING) == (2, 0)
    assert pocket_of(CALL, MarginMode.ISOLATED_EXPIRY) == (2, NOW + 30 * DAY)


def test_pocket_margins__cross__one_account() -> None:
    legs = [Leg(perp(1), WAD), Leg(CALL, -WAD)]
    found = pocket_margins(legs, TABLE, MarginMode.CROSS, 1, {(0, 0): [COINS]})
    whole = account_margin(legs, TABLE, 1, [COINS])
    assert (found.initial, found.maintenance, found.mark) == (whole.initial, whole.maintenance, whole.mark)


def test_pocket_margins__by_underlying__collateral_stays_in_its_pocket() -> None:
    legs = [Leg(perp(1), -WAD), Leg(CALL, -WAD)]
    found = pocket_margins(legs, TABLE, MarginMode.ISOLATED_UNDERLYING, 0, {(2, 0): [COINS]})
    assert found.pockets[1, 0].initial == account_margin(legs[:1], TABLE).initial
    assert found.pockets[2, 0].initial == account_margin(legs[1:], TABLE, 0, [COINS]).initial
    assert set(found.breakdown()) == {"1:0", "2:0"}


def test_pocket_margins__by_expiry__calendar_spread_offsets_nothing() -> None:
    legs = [Leg(CALL, -WAD), Leg(FAR_PUT, WAD)]
    found = pocket_margins(legs, TABLE, MarginMode.ISOLATED_EXPIRY)
    assert found.initial == sum(account_margin([leg], TABLE).initial for leg in legs)


def test_pocket_margins__collateral_without_legs__refused() -> None:
    with pytest.raises(LookupError, match="modes: no legs in pocket"):
        pocket_margins([Leg(CALL, WAD)], TABLE, MarginMode.ISOLATED_UNDERLYING, 0, {(1, 0): [COINS]})


@settings(max_examples=60, deadline=None)
@given(books, st.sampled_from([MarginMode.ISOLATED_UNDERLYING, MarginMode.ISOLATED_EXPIRY]))
def test_pocket_margins__any_book__core_no_less_than_across(legs: list[Leg], mode: MarginMode) -> None:
    pockets = pocket_margins(legs, TABLE, mode).pockets.values()
    across = account_margin(legs, TABLE).core
    assert across <= sum(p.core for p in pockets) + 4 * QUANTUM * (len(legs) + 8)
