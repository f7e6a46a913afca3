"""Packing of instruments and book words, and which instruments make sense."""

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keeper.units.constants import CALL, FUTURE, MAX_PRICE, MAX_UNDERLYINGS, PERP, PUT

boa.interpret.set_cache_dir(".build/boa")
FAST = settings(max_examples=40, deadline=None)
EXPIRY = 1_745_568_000
UNDERLYINGS, EXPIRIES = st.integers(0, 2**16 - 1), st.integers(0, 2**40 - 1)
STRIKES, KINDS = st.integers(0, 2**64 - 1), st.integers(0, 2**8 - 1)


@pytest.fixture(scope="module")
def instruments():
    return boa.load("contracts/mocks/InstrumentHarness.vy")


def test_pack__any_fields__unpack_to_themselves(instruments):
    @FAST
    @given(UNDERLYINGS, EXPIRIES, STRIKES, KINDS)
    @example(0, 0, 0, 0)
    @example(2**16 - 1, 2**40 - 1, 2**64 - 1, 2**8 - 1)
    def check(underlying, expiry, strike, kind):
        packed = instruments.pack(underlying, expiry, strike, kind)
        assert instruments.unpack(packed) == (underlying, expiry, strike, kind)

    check()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ((2**16, 0, 0, 0), "instrument: underlying too large"),
        ((1, 2**40, 0, 0), "instrument: expiry too large"),
        ((1, 0, 2**64, 0), "instrument: strike too large"),
        ((1, 0, 0, 2**8), "instrument: kind too large"),
    ],
)
def test_pack__field_too_large__reverts(instruments, fields, reason):
    with boa.reverts(reason):
        instruments.pack(*fields)


def test_pack__books__ascend_by_underlying_then_expiry_then_strike_then_kind(instruments):
    fields = [(1, 2, 3, 3), (1, 2, 4, 0), (1, 3, 0, 0), (2, 0, 0, 0)]
    packed = [instruments.pack(*each) for each in fields]

    assert packed == sorted(packed)


def test_word__any_leg__comes_back(instruments):
    @FAST
    @given(st.integers(0, 2**128 - 1), st.integers(-(2**127), 2**127 - 1))
    @example(0, -1)
    @example(2**128 - 1, -(2**127))
    @example(2**128 - 1, 2**127 - 1)
    def check(instrument, quantity):
        assert instruments.leg_of(instruments.word(instrument, quantity)) == (instrument, quantity)

    check()


@pytest.mark.parametrize("quantity", [2**127, -(2**127) - 1])
def test_word__quantity_beyond_128_bits__reverts(instruments, quantity):
    with boa.reverts():
        instruments.word(1, quantity)


@pytest.mark.parametrize(
    "fields",
    [
        (1, 0, 0, PERP),
        (MAX_UNDERLYINGS, EXPIRY, 0, FUTURE),
        (1, EXPIRY, 1, CALL),
        (1, 1, MAX_PRICE, PUT),
    ],
)
def test_require_valid__sensible__passes(instruments, fields):
    instruments.require_valid(instruments.pack(*fields))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ((0, 0, 0, PERP), "instrument: unknown underlying"),
        ((MAX_UNDERLYINGS + 1, 0, 0, PERP), "instrument: unknown underlying"),
        ((1, EXPIRY, 1, PUT + 1), "instrument: unknown kind"),
        ((1, EXPIRY, 1, 2**8 - 1), "instrument: unknown kind"),
        ((1, EXPIRY, 0, PERP), "instrument: bad expiry"),
        ((1, 0, 0, FUTURE), "instrument: bad expiry"),
        ((1, 0, 1, CALL), "instrument: bad expiry"),
        ((1, 0, 1, PERP), "instrument: linear with a strike"),
        ((1, EXPIRY, 1, FUTURE), "instrument: linear with a strike"),
        ((1, EXPIRY, 0, CALL), "instrument: bad strike"),
        ((1, EXPIRY, MAX_PRICE + 1, PUT), "instrument: bad strike"),
    ],
)
def test_require_valid__nonsense__reverts(instruments, fields, reason):
    packed = instruments.pack(*fields)
    with boa.reverts(reason):
        instruments.require_valid(packed)
