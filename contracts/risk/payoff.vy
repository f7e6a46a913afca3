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

MAX_LEGS: constant(uint256) = c.MAX_LEGS
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


# Kinks and affine part of one expiry, 1e-8 USD and WAD.
struct Profile:
    # value of the affine part at price zero, 1e-26 USD
    base: int256
    # slope of the affine part, WAD
    slope: int256
    # slope of the kinks alone beyond the last knot, WAD
    bend: int256
    next_index: uint256


# Knots in ascending price, value << 64 | price; a fixed array with a count, as a dynamic one costs a check an access.
struct Knots:
    count: uint256
    words: int256[MAX_KNOTS]


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
    rising: Knots = empty(Knots)
    falling: Knots = empty(Knots)
    profile: Profile = empty(Profile)
    profile, rising, falling = self._profile(book, start)
    worst: int256 = 0
    low: int256 = 0
    ignored: int256 = 0
    upper: int256 = 0
    worst, low = self._lower(rising, profile, 1, forward_low, forward_high)
    ignored, upper = self._lower(falling, profile, -1, forward_low, forward_high)
    return Bounds(
        worst=worst,
        finite=unsafe_add(profile.slope, profile.bend) >= 0,
        low=low,
        high=unsafe_sub(0, upper),
        next_index=profile.next_index,
    )


@internal
@pure
def _profile(book: DynArray[uint256, MAX_LEGS], start: uint256) -> (Profile, Knots, Knots):
    """
    @notice Kinks and affine part of the group that starts at `start`.
    @dev Knot prices rise strictly. A leg's instrument must exceed the one before it, so a strike is never below the
         last knot. Where the slope rises, no concave envelope has a corner, and where it falls, no convex one: so a
         knot is a candidate of one envelope only.
    @return Profile, knots at which the slope rises, knots at which it falls; neither holds the price zero.
    """
    rising: Knots = empty(Knots)
    falling: Knots = empty(Knots)
    base: int256 = 0
    slope: int256 = 0
    bend: int256 = 0  # slope of the kinks up to the current strike
    value: int256 = 0  # of the kinks at the current strike
    last: int256 = 0  # the current strike
    kink: int256 = 0  # all quantities at the current strike

    count: uint256 = len(book)
    group: uint256 = book[start] >> GROUP_SHIFT
    before: uint256 = 0  # instruments are never zero: kind and expiry of a perp are, its underlying is not
    if start != 0:
        before = book[unsafe_sub(start, 1)] >> ins.INSTRUMENT_SHIFT
    next_index: uint256 = start
    for i: uint256 in range(start, count, bound=MAX_LEGS):
        word: uint256 = book[i]
        if word >> GROUP_SHIFT != group:
            break
        next_index = unsafe_add(i, 1)
        instrument: uint256 = word >> ins.INSTRUMENT_SHIFT
        assert instrument > before, "payoff: book not ascending"
        before = instrument
        quantity: int256 = convert(convert(word << ins.INSTRUMENT_SHIFT, bytes32), int256) >> ins.INSTRUMENT_SHIFT
        assert (quantity <= SIGNED_MAX_QUANTITY and quantity >= -SIGNED_MAX_QUANTITY), "payoff: quantity too large"

        kind: uint256 = instrument & ins.KIND_MASK
        if kind <= c.FUTURE:
            slope = unsafe_add(slope, quantity)
            continue
        assert kind <= c.PUT, "payoff: unknown kind"
        strike: int256 = convert((instrument >> ins.STRIKE_SHIFT) & ins.STRIKE_MASK, int256)
        if strike != last:
            if last != 0:
                if kink > 0:
                    rising.words[rising.count] = (value << PRICE_BITS) | last
                    rising.count = unsafe_add(rising.count, 1)
                elif kink < 0:
                    falling.words[falling.count] = (value << PRICE_BITS) | last
                    falling.count = unsafe_add(falling.count, 1)
            bend = unsafe_add(bend, kink)
            kink = 0
            value = unsafe_add(value, unsafe_mul(bend, unsafe_sub(strike, last)))
            last = strike
        kink = unsafe_add(kink, quantity)
        if kind == c.PUT:
            slope = unsafe_sub(slope, quantity)
            base = unsafe_add(base, unsafe_mul(quantity, strike))
    if last != 0:
        if kink > 0:
            rising.words[rising.count] = (value << PRICE_BITS) | last
            rising.count = unsafe_add(rising.count, 1)
        elif kink < 0:
            falling.words[falling.count] = (value << PRICE_BITS) | last
            falling.count = unsafe_add(falling.count, 1)
    bend = unsafe_add(bend, kink)
    return Profile(base=base, slope=slope, bend=bend, next_index=next_index), rising, falling


