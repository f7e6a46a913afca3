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

MAX_LEGS: constant(uint256) = c.MAX_LEGS  # a power of two: masks a place on a hull
HULLS: constant(uint256) = 2 * c.MAX_LEGS
MAX_KNOTS: constant(uint256) = (c.MAX_LEGS + 1)  # one per strike, and the price zero
MAX_FORWARD: constant(uint256) = 2**64 - 1  # 1e-8 USD
SIGNED_MAX_QUANTITY: constant(int256) = (2**96)  # MAX_QUANTITY: the compiler does not fold conversions
GROUP_SHIFT: constant(uint256) = 200  # of a word: leaves underlying and expiry
STRIKE_SHIFT: constant(uint256) = 136  # of a word
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
    # convex envelope can have a corner (side 0), where it falls only the concave one (side 1), kept negated.
    hull: int256[HULLS] = empty(int256[HULLS])
    tops: uint256[2] = [0, 0]  # knots on each hull; the origin is on both, unstored
    base: int256 = 0
    slope: int256 = 0
    bend: int256 = 0  # slope of the kinks before the current strike
    kink: int256 = 0  # quantities at the current strike
    x: int256 = 0  # the current strike
    y: int256 = 0  # value of the kinks there

    count: uint256 = len(book)
    group: uint256 = book[start] >> GROUP_SHIFT
    before: uint256 = 0  # instruments are never zero: kind and expiry of a perp are, its underlying is not
    if start != 0:
        before = book[unsafe_sub(start, 1)] >> ins.INSTRUMENT_SHIFT
    next_index: uint256 = start
    # one turn more than there are legs: the last strike is a knot too
    for i: uint256 in range(start, unsafe_add(count, 1), bound=MAX_LEGS + 1):
        quantity: int256 = 0
        kind: uint256 = c.PUT
        strike: int256 = 0
        ended: bool = True
        if i != count:
            word: uint256 = book[i]
            if word >> GROUP_SHIFT == group:
                ended = False
                instrument: uint256 = word >> ins.INSTRUMENT_SHIFT
                assert instrument > before, "payoff: book not ascending"
                before = instrument
                quantity = convert(convert(word << ins.INSTRUMENT_SHIFT, bytes32), int256) >> ins.INSTRUMENT_SHIFT
                assert abs(quantity) <= SIGNED_MAX_QUANTITY, "payoff: quantity too large"
                kind = instrument & ins.KIND_MASK
                if kind <= c.FUTURE:
                    slope = unsafe_add(slope, quantity)
                    continue
                assert kind <= c.PUT, "payoff: unknown kind"
                strike = convert((instrument >> ins.STRIKE_SHIFT) & ins.STRIKE_MASK, int256)
        if ended or strike != x:
            if kink != 0 and x != 0:
                side: uint256 = 0
                value: int256 = y
                if kink < 0:
                    side = 1
                    value = unsafe_sub(0, y)
                top: uint256 = unsafe_mul(side, MAX_LEGS) + tops[side]
                for _: uint256 in range(MAX_LEGS):
                    if top & (MAX_LEGS - 1) == 0:
                        break
                    # the last two knots: a before b; b stays if the hull turns upwards there
                    b: int256 = hull[unsafe_sub(top, 1)]
                    a: int256 = 0
                    if top & (MAX_LEGS - 1) != 1:
                        a = hull[unsafe_sub(top, 2)]
                    bx: int256 = b & PRICE_MASK
                    by: int256 = b >> PRICE_BITS
                    if unsafe_mul(unsafe_sub(value, by), unsafe_sub(bx, a & PRICE_MASK)) > unsafe_mul(
                        unsafe_sub(by, a >> PRICE_BITS), unsafe_sub(x, bx)
                    ):
                        break
                    top = unsafe_sub(top, 1)
                hull[top] = (value << PRICE_BITS) | x
                tops[side] = unsafe_add(top & (MAX_LEGS - 1), 1)
            bend = unsafe_add(bend, kink)
            kink = 0
            if ended:
                next_index = i
                break
            y = unsafe_add(y, unsafe_mul(bend, unsafe_sub(strike, x)))
            x = strike
        kink = unsafe_add(kink, quantity)
        if kind == c.PUT:
            slope = unsafe_sub(slope, quantity)
            base = unsafe_add(base, unsafe_mul(quantity, strike))
    worst: int256 = 0
    ends: int256[2] = [0, 0]
    for side: uint256 in range(2):
        sign: int256 = 1
        if side == 1:
            sign = -1
        start_base: int256 = unsafe_mul(base, sign)
        start_slope: int256 = unsafe_mul(slope, sign)
        ray: int256 = unsafe_mul(bend, sign)
        offset: uint256 = unsafe_mul(side, MAX_LEGS)
        least: int256 = start_base  # the origin
        within: int256 = max_value(int256)  # least knot inside the band
        low: int256 = max_value(int256)  # at the ends of the band, WAD
        first: int256 = convert(forward_low, int256)
        last: int256 = convert(forward_high, int256)
        at_first: int256 = unsafe_add(start_base, unsafe_mul(start_slope, first))
        at_last: int256 = unsafe_add(start_base, unsafe_mul(start_slope, last))
        px: int256 = 0  # where the edge starts
        py: int256 = 0
        for i: uint256 in range(MAX_LEGS + 1):
            # behind the last knot the envelope is a ray, and knots above the ray are not on it: as edges steepen, the
            # first edge steeper than the ray is where it starts
            dx: int256 = 1
            dy: int256 = ray
            is_ray: bool = i == tops[side]
            if not is_ray:
                knot: int256 = hull[unsafe_add(offset, i)]
                dx = unsafe_sub(knot & PRICE_MASK, px)
                dy = unsafe_sub(knot >> PRICE_BITS, py)
                if dy >= unsafe_mul(ray, dx):
                    is_ray = True
                    dx = 1
                    dy = ray
            x = unsafe_add(px, dx)
            if px <= first and (is_ray or first <= x):
                low = min(low, self._on_edge(unsafe_add(py, at_first), unsafe_sub(first, px), dx, dy))
            if px <= last and (is_ray or last <= x):
                low = min(low, self._on_edge(unsafe_add(py, at_last), unsafe_sub(last, px), dx, dy))
            if is_ray:
                break
            px = x
            py = unsafe_add(py, dy)
            value: int256 = unsafe_add(py, unsafe_add(start_base, unsafe_mul(start_slope, px)))
            least = min(least, value)
            if first <= px and px <= last:
                within = min(within, value)
        if within != max_value(int256):
            low = min(low, self._div_down(within, TO_WAD))
        ends[side] = low
        if side == 0:
            worst = self._div_down(least, TO_WAD)
    return Bounds(
        worst=worst,
        finite=unsafe_add(slope, bend) >= 0,
        low=ends[0],
        high=unsafe_sub(0, ends[1]),
        next_index=next_index,
    )


@internal
@pure
def _on_edge(start: int256, offset: int256, dx: int256, dy: int256) -> int256:
    """
    @notice start + offset * dy / dx in WAD, rounded down.
    """
    return self._div_down(
        unsafe_add(unsafe_mul(start, dx), unsafe_mul(offset, dy)),
        unsafe_mul(dx, TO_WAD),
    )


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
