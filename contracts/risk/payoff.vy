# pragma version 0.4.3
"""
@title Payoff profile of one expiry: worst case and no-arbitrage bracket
@license AGPL-3.0-only
@notice The options and futures of one underlying and expiry pay a piecewise linear function g of the settlement price S.
        Whatever the model, a forward F fixes E[S] = F over S >= 0, so a price of the book outside
        [convex envelope of g at F, concave envelope of g at F] is an arbitrage. Exact, without storage, in one walk over
        the legs. The Python twin is `keeper/risk/payoff.py`, bit for bit.
@dev Inside this module prices are 1e-8 USD, quantities WAD and values 1e-26 USD, so nothing rounds before the one
     division at the end. A book of at most 128 legs with |q| <= 2**96 and prices below 2**64 keeps slopes below 2**103,
     values below 2**168 and every product of a value and a price difference below 2**233: unchecked arithmetic is safe.

     By parity a put is a call plus strike less forward, so g is an affine function plus one kink of size q at each
     option's strike. An affine function shifts both envelopes equally: the hull is taken over the kinks alone.
     A knot is one word, value << 64 | price, which halves the memory traffic of the hull.
"""

from ..units import constants as c
from ..markets import instrument as ins

# Constants

MAX_LEGS: constant(uint256) = c.MAX_LEGS  # a power of two: k ^ (MAX_LEGS - 1) counts from the back
MAX_FORWARD: constant(uint256) = 2**64 - 1  # 1e-8 USD
GROUP_SHIFT: constant(uint256) = 200  # of a word: leaves underlying and expiry
STRIKE_SHIFT: constant(uint256) = 136  # of a word: leaves underlying, expiry and strike
STRIKE_BITS: constant(uint256) = 64
PRICE_BITS: constant(uint256) = 64
PRICE_MASK: constant(int256) = 2**64 - 1
TO_WAD: constant(int256) = 10**8  # from 1e-26 USD

# Structs

# WAD. `worst` means nothing where not `finite`: the profile falls without end.
struct Bounds:
    worst: int256
    finite: bool
    low: int256
    high: int256
    next_index: uint256


@internal
@pure
def _payoff(instrument: uint128, price8: uint256) -> int256:
    """
    @notice What one unit, long, pays at a settlement price. Linear instruments are worth the price.
    @param instrument Packed instrument.
    @param price8 Settlement price, 1e-8 USD, below 2**64.
    @return WAD.
    """
    assert price8 <= MAX_FORWARD, "payoff: price too large"
    kind: uint256 = ins._kind(instrument)
    strike: uint256 = ins._strike(instrument)
    assert kind <= c.PUT, "payoff: unknown kind"
    pays: uint256 = price8
    if kind == c.CALL:
        pays = price8 - min(price8, strike)
    elif kind == c.PUT:
        pays = strike - min(price8, strike)
    return convert(pays * c.PRICE_UNIT, int256)


