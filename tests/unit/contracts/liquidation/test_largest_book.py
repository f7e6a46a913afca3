"""An account with the most legs is flagged, brought up to date and bid on, each in one transaction."""

import boa

from keeper.units import constants as c
from tests.support.auctions import WAD, call, put, unit
from tests.support.clearing import HALF_TRANSACTION

STRIKES = range(1_000, 1_000 + 25 * 64, 25)
BOOK = sorted([call(k) for k in STRIKES] + [put(k) for k in STRIKES])
FREE = [unit(i, 0) for i in BOOK]


def middle(hall, account):
    """Of the bracket, which narrows as time passes."""
    bounds = hall.value(account)
    return (bounds.low + bounds.high) // 2


def write_all(hall, seller, other):
    """The seller writes a little of every option, for nothing."""
    for batch in (BOOK[:64], BOOK[64:]):
        stated = [hall.margin(a, mark_to_market=middle(hall, a)) for a in (seller, other)]
        hall.post(*stated, units=FREE)
        hall.refresh(seller, other)
        for instrument in batch:
            hall.trade(seller, other, instrument, -WAD // 10, 0)


def used(hall):
    """Gas of the last call of the auction house, under half of what a transaction may use."""
    gas = hall.on.house._computation.get_gas_used()
    assert gas < HALF_TRANSACTION
    return gas


def test_largest_book__flagged_updated_and_sold_in_two_bids(hall):
    seller, other = hall.open("seller", 50_000), hall.open("other", 1_000_000)
    buyer, second = hall.open("buyer", 1_000_000), hall.open("second", 1_000_000)
    write_all(hall, seller, other)
    assert hall.state(seller).legCount == c.MAX_LEGS

    def stated():
        mark = middle(hall, seller)
        worth = hall.cash(seller) + mark
        return hall.margin(
            seller, mark_to_market=mark, initial_margin=2 * worth, maintenance_margin=worth + WAD
        )

    hall.post(stated(), units=FREE)
    hall.refresh(buyer, second)
    hall.flag(seller)
    assert used(hall) < 500_000
    first = hall.bid(seller, buyer, WAD // 4)
    assert used(hall) < 4_500_000
    assert (first.fraction, hall.state(buyer).legCount) == (WAD // 4, c.MAX_LEGS)

    hall.post(stated(), units=FREE)
    hall.refresh(second)
    hall.update(seller)
    used(hall)
    last = hall.bid(seller, second)
    used(hall)
    assert last.fraction < WAD
    assert hall.state(seller).legCount == c.MAX_LEGS
    assert not hall.state(seller).frozen
    for instrument in BOOK[::16]:
        assert sum(hall.position(a, instrument) for a in hall.owners) == 0


def test_buyer__more_legs_than_fit__refused(hall):
    seller, other = hall.open("seller", 50_000), hall.open("other", 1_000_000)
    write_all(hall, seller, other)
    extra = call(2_000 + 5)
    hall.post(
        *[hall.margin(a, mark_to_market=middle(hall, a)) for a in (seller, other)],
        units=[*FREE, unit(extra, 0)],
    )
    buyer, writer = hall.open("buyer", 1_000_000), hall.open("writer", 1_000_000)
    hall.post(
        *[hall.margin(a, mark_to_market=middle(hall, a)) for a in (seller, other)],
        units=[*FREE, unit(extra, 0)],
    )
    hall.refresh(buyer, writer)
    hall.trade(writer, buyer, extra, WAD, 0)
    mark = middle(hall, seller)
    worth = hall.cash(seller) + mark
    margins = hall.margin(
        seller, mark_to_market=mark, initial_margin=2 * worth, maintenance_margin=worth + WAD
    )
    rest = [hall.margin(a, mark_to_market=middle(hall, a)) for a in (other, buyer, writer)]
    hall.post(margins, *rest, units=[*FREE, unit(extra, 0)])
    hall.refresh(buyer)
    hall.flag(seller)
    with boa.reverts("clearing: too many legs"):
        hall.bid(seller, buyer)
