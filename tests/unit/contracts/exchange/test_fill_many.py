"""One taker's order against several makers' orders, in one transaction."""

from dataclasses import replace

import boa
import pytest

from keeper.attestation.evidence import NO_STATEMENT
from keeper.exchange.order import Batch, Fill, Flag, Leg, mirrored, nonce_of
from keeper.units.constants import WAD
from tests.support.keys import address_for, key_of

from .conftest import CALL, CASH, HEADROOM, LEG, MAKER, MAKER_RATE, PRICE, SPOT8, TAKER, TAKER_RATE

SECOND = 9
EVIDENCE = (2, b"\x01\x02")
MOST = 8


@pytest.fixture
def book(pair):
    """Three resting orders, two of them of one maker, and a taker for ten units."""
    pair.venue.set_owner(SECOND, address_for(key_of("second")))
    makers = [
        pair.maker,
        replace(pair.maker, account=SECOND, nonce=nonce_of(0, 0)),
        replace(pair.maker, nonce=nonce_of(4, 0)),
    ]
    taker = replace(pair.taker, units=10)
    return pair, makers, taker


def role_of(order):
    return "second" if order.account == SECOND else "maker"


def match_of(pair, order, units=2, price=CASH, prices=(PRICE,), nonce=0):
    """IExchange.Match."""
    return order.terms(), pair.sign(order, role_of(order)), units, price, list(prices), nonce


def fill_many(pair, makers, taker, matches=None, evidence=HEADROOM, statement=NO_STATEMENT, legs=None):
    matches = (
        [match_of(pair, order, nonce=n) for n, order in enumerate(makers)] if matches is None else matches
    )
    legs = [leg.values() for leg in (legs or mirrored(taker.legs))]
    pair.exchange.fill_many(legs, taker.terms(), pair.sign(taker, "taker"), matches, evidence, statement)