@internal
@pure
def _expiry_bounds(
    book: DynArray[uint256, MAX_LEGS],
    start: uint256,
    forward_low: uint256,
    forward_high: uint256,
) -> Bounds:
    """
    @notice Bounds of the legs of one underlying and expiry: those from `start` up to the next group.
    @dev Call again from `next_index` until it equals the length of the book: then the whole book has been checked to be
         ascending and distinct. Perps form a group of their own (expiry 0) and count as futures here.
    @param book Words, ascending by instrument.
    @param start Index of the first leg of the group.
    @param forward_low Least forward, 1e-8 USD.
    @param forward_high Largest forward, 1e-8 USD, below 2**64.
    @return WAD: worst over all prices >= 0 and low rounded down, high rounded up (all exact where quantities are
            multiples of 1e10, except between strikes).
    """
    assert forward_low <= forward_high, "payoff: forward band inverted"
    assert forward_high <= MAX_FORWARD, "payoff: forward too large"
    # Both hulls in one array, as every array handed to another function would be copied: where the slope rises only the
    # convex envelope can have a corner (stored from the front), where it falls only the concave one (from the back, kept
    # negated). A strike is on one of them at most, so they never meet.
    hull: int256[MAX_LEGS] = empty(int256[MAX_LEGS])
    rising: uint256 = 0  # knots on each hull; the origin is on both, unstored
    falling: uint256 = 0
    base: int256 = 0
    slope: int256 = 0
    bend: int256 = 0  # slope of the kinks before the current strike
    kink: int256 = 0  # quantities at the current strike
    x: int256 = 0  # the current strike
    y: int256 = 0  # value of the kinks there

    count: uint256 = len(book)
    group: uint256 = book[start] >> GROUP_SHIFT
    at: uint256 = group << STRIKE_BITS  # group and strike of the legs before
    before: uint256 = 0  # instruments are never zero: kind and expiry of a perp are, its underlying is not
    if start != 0:
        before = book[unsafe_sub(start, 1)] >> ins.INSTRUMENT_SHIFT
    next_index: uint256 = start
    # one turn more than there are legs: the last strike is a knot too
    for i: uint256 in range(start, unsafe_add(count, 1), bound=MAX_LEGS + 1):
        word: uint256 = 0  # belongs to no group
        if i != count:
            word = book[i]
        if word >> STRIKE_SHIFT != at:
            if kink != 0:
                if x != 0:
                    flip: uint256 = 0
                    top: uint256 = rising
                    value: int256 = y
                    if kink < 0:
                        flip = MAX_LEGS - 1
                        top = falling
                        value = unsafe_sub(0, y)
                    for _: uint256 in range(MAX_LEGS):
                        if top == 0:
                            break
                        # the last two knots: a before b; b stays if the hull turns upwards there
                        b: int256 = hull[unsafe_sub(top, 1) ^ flip]
                        a: int256 = 0
                        if top != 1:
                            a = hull[unsafe_sub(top, 2) ^ flip]
                        bx: int256 = b & PRICE_MASK
                        by: int256 = b >> PRICE_BITS
                        if unsafe_mul(unsafe_sub(value, by), unsafe_sub(bx, a & PRICE_MASK)) > unsafe_mul(
                            unsafe_sub(by, a >> PRICE_BITS), unsafe_sub(x, bx)
                        ):
                            break
                        top = unsafe_sub(top, 1)
                    hull[top ^ flip] = (value << PRICE_BITS) | x
                    if flip == 0:
                        rising = unsafe_add(top, 1)
                    else:
                        falling = unsafe_add(top, 1)
                bend = unsafe_add(bend, kink)
                kink = 0
            if word >> GROUP_SHIFT != group:
                next_index = i
                break
            at = word >> STRIKE_SHIFT
            strike: int256 = convert(convert(at & ins.STRIKE_MASK, bytes32), int256)
            y = unsafe_add(y, unsafe_mul(bend, unsafe_sub(strike, x)))
            x = strike
        instrument: uint256 = word >> ins.INSTRUMENT_SHIFT
        assert instrument > before, "payoff: book not ascending"
        before = instrument
        # moved up by its bound, a quantity within it is one of 0 to twice the bound
        assert unsafe_add(word, c.MAX_QUANTITY) & ins.QUANTITY_MASK <= 2 * c.MAX_QUANTITY, "payoff: quantity too large"
        quantity: int256 = convert(convert(word << ins.INSTRUMENT_SHIFT, bytes32), int256) >> ins.INSTRUMENT_SHIFT
        kind: uint256 = instrument & ins.KIND_MASK
        if kind <= c.FUTURE:
            slope = unsafe_add(slope, quantity)
            continue
        kink = unsafe_add(kink, quantity)
        if kind != c.CALL:
            assert kind == c.PUT, "payoff: unknown kind"
            slope = unsafe_sub(slope, quantity)
            base = unsafe_add(base, unsafe_mul(quantity, x))
    finite: bool = unsafe_add(slope, bend) >= 0
    first: int256 = convert(forward_low, int256)
    last: int256 = convert(forward_high, int256)
    worst: int256 = 0
    high: int256 = 0
    low: int256 = 0
    # the concave envelope, then the convex one: each by the same walk, as the first is kept negated
    knots: uint256 = falling
    flip: uint256 = MAX_LEGS - 1
    base = unsafe_sub(0, base)
    slope = unsafe_sub(0, slope)
    bend = unsafe_sub(0, bend)
    for side: uint256 in range(2):
        least: int256 = base  # at the origin
        low = max_value(int256)  # inside the band, WAD
        at_first: int256 = unsafe_add(base, unsafe_mul(slope, first))
        at_last: int256 = unsafe_add(base, unsafe_mul(slope, last))
        px: int256 = 0  # where the edge starts
        py: int256 = 0
        for i: uint256 in range(MAX_LEGS + 1):
            # behind the last knot the envelope is a ray, and knots above the ray are not on it: as edges steepen, the
            # first edge steeper than the ray is where it starts
            dx: int256 = 1
            dy: int256 = bend
            reach: int256 = max_value(int256)  # where the edge ends
            if i != knots:
                knot: int256 = hull[i ^ flip]
                width: int256 = unsafe_sub(knot & PRICE_MASK, px)
                rise: int256 = unsafe_sub(knot >> PRICE_BITS, py)
                if rise < unsafe_mul(bend, width):
                    dx = width
                    dy = rise
                    reach = unsafe_add(px, width)
            if reach >= first:
                if px <= first:
                    low = self._on_edge(unsafe_add(py, at_first), unsafe_sub(first, px), dx, dy)
                if px <= last and reach >= last:
                    low = min(low, self._on_edge(unsafe_add(py, at_last), unsafe_sub(last, px), dx, dy))
            if reach == max_value(int256):
                break
            px = reach
            py = unsafe_add(py, dy)
            value: int256 = unsafe_add(py, unsafe_add(base, unsafe_mul(slope, px)))
            least = min(least, value)
            if first <= px and px <= last:
                low = min(low, self._div_down(value, TO_WAD))
        if side == 0:
            high = unsafe_sub(0, low)
            knots = rising
            flip = 0
            base = unsafe_sub(0, base)
            slope = unsafe_sub(0, slope)
            bend = unsafe_sub(0, bend)
        else:
            worst = self._div_down(least, TO_WAD)
    return Bounds(worst=worst, finite=finite, low=low, high=high, next_index=next_index)


@internal
@pure
def _on_edge(start: int256, offset: int256, dx: int256, dy: int256) -> int256:
    """
    @notice start + offset * dy / dx in WAD, rounded down.
    """
    product: int256 = unsafe_add(unsafe_mul(start, dx), unsafe_mul(offset, dy))
    divisor: int256 = unsafe_mul(dx, TO_WAD)
    quotient: int256 = unsafe_div(product, divisor)
    if unsafe_mul(quotient, divisor) > product:
        quotient = unsafe_sub(quotient, 1)
    return quotient


@internal
@pure
def _div_down(a: int256, b: int256) -> int256:
    """
    @notice a / b for b > 0, rounded towards minus infinity.
    """
    quotient: int256 = unsafe_div(a, b)
    if unsafe_mul(quotient, b) > a:
        quotient = unsafe_sub(quotient, 1)
    return quotient
