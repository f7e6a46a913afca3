"""Several trades of one taker with one margin check per account."""

import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import ACTION, CALL, HEADROOM, PUT, WAD, Deal, Side
from tests.support.house import events


@pytest.fixture
def makers(pair):
    """Three accounts with records, beside the taker."""
    house = pair.house
    numbers = [house.open(f"maker {i}", 10_000) for i in range(3)]
    house.post(*(house.margin(number) for number in (*numbers, pair.taker)))
    for number in (*numbers, pair.taker):
        house.refresh(number)
    return numbers


def send(pair, trades, taker=HEADROOM, shown=(CALL,), **changes):
    """The module brings trades."""
    house = pair.house
    statement = house.statement(taker, instruments=shown)
    return house.clearing.trade_many(
        trades, taker.evidence(), statement, sender=changes.get("sender", house.contracts.module)
    )


def trades_of(pair, makers, *deals):
    """One trade with each maker."""
    return [deal.values(n, pair.taker, pair.house.owners) for n, deal in zip(makers, deals, strict=True)]


def test_trade_many__three_makers__books_all(pair, makers):
    house = pair.house
    deals = [Deal(CALL, (i + 1) * WAD, (100 + i) * WAD, (-WAD, 2 * WAD)) for i in range(3)]
    taker = house.state(pair.taker)
    expected = [house.after(number, deal) for number, deal in zip(makers, deals, strict=True)]

    last = send(pair, trades_of(pair, makers, *deals))

    changes = events(house.clearing, "PositionChanged")
    assert [event.account for event in changes] == [n for maker in makers for n in (maker, pair.taker)]
    assert changes[-1].seq == house.clearing.totals().seq == last
    house.known.add(CALL)
    for number, state in zip(makers, expected, strict=True):
        after = house.state(number)
        assert (after.cash, after.positions, after.book_hash) == (
            state.cash,
            state.positions,
            state.book_hash,
        )
        assert (after.added_im, after.added_mark) == (state.added_im, state.added_mark)
    after = house.state(pair.taker)
    assert after.positions == {CALL: -6 * WAD}
    assert after.cash == taker.cash + (100 + 202 + 306 - 6) * WAD
    assert house.clearing.totals().fees == 3 * WAD
    assert house.clearing.open_interest(CALL) == 6 * WAD


@pytest.mark.parametrize("way", [c.WAY_LEAF, c.WAY_REPORT, c.WAY_WORST_CASE])
def test_trade_many__taker_by_another_way__passes(pair, makers, way):
    house, deals = pair.house, [Deal(PUT, -WAD), Deal(PUT, WAD)]
    after = house.after(pair.taker, deals[0], taker=True)
    house.known.add(PUT)
    flat = [Deal(PUT, -WAD), Deal(PUT, WAD)]
    stated = house.epoch.leaves[pair.taker]
    side = {
        c.WAY_LEAF: Side(c.WAY_LEAF, [PUT], stated, house.epoch.proof(stated)),
        c.WAY_REPORT: house.easy(pair.taker, flat[0]),
        c.WAY_WORST_CASE: Side(c.WAY_WORST_CASE, [PUT]),
    }[way]
    assert after.positions == {PUT: WAD}

    send(pair, trades_of(pair, makers[:1], flat[0]), side, (PUT,))

    assert house.state(pair.taker).positions == {PUT: WAD}


def test_trade_many__one_maker_short_of_margin__reverts_all(pair, makers):
    house = pair.house
    deals = [Deal(CALL, -WAD), Deal(CALL, -40 * WAD), Deal(CALL, -WAD)]

    with boa.reverts("gate: below initial margin"):
        send(pair, trades_of(pair, makers, *deals))
    assert house.clearing.open_interest(CALL) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("none", "clearing: no trades"),
        ("taker", "clearing: takers differ"),
        ("instrument", "clearing: instruments differ"),
        ("legs", "clearing: instruments differ"),
        ("sender", "clearing: not a module"),
        ("band", "clearing: price outside its band"),
    ],
)
def test_trade_many__bad_argument__reverts(pair, makers, change, reason):
    house = pair.house
    trades = trades_of(pair, makers, *[Deal(CALL, WAD, 100 * WAD, band=WAD)] * 3)
    maker, taker, fills, *others = trades[2]
    trades[2] = {
        "taker": (maker, makers[0], fills, *others),
        "instrument": (maker, taker, [(PUT, *fills[0][1:])], *others),
        "legs": (maker, taker, [*fills, (PUT, *fills[0][1:])], *others),
        "band": (maker, taker, [(CALL, WAD, 102 * WAD, *fills[0][3:])], *others),
    }.get(change, trades[2])
    if change == "none":
        trades = []
    sender = boa.env.generate_address() if change == "sender" else house.contracts.module

    with boa.reverts(reason):
        send(pair, trades, sender=sender)


def test_trade_many__action_of_the_first__is_what_a_report_names(pair, makers):
    house, deal = pair.house, Deal(CALL)
    side = house.easy(pair.taker, deal)
    (trade,) = trades_of(pair, makers[:1], deal)
    statement = house.statement(side, instruments=[CALL], action=b"\x01" * 32)

    with boa.reverts("quorum: wrong signer"):
        house.clearing.trade_many([trade], side.evidence(), statement, sender=house.contracts.module)
    assert trade[-1] == ACTION
