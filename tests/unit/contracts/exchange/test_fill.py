from dataclasses import replace

import boa
import pytest

from keeper.exchange.order import Fill, Leg, nonce_of
from keeper.units.constants import SCOPE_TRADE, WAD
from tests.support.keys import address_for, key_of

from .conftest import BAND, CALL, CASH, LEG, LIMITS, MAKER, MAKER_RATE, PRICE, SPOT8, TAKER, TAKER_RATE

OWNER_OF_TAKER = address_for(key_of("taker"))


def test_fill__mirrored_orders__trades_and_logs(pair):
    pair.fill(units=2, nonce=9)

    quantity = 2 * LEG
    notional = quantity * SPOT8 // 10**8
    maker_fee, taker_fee = notional * MAKER_RATE // WAD, notional * TAKER_RATE // WAD
    maker_hash, taker_hash = pair.maker.struct_hash(), pair.taker.struct_hash()
    action = Fill(maker_hash, taker_hash, 2, CASH, 9).struct_hash()
    band = SPOT8 * 10**10 * BAND // WAD
    signers = address_for(key_of("maker")), address_for(key_of("taker"))
    assert tuple(pair.venue.last()) == (
        MAKER, TAKER, [(CALL, quantity, PRICE, band, LIMITS)], maker_fee, taker_fee, *signers, action
    )  # fmt: skip
    (event,) = pair.exchange.get_logs()
    assert (event.maker, event.taker) == (MAKER, TAKER)
    assert (event.makerHash, event.takerHash) == (maker_hash, taker_hash)
    assert (event.units, event.price) == (2, CASH)
    assert (event.makerFee, event.takerFee, event.fillNonce, event.seq) == (maker_fee, taker_fee, 9, 101)
    assert pair.exchange.seq() == 1  # no event of its own but the fees' at deployment
    assert pair.exchange.filled(MAKER, pair.maker.nonce) == 2
    assert pair.exchange.filled(TAKER, pair.taker.nonce) == 2


def test_fill__selling_maker__receives_cash(pair):
    sell = {"legs": (Leg(CALL, -LEG),), "limit": -CASH}
    buy = {"legs": (Leg(CALL, LEG),), "limit": CASH}
    pair.fill(price=-CASH, maker=sell, taker=buy)

    assert [tuple(fill)[:3] for fill in pair.venue.last().fills] == [(CALL, -LEG, PRICE)]


def test_fill__operator_signs__accepted(pair):
    pair.venue.set_operator(MAKER, address_for(key_of("operator")), SCOPE_TRADE)
    pair.fill(maker_role="operator")

    assert pair.venue.trades() == 1


@pytest.mark.parametrize("side", ["maker", "taker"])
def test_fill__stranger_signs__reverts(pair, side):
    with boa.reverts("clearing: signer may not trade"):
        pair.fill(**{f"{side}_role": "stranger"})


def test_fill__signed_for_another_contract__reverts(pair):
    other = boa.load("contracts/exchange/Exchange.vy", *[pair.venue.address] * 3, MAKER_RATE, TAKER_RATE)
    pair.exchange, signed_for = other, pair.exchange
    pair.sign = lambda order, role: type(pair).sign(replace(pair, exchange=signed_for), order, role)
    with boa.reverts("clearing: signer may not trade"):
        pair.fill()


def test_fill__high_s__reverts(pair):
    # the compact form has no room for the mirrored s of an honest signature: only this sliver is left
    pair.sign = lambda order, role: b"\x11" * 32 + (2**255 - 1).to_bytes(32, "big")
    with boa.reverts("ecdsa: invalid signature `s` value"):
        pair.fill()


def test_fill__flipped_parity__reverts(pair):
    honest = type(pair).sign

    def flipped(order, role):
        signature = honest(pair, order, role)
        return signature[:32] + bytes([signature[32] ^ 128]) + signature[33:]

    pair.sign = flipped
    with boa.reverts("clearing: signer may not trade"):
        pair.fill()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"maker": {"account": TAKER}}, "exchange: same account"),
        ({"maker": {"legs": ()}}, "exchange: no legs"),
        ({"maker": {"legs": (Leg(CALL, 0),)}}, "exchange: empty leg"),
        ({"maker": {"flags": 16}}, "exchange: unknown flag"),
        ({"taker": {"flags": 128}}, "exchange: unknown flag"),
        ({"maker": {"limit": CASH - 1}}, "exchange: price beyond limit"),
        ({"taker": {"limit": -CASH - 1}}, "exchange: price beyond limit"),
        ({"maker": {"units": 2**128}}, "exchange: units too many"),
        ({"units": 0}, "exchange: units beyond order"),
        ({"units": 5}, "exchange: units beyond order"),
        ({"units": 2**256 - 1}, "exchange: units beyond order"),
        ({"taker": {"legs": (Leg(CALL + 1, -LEG),)}}, "clearing: signer may not trade"),
        ({"taker": {"legs": (Leg(CALL, LEG),)}}, "clearing: signer may not trade"),
        ({"taker": {"legs": (Leg(CALL, -LEG - 1),)}}, "clearing: signer may not trade"),
        ({"prices": []}, "exchange: one price per leg"),
        ({"prices": [PRICE, 0]}, "exchange: one price per leg"),
        ({"prices": [PRICE + 10]}, "exchange: prices do not add up"),
        ({"maker": {"taker": address_for(key_of("maker"))}}, "exchange: taker not allowed"),
        ({"taker": {"taker": OWNER_OF_TAKER}}, "exchange: taker not allowed"),
        ({"maker": {"max_fee": 0}}, "exchange: fee above limit"),
        ({"taker": {"max_fee": 0}}, "exchange: fee above limit"),
    ],
)
def test_fill__bad_order__reverts(pair, changes, reason):
    with boa.reverts(reason):
        pair.fill(**changes)


