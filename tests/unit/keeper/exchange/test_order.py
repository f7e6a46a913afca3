"""Orders: nonces, and which changes change the hash."""

from dataclasses import replace

import pytest

from keeper.exchange.order import Leg, Order, nonce_of

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