def test_fill_many__three_makers__trades_once_and_logs_each(book):
    pair, makers, taker = book
    fill_many(pair, makers, taker, evidence=EVIDENCE, statement=b"\x05")

    logs = pair.exchange.get_logs()
    hashes = [order.struct_hash() for order in makers]
    fills = tuple(Fill(h, taker.struct_hash(), 2, CASH, n) for n, h in enumerate(hashes))
    notional = 2 * LEG * SPOT8 // 10**8
    trades = pair.venue.batch()
    assert [trade.maker for trade in trades] == [MAKER, SECOND, MAKER]
    assert {trade.taker for trade in trades} == {TAKER}
    assert {trade.action for trade in trades} == {Batch(fills).struct_hash()}
    assert {trade.makerFee for trade in trades} == {notional * MAKER_RATE // WAD}
    assert {trade.takerFee for trade in trades} == {notional * TAKER_RATE // WAD}
    assert [trade.makerSigner for trade in trades] == [address_for(key_of(role_of(m))) for m in makers]
    assert {trade.takerSigner for trade in trades} == {address_for(key_of("taker"))}
    assert [tuple(trade.fills[0])[:3] for trade in trades] == [(CALL, 2 * LEG, PRICE)] * 3
    assert pair.venue.shown()[1:] == (EVIDENCE, b"\x05")

    assert [(log.maker, log.makerHash, log.fillNonce) for log in logs] == [
        (order.account, h, n) for n, (order, h) in enumerate(zip(makers, hashes, strict=True))
    ]
    assert {(log.taker, log.takerHash, log.units, log.price, log.seq) for log in logs} == {
        (TAKER, taker.struct_hash(), 2, CASH, 103)
    }
    assert pair.exchange.filled(TAKER, taker.nonce) == 6
    assert [pair.exchange.filled(order.account, order.nonce) for order in makers] == [2, 2, 2]


def test_fill_many__own_price_each__within_both_limits(book):
    pair, makers, taker = book
    taker = replace(taker, limit=-CASH // 2)
    matches = [match_of(pair, makers[0]), match_of(pair, makers[1], price=CASH // 2, prices=[PRICE // 2])]
    fill_many(pair, makers, taker, matches)

    assert [trade.fills[0].price for trade in pair.venue.batch()] == [PRICE, PRICE // 2]
    with boa.reverts("exchange: price beyond limit"):
        fill_many(pair, makers, replace(taker, limit=-CASH, nonce=nonce_of(1, 0)), matches)


def test_fill_many__one_order_twice__adds_up(book):
    pair, makers, taker = book
    fill_many(pair, [makers[0], makers[0]], taker)
    assert pair.exchange.filled(MAKER, makers[0].nonce) == 4
    with boa.reverts("exchange: units beyond order"):
        fill_many(pair, [], taker, [match_of(pair, makers[0], 3), match_of(pair, makers[0], 4)])


def test_fill_many__nothing__reverts(book):
    pair, makers, taker = book
    with boa.reverts("exchange: units beyond order"):
        fill_many(pair, [], taker)
    with boa.reverts("exchange: units beyond order"):
        fill_many(pair, [], taker, [match_of(pair, makers[0], 2), match_of(pair, makers[1], 0)])


def test_fill_many__more_than_the_taker_wants__reverts(book):
    pair, makers, taker = book
    with boa.reverts("exchange: units beyond order"):
        fill_many(pair, makers, replace(taker, units=5))


def test_fill_many__eight_makers__fit_and_nine_do_not_decode(book):
    pair, makers, taker = book
    taker = replace(taker, units=9)
    orders = [replace(makers[0], nonce=nonce_of(n, 0)) for n in range(MOST + 1)]
    fill_many(pair, [], taker, [match_of(pair, order, 1) for order in orders[:MOST]])
    assert pair.venue.trades() == MOST
    with pytest.raises(boa.BoaError):
        fill_many(pair, [], taker, [match_of(pair, order, 1) for order in orders])


def test_fill_many__own_order__reverts(book):
    pair, makers, taker = book
    with boa.reverts("exchange: same account"):
        fill_many(pair, [replace(makers[0], account=TAKER)], taker)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"flags": Flag.FILL_OR_KILL}, "exchange: immediate order as maker"),
        ({"flags": 16}, "exchange: unknown flag"),
        ({"expiry": 0}, "exchange: order expired"),
        ({"taker": "0x" + "11" * 20}, "exchange: taker not allowed"),
        ({"matcher": "0x" + "11" * 20}, "exchange: not the matcher"),
        ({"max_fee": 0}, "exchange: fee above limit"),
    ],
)
def test_fill_many__one_bad_maker__nothing_trades(book, change, reason):
    pair, makers, taker = book
    with boa.reverts(reason):
        fill_many(pair, [makers[0], replace(makers[1], **change)], taker)
    assert pair.venue.trades() == 0


def test_fill_many__maker_signed_other_legs__reverts(book):
    pair, makers, taker = book
    with boa.reverts("clearing: signer may not trade"):
        fill_many(pair, [replace(makers[0], legs=(Leg(CALL, 2 * LEG),))], taker)


def test_fill_many__fee_limit_of_the_taker__covers_all(book):
    pair, makers, taker = book
    fee = 10 * LEG * SPOT8 // 10**8 * TAKER_RATE // WAD
    with boa.reverts("exchange: fee above limit"):
        fill_many(pair, makers, replace(taker, max_fee=fee - 1))
    fill_many(pair, makers, replace(taker, max_fee=fee))


def test_fill_many__fill_or_kill__counts_all_makers(book):
    pair, makers, taker = book
    with boa.reverts("exchange: not the whole order"):
        fill_many(pair, makers, replace(taker, flags=Flag.FILL_OR_KILL))
    fill_many(pair, makers, replace(taker, units=6, flags=Flag.FILL_OR_KILL))


def test_fill_many__immediate_or_cancel__rest_is_dead(book):
    pair, makers, taker = book
    taker = replace(taker, flags=Flag.IMMEDIATE_OR_CANCEL)
    fill_many(pair, makers, taker)
    with boa.reverts("exchange: order dead"):
        fill_many(pair, makers, taker)


def test_fill_many__post_only_taker__reverts(book):
    pair, makers, taker = book
    with boa.reverts("exchange: post-only order as taker"):
        fill_many(pair, makers, replace(taker, flags=Flag.POST_ONLY))


def test_fill_many__reduce_only_maker__counts_its_earlier_fills(book):
    """The maker's first order shrinks the position that the second may reduce."""
    pair, makers, taker = book
    makers[2] = replace(makers[2], flags=Flag.REDUCE_ONLY)
    pair.venue.set_position(MAKER, CALL, -4 * LEG + 1)
    with boa.reverts("exchange: does not reduce"):
        fill_many(pair, makers, taker)
    pair.venue.set_position(MAKER, CALL, -4 * LEG)
    fill_many(pair, makers, taker)


def test_fill_many__reduce_only_taker__counts_all_makers(book):
    pair, makers, taker = book
    taker = replace(taker, flags=Flag.REDUCE_ONLY)
    pair.venue.set_position(TAKER, CALL, 6 * LEG - 1)
    with boa.reverts("exchange: does not reduce"):
        fill_many(pair, makers, taker)
    pair.venue.set_position(TAKER, CALL, 6 * LEG)
    fill_many(pair, makers, taker)
