"""Orders: nonces, which changes change the hash, and what two packages trade."""

from dataclasses import replace

import pytest

from keeper.exchange.order import (
    Batch,
    Fill,
    Leg,
    LegFill,
    Order,
    contract_signature,
    fee_of,
    fill_arguments,
    fills_of,
    is_reduction,
    mirrored,
    nonce_of,
    require_mirrored,
    signature_bytes,
)
from keeper.units.constants import WAD

ORDER = Order(account=7, legs=(Leg(5, -3),), units=10, limit=-45, max_fee=1, nonce=3, expiry=9)
CHANGES = [
    {"account": 8},
    {"legs": (Leg(5, 3),)},
    {"legs": (Leg(6, -3),)},
    {"units": 11},
    {"limit": 45},
    {"max_fee": 2},
    {"nonce": 4},
    {"expiry": 10},
    {"taker": "0x" + "11" * 20},
    {"matcher": "0x" + "11" * 20},
    {"flags": 1},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_struct_hash__one_field_changed__differs(change):
    assert replace(ORDER, **change).struct_hash() != ORDER.struct_hash()


def test_nonce_of__slot_and_generation__lie_side_by_side():
    assert nonce_of(slot=3, generation=5) == 5 * 256 + 3
    assert nonce_of(slot=3, generation=5, series=2) == (2 << 32 | 5) << 8 | 3
    assert nonce_of(slot=255, generation=2**32 - 1, series=2**24 - 1) == 2**64 - 1


@pytest.mark.parametrize(
    "parts", [(256, 0, 0), (-1, 0, 0), (0, 2**32, 0), (0, -1, 0), (0, 0, 2**24), (0, 0, -1)]
)
def test_nonce_of__out_of_range__raises(parts):
    with pytest.raises(ValueError, match="out of range"):
        nonce_of(*parts)


# Several legs


SPREAD = (Leg(5, 2 * 10**17), Leg(6, -(10**17)))
LEG_PRICES = [3 * WAD, 8 * WAD]
CREDIT = -2 * 10**17  # 0.2 * 3 - 0.1 * 8


@pytest.mark.parametrize(
    "legs",
    [
        SPREAD[:1],
        SPREAD[::-1],
        (*SPREAD, Leg(7, 1)),
        (SPREAD[0], Leg(6, 10**17)),
        (SPREAD[0], Leg(7, -(10**17))),
    ],
)
def test_struct_hash__legs_changed__differs(legs):
    package = replace(ORDER, legs=SPREAD)
    assert replace(ORDER, legs=legs).struct_hash() != package.struct_hash()


def test_mirrored__twice__is_the_same():
    assert mirrored(SPREAD) == (Leg(5, -2 * 10**17), Leg(6, 10**17))
    assert mirrored(mirrored(SPREAD)) == SPREAD


def test_fills_of__credit_spread__maker_side_in_order():
    found = fills_of(SPREAD, 7, CREDIT, LEG_PRICES)

    assert found == (LegFill(5, 14 * 10**17, 3 * WAD), LegFill(6, -7 * 10**17, 8 * WAD))
    assert sum(fill.quantity * fill.price for fill in found) == 7 * CREDIT * WAD


@pytest.mark.parametrize(
    ("legs", "price", "prices", "reason"),
    [
        ((), 0, [], "no legs"),
        (tuple(Leg(i, 1) for i in range(1, 6)), 0, [0] * 5, "too many legs"),
        (SPREAD, CREDIT, LEG_PRICES[:1], "one price per leg"),
        (SPREAD[::-1], CREDIT, LEG_PRICES[::-1], "legs not ascending"),
        (SPREAD[:1] * 2, CREDIT, LEG_PRICES, "legs not ascending"),
        ((Leg(5, 0),), 0, [0], "empty leg"),
        (SPREAD, CREDIT, [-WAD, 0], "price sign"),
        (SPREAD, CREDIT + 1, LEG_PRICES, "prices do not add up"),
        (SPREAD, CREDIT, [3 * WAD + 1, 8 * WAD], "prices do not add up"),
        (SPREAD, -CREDIT, LEG_PRICES, "prices do not add up"),
    ],
)
def test_fills_of__order_that_does_not_hold__raises(legs, price, prices, reason):
    with pytest.raises(ValueError, match=f"exchange: {reason}"):
        fills_of(legs, 1, price, prices)


@pytest.mark.parametrize("mirror", [SPREAD, mirrored(SPREAD)[:1], mirrored(SPREAD)[::-1], ()])
def test_require_mirrored__other_legs__raises(mirror):
    require_mirrored(SPREAD, mirrored(SPREAD))
    with pytest.raises(ValueError, match="exchange: legs do not mirror"):
        require_mirrored(SPREAD, mirror)


def test_fill_arguments__pair__sends_the_makers_legs_once():
    maker = replace(ORDER, legs=SPREAD, matcher="0x" + "22" * 20, flags=2)
    taker = replace(ORDER, account=8, legs=mirrored(SPREAD))
    found = fill_arguments(maker, b"m", taker, b"t", 3, CREDIT, LEG_PRICES, 9)

    assert found[0] == [leg.values() for leg in SPREAD]
    assert found[1] == (maker.values()[0], *maker.values()[2:])
    assert found[2:] == (b"m", taker.terms(), b"t", 3, CREDIT, LEG_PRICES, 9)


def test_batch__order_of_fills__changes_the_hash():
    fills = Fill(b"\1" * 32, b"\2" * 32, 1, 2, 3), Fill(b"\4" * 32, b"\2" * 32, 1, 2, 3)
    assert Batch(fills).struct_hash() != Batch(fills[::-1]).struct_hash()
    assert Batch(fills[:1]).struct_hash() != fills[0].struct_hash()


def test_signature_bytes__key_and_contract__as_the_exchange_reads_them():
    assert signature_bytes((b"\x11" * 32, 1 << 255 | 5)) == b"\x11" * 32 + b"\x80" + b"\0" * 30 + b"\5"
    assert contract_signature("0x" + "ab" * 20, b"\1\2") == b"\xab" * 20 + b"\1\2"
    with pytest.raises(ValueError, match="reads as a key's"):
        contract_signature("0x" + "ab" * 20, bytes(44))


@pytest.mark.parametrize(
    ("held", "change", "expected"),
    [
        (5, -5, True),
        (5, -6, False),
        (5, 1, False),
        (-5, 5, True),
        (-5, 6, False),
        (-5, -1, False),
        (0, 1, False),
    ],
)
def test_is_reduction__towards_zero_and_not_beyond(held, change, expected):
    assert is_reduction(held, change) is expected


@pytest.mark.parametrize(
    ("rate", "quantity", "spot", "fee"),
    [
        (0, WAD, WAD, 0),
        (1, 1, 1, 1),
        (3 * 10**14, 2 * WAD, 1_800 * WAD, 108 * 10**16),
        (1, WAD, WAD + 1, 2),
        (-1, WAD, WAD + 1, -1),
    ],
)
def test_fee_of__any_remainder__rounds_up(rate, quantity, spot, fee):
    assert fee_of(rate, quantity, spot) == fee
