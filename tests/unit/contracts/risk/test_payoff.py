"""Payoff bounds of textbook combinations, and the books that the walk refuses.

Outside numbers: J. C. Hull, Options, Futures, and Other Derivatives, chapter "Trading Strategies Involving
Options": a bull spread pays between 0 and the width of its strikes, a butterfly between 0 and half its span,
a box exactly the width, a straddle |S - K|.
"""

import boa
import pytest

from keeper.markets.instrument import Instrument, Kind, word
from keeper.units.constants import MAX_QUANTITY, WAD

boa.interpret.set_cache_dir(".build/boa")
EXPIRY = 1_745_568_000
FORWARD = 1_800
USD8 = 10**8
EVERYWHERE = 2**64 - 1


@pytest.fixture(scope="module")
def payoff():
    return boa.load("contracts/mocks/PayoffHarness.vy")


def leg(kind, strike, quantity, underlying=1, expiry=EXPIRY):
    return word(Instrument(underlying, expiry, strike * USD8, kind).pack(), quantity)


def book(*legs):
    """Whole contracts: (kind, strike in USD, quantity)."""
    return sorted(leg(kind, strike, quantity * WAD) for kind, strike, quantity in legs)


def bounds(payoff, legs, low=FORWARD * USD8, high=None):
    return payoff.expiry_bounds(legs, 0, low, low if high is None else high)


CALL_SPREAD = book((Kind.CALL, 1_700, 1), (Kind.CALL, 1_900, -1))
BUTTERFLY = book((Kind.CALL, 1_600, 1), (Kind.CALL, 1_800, -2), (Kind.CALL, 2_000, 1))
BOX = book((Kind.CALL, 1_700, 1), (Kind.CALL, 1_900, -1), (Kind.PUT, 1_700, -1), (Kind.PUT, 1_900, 1))
STRADDLE = book((Kind.CALL, 1_800, 1), (Kind.PUT, 1_800, 1))
SYNTHETIC = book((Kind.CALL, 1_700, 1), (Kind.PUT, 1_700, -1))


@pytest.mark.parametrize(
    ("legs", "low", "high"), [(CALL_SPREAD, 0, 200), (BUTTERFLY, 0, 200), (BOX, 200, 200)]
)
def test_expiry_bounds__combination__every_forward_is_within_the_textbook_range(payoff, legs, low, high):
    result = bounds(payoff, legs, 0, EVERYWHERE)

    assert result.finite
    assert low * WAD <= result.low <= result.high <= high * WAD
    assert result.worst == low * WAD


def test_expiry_bounds__call_spread__envelopes_at_the_forward(payoff):
    result = bounds(payoff, CALL_SPREAD)

    # below: 0 up to 1700, then towards 200 at infinity; above: the chord from (0, 0) to (1900, 200)
    assert result.low == 0
    assert result.high == -(-200 * FORWARD * WAD // 1_900)


def test_expiry_bounds__butterfly_at_its_body__pays_at_most_half_its_span(payoff):
    assert bounds(payoff, BUTTERFLY).high == 200 * WAD


def test_expiry_bounds__box__is_a_bond_at_every_forward(payoff):
    for forward in (0, 1_800, 10**6):
        result = bounds(payoff, BOX, forward * USD8)
        assert result.low == result.high == 200 * WAD


def test_expiry_bounds__straddle__bracket_is_its_intrinsic_value_and_the_chords(payoff):
    result = bounds(payoff, STRADDLE, 1_900 * USD8)

    assert (result.worst, result.low) == (0, 100 * WAD)
    assert result.high == (1_800 + 1_900) * WAD  # least concave: from (0, K) with slope 1


def test_expiry_bounds__synthetic_future__is_forward_less_strike(payoff):
    result = bounds(payoff, SYNTHETIC)

    assert (result.low, result.high, result.worst) == (100 * WAD, 100 * WAD, -1_700 * WAD)


@pytest.mark.parametrize(
    ("legs", "finite"),
    [
        (book((Kind.CALL, 1_800, -1)), False),
        (book((Kind.FUTURE, 0, -1)), False),
        (book((Kind.FUTURE, 0, 1), (Kind.CALL, 1_800, -1)), True),
        (book((Kind.PUT, 1_800, -1)), True),
    ],
)
def test_expiry_bounds__short_above_all_strikes__is_not_finite(payoff, legs, finite):
    assert bounds(payoff, legs).finite is finite


def test_expiry_bounds__two_expiries__walks_one_at_a_time(payoff):
    legs = [leg(Kind.FUTURE, 0, WAD), leg(Kind.FUTURE, 0, -WAD, expiry=EXPIRY + 300)]

    assert bounds(payoff, legs).next_index == 1
    assert payoff.expiry_bounds(legs, 1, 0, 0).next_index == 2


FIRST, SECOND = leg(Kind.CALL, 1_700, WAD), leg(Kind.CALL, 1_800, WAD)
EARLIER = leg(Kind.FUTURE, 0, WAD, expiry=EXPIRY - 300)


@pytest.mark.parametrize("legs", [[SECOND, FIRST], [FIRST, FIRST]], ids=["descending", "twice"])
def test_expiry_bounds__not_ascending__reverts(payoff, legs):
    with boa.reverts("payoff: book not ascending"):
        bounds(payoff, legs)


def test_expiry_bounds__group_behind_a_later_one__reverts(payoff):
    with boa.reverts("payoff: book not ascending"):
        payoff.expiry_bounds([FIRST, EARLIER], 1, 0, 0)


@pytest.mark.parametrize("quantity", [MAX_QUANTITY + 1, -MAX_QUANTITY - 1])
def test_expiry_bounds__quantity_too_large__reverts(payoff, quantity):
    with boa.reverts("payoff: quantity too large"):
        bounds(payoff, [leg(Kind.CALL, 1_800, quantity)])


@pytest.mark.parametrize("kind", [4, 255])
def test_expiry_bounds__unknown_kind__reverts(payoff, kind):
    with boa.reverts("payoff: unknown kind"):
        bounds(payoff, [leg(Kind.PUT, 1_800, WAD) // 2**136 * 2**136 + (kind << 128) + WAD])


@pytest.mark.parametrize("size", [MAX_QUANTITY, -MAX_QUANTITY])
def test_expiry_bounds__largest_quantity__is_exact(payoff, size):
    result = bounds(payoff, [leg(Kind.FUTURE, 0, size)])

    assert result.low == result.high == FORWARD * size


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [(2, 1, "payoff: forward band inverted"), (0, 2**64, "payoff: forward too large")],
)
def test_expiry_bounds__bad_band__reverts(payoff, low, high, reason):
    with boa.reverts(reason):
        bounds(payoff, STRADDLE, low, high)


@pytest.mark.parametrize(
    ("kind", "price", "expected"),
    [
        (Kind.CALL, 1_900, 100),
        (Kind.CALL, 1_700, 0),
        (Kind.PUT, 1_700, 100),
        (Kind.PUT, 1_900, 0),
    ],
)
def test_payoff_of__option__is_intrinsic_value(payoff, kind, price, expected):
    instrument = Instrument(1, EXPIRY, 1_800 * USD8, kind).pack()

    assert payoff.payoff_of(instrument, price * USD8) == expected * WAD


def test_payoff_of__price_too_large__reverts(payoff):
    with boa.reverts("payoff: price too large"):
        payoff.payoff_of(Instrument(1, EXPIRY, 1, Kind.CALL).pack(), 2**64)


def test_payoff_of__unknown_kind__reverts(payoff):
    with boa.reverts("payoff: unknown kind"):
        payoff.payoff_of(1 << 112 | 4, 1)