@internal
@pure
def _lower(
    knots: Knots,
    profile: Profile,
    sign: int256,
    forward_low: uint256,
    forward_high: uint256,
) -> (int256, int256):
    """
    @notice Least knot and least value over a forward band of the convex envelope of sign * profile.
    @dev The concave envelope is minus the convex envelope of the negated profile.
    @param sign 1 or -1.
    @return WAD, both rounded down.
    """
    hull: Knots = self._hull(knots, unsafe_mul(profile.bend, sign), sign)
    base: int256 = unsafe_mul(profile.base, sign)
    slope: int256 = unsafe_mul(profile.slope, sign)
    first: int256 = convert(forward_low, int256)
    last: int256 = convert(forward_high, int256)
    at_first: int256 = unsafe_add(base, unsafe_mul(slope, first))
    at_last: int256 = unsafe_add(base, unsafe_mul(slope, last))

    least: int256 = base  # over all knots; the first is at price zero
    within: int256 = max_value(int256)  # over the knots inside the band
    low: int256 = max_value(int256)  # at the ends of the band, WAD
    x: int256 = 0  # last knot
    y: int256 = 0
    for i: uint256 in range(hull.count, bound=MAX_KNOTS):
        knot: int256 = hull.words[i]
        next_x: int256 = knot & PRICE_MASK
        next_y: int256 = knot >> PRICE_BITS
        value: int256 = unsafe_add(next_y, unsafe_add(base, unsafe_mul(slope, next_x)))
        least = min(least, value)
        if first <= next_x:
            dx: int256 = unsafe_sub(next_x, x)
            dy: int256 = unsafe_sub(next_y, y)
            if x <= first:
                low = min(
                    low,
                    self._on_edge(unsafe_add(y, at_first), unsafe_sub(first, x), dx, dy),
                )
            if next_x <= last:
                within = min(within, value)
            elif x <= last:
                low = min(
                    low,
                    self._on_edge(unsafe_add(y, at_last), unsafe_sub(last, x), dx, dy),
                )
        x = next_x
        y = next_y
    # beyond the last knot: a ray
    bend: int256 = unsafe_mul(profile.bend, sign)
    if x <= first:
        low = min(
            low,
            self._on_edge(unsafe_add(y, at_first), unsafe_sub(first, x), 1, bend),
        )
    if x <= last:
        low = min(
            low,
            self._on_edge(unsafe_add(y, at_last), unsafe_sub(last, x), 1, bend),
        )
    if within != max_value(int256):
        low = min(low, self._div_down(within, TO_WAD))
    return self._div_down(least, TO_WAD), low


@internal
@pure
def _hull(knots: Knots, bend: int256, sign: int256) -> Knots:
    """
    @notice Lower convex hull of the origin and sign * knots, with a ray of slope `bend` behind the last one.
    @dev Every knot enters once and leaves at most once.
    @param sign 1 or -1.
    @return Knots of the hull but the origin, values times `sign`.
    """
    hull: Knots = empty(Knots)
    top: uint256 = 0  # knots on the hull
    # the last two: a before b; both the origin while the hull is empty
    ax: int256 = 0
    ay: int256 = 0
    bx: int256 = 0
    by: int256 = 0
    # one turn more than there are knots: the last is the ray
    for i: uint256 in range(unsafe_add(knots.count, 1), bound=MAX_KNOTS + 1):
        is_ray: bool = i == knots.count
        x: int256 = 0
        y: int256 = 0
        if not is_ray:
            x = knots.words[i] & PRICE_MASK
            y = unsafe_mul(knots.words[i] >> PRICE_BITS, sign)
        for _: uint256 in range(MAX_KNOTS):
            if top == 0:
                break
            # b stays if the hull turns upwards there
            run: int256 = unsafe_sub(bx, ax)
            rise: int256 = unsafe_sub(by, ay)
            if is_ray:
                if rise < unsafe_mul(bend, run):
                    break
            elif unsafe_mul(unsafe_sub(y, by), run) > unsafe_mul(rise, unsafe_sub(x, bx)):
                break
            top = unsafe_sub(top, 1)
            bx = ax
            by = ay
            ax = 0
            ay = 0
            if top > 1:
                a: int256 = hull.words[unsafe_sub(top, 2)]
                ax = a & PRICE_MASK
                ay = a >> PRICE_BITS
        if not is_ray:
            hull.words[top] = (y << PRICE_BITS) | x
            top = unsafe_add(top, 1)
            ax = bx
            ay = by
            bx = x
            by = y
    hull.count = top
    return hull


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
