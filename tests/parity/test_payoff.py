"""The payoff walk three times over random books: rationals, Python twin, contract.

PAYOFF_CAMPAIGN=50 walks fifty times as many books.
"""

import os
import random
from fractions import Fraction

import pytest

from keeper.markets.instrument import Instrument, Kind, word
from keeper.risk import payoff
from tests.parity import fractions_reference as reference

EXPIRY = 1_745_000_100
MAX_STRIKE = 2**56 - 1
CAMPAIGN = int(os.environ.get("PAYOFF_CAMPAIGN", "1"))


def random_quantity(rng):
    size = rng.choice([10**10, 10**16, 10**18, 10**21, 10**26, 2**96])
    return (
        rng.choice([-1, 1]) * rng.randint(1, max(1, size // 10**10)) * 10**10
        if size < 2**96
        else rng.choice([-(2**96), 2**96, 2**96 - 1, 1, -1])
    )


def random_strike(rng, grid):
    if rng.random() < 0.05:
        return rng.choice([0, 1, MAX_STRIKE])
    if grid:
        return rng.randint(1, 40) * 100 * 10**8
    return rng.randint(1, 10_000 * 10**8)


def random_group(rng, underlying, expiry, size):
    """Words of one expiry, ascending; calls and puts often share a strike."""
    grid = rng.random() < 0.7
    legs = {}
    for _ in range(size):
        kind = rng.choice([Kind.FUTURE, Kind.CALL, Kind.CALL, Kind.PUT, Kind.PUT])
        strike = 0 if kind == Kind.FUTURE else random_strike(rng, grid)
        legs[Instrument(underlying, expiry, strike, kind).pack()] = random_quantity(rng)
    return [word(instrument, legs[instrument]) for instrument in sorted(legs)]


def random_book(rng, size):
    book = []
    for underlying in range(1, rng.choice([2, 2, 3])):
        for expiry in range(EXPIRY, EXPIRY + 300 * rng.choice([1, 1, 2, 3]), 300):
            book += random_group(rng, underlying, expiry, rng.randint(1, size))
    return book[:128]


def random_band(rng):
    middle = rng.choice([rng.randint(0, 5_000 * 10**8), rng.randint(1, 40) * 100 * 10**8, 0, 2**60])
    return middle - middle * rng.choice([0, 3, 50]) // 100, middle + middle * rng.choice([0, 3, 50]) // 100


def rational_legs(words):
    unpacked = []
    for packed in words:
        instrument = Instrument.unpack(packed >> 128)
        low = packed & (2**128 - 1)
        quantity = low - 2**128 if low >= 2**127 else low
        unpacked.append(
            (int(instrument.kind), Fraction(instrument.strike, 10**8), Fraction(quantity, 10**18))
        )
    return unpacked


def floor_wad(x):
    return x.numerator * 10**18 // x.denominator


def assert_matches_reference(words, band, bounds):
    legs = rational_legs(words)
    low, high = (Fraction(edge, 10**8) for edge in band)
    assert bounds.low == floor_wad(reference.low(legs, low, high))
    assert bounds.high == -floor_wad(-reference.high(legs, low, high))
    assert bounds.finite == (reference.final_slope(legs) >= 0)
    if bounds.finite:
        assert bounds.worst == floor_wad(reference.worst(legs))


def groups_of(book, band):
    start = 0
    while start < len(book):
        bounds = payoff.expiry_bounds(book, start, *band)
        yield start, bounds
        start = bounds.next_index


@pytest.mark.parametrize("seed", range(4 * CAMPAIGN))
def test_expiry_bounds__random_books__twin_equals_rationals(seed):
    rng = random.Random(seed)
    for _ in range(100):
        book, band = random_book(rng, 10), random_band(rng)
        for start, bounds in groups_of(book, band):
            assert_matches_reference(book[start : bounds.next_index], band, bounds)


@pytest.mark.parametrize("seed", range(4 * CAMPAIGN))
def test_expiry_bounds__random_books__contract_equals_twin(payoff_contract, seed):
    rng = random.Random(1_000 + seed)
    for _ in range(25):
        book, band = random_book(rng, rng.choice([3, 16, 60])), random_band(rng)
        for start, bounds in groups_of(book, band):
            actual = payoff_contract.expiry_bounds(book, start, *band)
            assert tuple(actual) == (bounds.worst, bounds.finite, bounds.low, bounds.high, bounds.next_index)


def test_expiry_bounds__full_books__contract_equals_rationals(payoff_contract):
    rng = random.Random(7)
    for _ in range(CAMPAIGN):
        book, band = random_group(rng, 1, EXPIRY, 128), random_band(rng)
        actual = payoff_contract.expiry_bounds(book, 0, *band)
        assert_matches_reference(book, band, payoff.Bounds(*actual))


@pytest.mark.parametrize("price", [100, 10**15], ids=["a millionth of a dollar", "ten million dollars"])
def test_expiry_bounds__extreme_prices__contract_equals_rationals(payoff_contract, price):
    """Full books with strikes around the price; the band is a tenth to either side."""
    rng = random.Random(price)
    strikes = sorted(rng.sample(range(1, 3 * price), 64))
    kinds = (Kind.CALL, Kind.PUT)
    book = [
        word(Instrument(1, EXPIRY, strike, kind).pack(), random_quantity(rng))
        for strike in strikes
        for kind in kinds
    ]
    band = price * 9 // 10, price * 11 // 10

    actual = payoff_contract.expiry_bounds(book, 0, *band)

    assert actual[-1] == len(book) == 128
    assert_matches_reference(book, band, payoff.Bounds(*actual))


def test_payoff_of__random_instruments__contract_equals_twin(payoff_contract):
    rng = random.Random(3)
    for _ in range(100):
        kind = rng.choice(list(Kind))
        instrument = Instrument(1, EXPIRY, rng.choice([0, 1, 2**64 - 1, rng.getrandbits(50)]), kind).pack()
        price = rng.choice([0, 1, 2**64 - 1, rng.getrandbits(50)])
        assert payoff_contract.payoff_of(instrument, price) == payoff.payoff(instrument, price)
