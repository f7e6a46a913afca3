"""Instruments and book words: round trips, order and what is refused."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keeper.markets.instrument import Instrument, Kind, Leg, leg_of, word
from keeper.units.constants import MAX_PRICE, MAX_UNDERLYINGS

EXPIRY = 1_745_568_000
INSTRUMENTS = st.builds(
    Instrument,
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**64 - 1),
    st.sampled_from(Kind),
)


@given(INSTRUMENTS)
def test_pack__any_fields__unpack_to_themselves(instrument):
    assert Instrument.unpack(instrument.pack()) == instrument


@given(INSTRUMENTS, INSTRUMENTS)
def test_pack__two_instruments__keep_their_order(a, b):
    assert (a < b) == (a.pack() < b.pack())


@given(st.integers(0, 2**128 - 1), st.integers(-(2**127), 2**127 - 1))
@example(2**128 - 1, -1)
@example(0, -(2**127))
def test_word__any_leg__comes_back(instrument, quantity):
    assert leg_of(word(instrument, quantity)) == Leg(instrument, quantity)


@pytest.mark.parametrize("quantity", [2**127, -(2**127) - 1])
def test_word__quantity_too_large__raises(quantity):
    with pytest.raises(ValueError, match="quantity too large"):
        word(1, quantity)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ((2**16, 0, 0), "underlying too large"),
        ((1, 2**40, 0), "expiry too large"),
        ((1, 0, 2**64), "strike too large"),
        ((-1, 0, 0), "underlying too large"),
    ],
)
def test_pack__field_out_of_range__raises(fields, reason):
    with pytest.raises(ValueError, match=reason):
        Instrument(*fields, Kind.PERP).pack()


def test_unpack__unknown_kind__raises():
    with pytest.raises(ValueError, match="Kind"):
        Instrument.unpack(1 << 112 | 4)


@pytest.mark.parametrize(
    ("instrument", "reason"),
    [
        (Instrument(0, 0, 0, Kind.PERP), "unknown underlying"),
        (Instrument(MAX_UNDERLYINGS + 1, 0, 0, Kind.PERP), "unknown underlying"),
        (Instrument(1, EXPIRY, 0, Kind.PERP), "bad expiry"),
        (Instrument(1, 0, 1, Kind.CALL), "bad expiry"),
        (Instrument(1, EXPIRY, 1, Kind.FUTURE), "linear with a strike"),
        (Instrument(1, EXPIRY, 0, Kind.CALL), "bad strike"),
        (Instrument(1, EXPIRY, MAX_PRICE + 1, Kind.PUT), "bad strike"),
    ],
)
def test_require_valid__nonsense__raises_with_the_chains_reason(instrument, reason):
    with pytest.raises(ValueError, match=f"instrument: {reason}"):
        instrument.require_valid()


@pytest.mark.parametrize(("strike", "kind"), [(0, Kind.FUTURE), (1, Kind.CALL), (MAX_PRICE, Kind.PUT)])
def test_require_valid__sensible__passes(strike, kind):
    Instrument(1, EXPIRY, strike, kind).require_valid()
