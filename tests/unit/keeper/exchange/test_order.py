"""Orders: nonces, which changes change the hash, and what two packages trade."""

from dataclasses import replace

import pytest

from keeper.exchange.order import Leg, LegFill, Order, fee_of, fills_of, mirrored, nonce_of
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
    {"flags": 1},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_struct_hash__one_field_changed__differs(change):
    assert replace(ORDER, **change).struct_hash() != ORDER.struct_hash()


def test_nonce_of__slot_and_generation__lie_side_by_side():
    assert nonce_of(slot=3, generation=5) == 5 * 256 + 3
    assert nonce_of(slot=255, generation=2**56 - 1) == 2**64 - 1


@pytest.mark.parametrize(("slot", "generation"), [(256, 0), (-1, 0), (0, 2**56), (0, -1)])
def test_nonce_of__out_of_range__raises(slot, generation):
    with pytest.raises(ValueError, match="out of range"):
        nonce_of(slot, generation)


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
    found = fills_of(SPREAD, mirrored(SPREAD), 7, CREDIT, LEG_PRICES)

    assert found == (LegFill(5, 14 * 10**17, 3 * WAD), LegFill(6, -7 * 10**17, 8 * WAD))
    assert sum(fill.quantity * fill.price for fill in found) == 7 * CREDIT * WAD


@pytest.mark.parametrize(
    ("legs", "mirror", "price", "prices", "reason"),
    [
        ((), (), 0, [], "no legs"),
        (tuple(Leg(i, 1) for i in range(1, 6)), (), 0, [0] * 5, "too many legs"),
        (SPREAD, mirrored(SPREAD), CREDIT, LEG_PRICES[:1], "one price per leg"),
        (SPREAD, mirrored(SPREAD)[:1], CREDIT, LEG_PRICES, "legs do not mirror"),
        (SPREAD, SPREAD, CREDIT, LEG_PRICES, "legs do not mirror"),
        (SPREAD, mirrored(SPREAD)[::-1], CREDIT, LEG_PRICES, "instruments differ"),
        (SPREAD[::-1], mirrored(SPREAD[::-1]), CREDIT, LEG_PRICES[::-1], "legs not ascending"),
        (SPREAD[:1] * 2, mirrored(SPREAD[:1] * 2), CREDIT, LEG_PRICES, "legs not ascending"),
        ((Leg(5, 0),), (Leg(5, 0),), 0, [0], "empty leg"),
        (SPREAD, mirrored(SPREAD), CREDIT, [-WAD, 0], "price sign"),
        (SPREAD, mirrored(SPREAD), CREDIT + 1, LEG_PRICES, "prices do not add up"),
        (SPREAD, mirrored(SPREAD), CREDIT, [3 * WAD + 1, 8 * WAD], "prices do not add up"),
        (SPREAD, mirrored(SPREAD), -CREDIT, LEG_PRICES, "prices do not add up"),
    ],
)
def test_fills_of__orders_that_do_not_match__raises(legs, mirror, price, prices, reason):
    with pytest.raises(ValueError, match=f"exchange: {reason}"):
        fills_of(legs, mirror, 1, price, prices)


@pytest.mark.parametrize(
    ("rate", "quantity", "spot", "fee"),
    [(0, WAD, WAD, 0), (1, 1, 1, 1), (3 * 10**14, 2 * WAD, 1_800 * WAD, 108 * 10**16), (1, WAD, WAD + 1, 2)],
)
def test_fee_of__any_remainder__rounds_up(rate, quantity, spot, fee):
    assert fee_of(rate, quantity, spot) == fee