def test_fill__restricted_to_the_counterpart__accepted(pair):
    pair.fill(maker={"taker": OWNER_OF_TAKER})

    assert pair.venue.trades() == 1


def test_fill__at_expiry_and_after__accepted_then_refused(pair):
    boa.env.evm.patch.timestamp = pair.maker.expiry
    pair.fill()
    boa.env.evm.patch.timestamp = pair.maker.expiry + 1
    with boa.reverts("exchange: order expired"):
        pair.fill()


def test_fill__price_not_a_multiple_of_the_quantity__reverts(pair):
    third = 3 * 10**17
    legs = {"maker": {"legs": (Leg(CALL, third),)}, "taker": {"legs": (Leg(CALL, -third),), "limit": 0}}
    cash = 10**16 + 1
    for price in (cash * WAD // third, cash * WAD // third + 1):
        with boa.reverts("exchange: prices do not add up"):
            pair.fill(price=cash, prices=[price], **legs)


def test_fill__buyer_is_paid__reverts(pair):
    with boa.reverts("exchange: prices do not add up"):
        pair.fill(price=-CASH, taker={"limit": CASH})


def test_fill__not_tradable__reverts(pair):
    pair.venue.refuse(CALL, 2 * LEG, PRICE)
    with boa.reverts("markets: not tradable"):
        pair.fill(units=2)
    pair.fill(units=1)


def test_fill__clearing_house_refuses__reverts_with_its_reason(pair):
    pair.venue.close()
    with boa.reverts("clearing: paused"):
        pair.fill()


def test_fill__evidence_and_statement__pass_through_unread(pair):
    evidence = [(1, b"\x01" * 6144), (255, b"\x02")]
    pair.fill(evidence=evidence, statement=b"\x03" * 6656)

    assert pair.venue.shown() == (*evidence, b"\x03" * 6656)


def test_fill__selector_spelled_out__is_the_interfaces(pair):
    """The double has IClearinghouse's functions, so a fill that reaches it used the same selector."""
    pair.fill()

    assert pair.venue.trades() == 1


def test_fill__partial_fills__share_units_and_fee_limit(pair):
    fee = LEG * SPOT8 // 10**8 * MAKER_RATE // WAD
    exact = {"maker": {"max_fee": 10 * fee}}
    pair.fill(units=3, nonce=0, **exact)
    pair.fill(units=1, nonce=1, **exact)
    assert pair.exchange.filled(MAKER, pair.maker.nonce) == 4
    with boa.reverts("exchange: units beyond order"):
        pair.fill(units=1, nonce=2, **exact)  # the taker's four units are used
    with boa.reverts("exchange: fee above limit"):
        pair.fill(units=1, maker={"max_fee": 10 * fee - 1}, taker={"nonce": nonce_of(9, 0)})


def test_fill__higher_generation__resets_the_slot(pair):
    pair.fill(units=4)
    later = nonce_of(0, 1)
    pair.fill(units=4, taker={"nonce": later})
    assert pair.exchange.filled(TAKER, later) == 4
    with boa.reverts("exchange: order dead"):
        pair.fill(units=1)


def test_fill__no_fee_limit__does_not_overflow(pair):
    pair.fill(maker={"max_fee": 2**256 - 1}, taker={"max_fee": 2**256 - 1})

    assert pair.venue.trades() == 1


def test_fill__odd_notional__rounds_fees_up(pair):
    dust = 10**10  # the least quantity, at a spot that leaves a remainder
    legs = {"maker": {"legs": (Leg(CALL, dust),)}, "taker": {"legs": (Leg(CALL, -dust),), "limit": 0}}
    pair.exchange.set_fees(1, 1)
    pair.fill(price=0, prices=[0], **legs)

    assert pair.venue.last().makerFee == 1
    assert pair.venue.last().takerFee == 1
