"""Exact integer roots of sums of products too large for 64 bits, from pairs of doubles.

A pair (high, low) stands for the unevaluated sum of both, about 106 bits. Products of two doubles and sums of
two are pairs without error; sums and products of pairs err by less than 2**-100 of the sizes involved. So a
root is decided by comparing squares, unless the comparison is closer than a bound far above that error: then
the caller recomputes with integers of any length.

References: T. J. Dekker, "A floating-point technique for extending the available precision", Numerische
Mathematik 18 (1971), 224-242; D. E. Knuth, The Art of Computer Programming 2, 4.2.2 (the sum without error).
"""

from typing import Any

import numpy as np

from keeper.risk.compiled import compiled

Pair = tuple[float, float]

# splits 53 bits in two halves whose products are exact
_SPLITTER = 134_217_729.0  # 2**27 + 1
# of the sizes involved: over a thousand operations at 2**-100 each stay below
_TOLERANCE = 2.0**-88
# of a root in doubles: the quotient, the root and their sum each at 2**-53
_DOUBLE_TOLERANCE = 2.0**-49
UNDECIDED = -1
_HALF, _MASK = np.uint64(32), np.uint64(2**32 - 1)
_MOST_RATIO = 2.0**32 - 2.0


@compiled
def product(a: float, b: float) -> Pair:
    """a * b without error."""
    high = a * b
    t = _SPLITTER * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = _SPLITTER * b
    b_high = t - (t - b)
    b_low = b - b_high
    return high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low


@compiled
def add(x: Pair, y: Pair) -> Pair:
    """x + y."""
    total = x[0] + y[0]
    part = total - x[0]
    rest = (x[0] - (total - part)) + (y[0] - part)
    low = rest + (x[1] + y[1])
    high = total + low
    return high, low - (high - total)


@compiled
def scale(x: Pair, factor: float) -> Pair:
    """x * factor."""
    high, low = product(x[0], factor)
    low += x[1] * factor
    total = high + low
    return total, low - (total - high)


@compiled
def root_up(square: Pair, size: float, unit: float, second_unit: float) -> int:
    """Least whole number whose square times unit * second_unit is at least `square`; or UNDECIDED.

    Args:
        square: not negative but for its error; size: the sum of the sizes of what was added up in it.
        unit, second_unit: whole numbers.
    """
    if size == 0.0:
        return 0
    error = size * _TOLERANCE
    root = np.sqrt(max(square[0], 0.0) / (unit * second_unit))
    guess = np.ceil(root)
    # most roots are far from whole numbers: doubles decide these
    doubt = root * _DOUBLE_TOLERANCE
    if error < square[0] * _DOUBLE_TOLERANCE and np.ceil(root - doubt) == guess == np.ceil(root + doubt):
        return int(guess)
    for _ in range(4):
        above = _difference(guess, square, unit, second_unit)
        if above < 0.0:
            guess += 1.0
        elif guess > 0.0 and _difference(guess - 1.0, square, unit, second_unit) >= 0.0:
            guess -= 1.0
        else:
            break
    if guess < 1.0 or guess > 2.0**52:
        return UNDECIDED
    above = _difference(guess, square, unit, second_unit)
    below = _difference(guess - 1.0, square, unit, second_unit)
    if above <= error or below >= -error:
        return UNDECIDED
    return int(guess)


@compiled
def _difference(root: float, square: Pair, unit: float, second_unit: float) -> float:
    """root**2 * units - square."""
    found = scale(scale(product(root, root), unit), second_unit)
    high, low = add(found, (-square[0], -square[1]))
    return high + low


@compiled
def ratio_root_up(amount: int, limit: int) -> int:
    """Least c with c * c * limit >= amount * 1e18: sqrt(amount / limit) in 1e-9, rounded up; or UNDECIDED
    where it is above 4.29. Both below 2**63.
    """
    guess = np.ceil(np.sqrt(amount * 1e18 / limit))
    if guess >= _MOST_RATIO:
        return UNDECIDED
    target = wide_product(np.uint64(amount), np.uint64(10**18))
    # doubles are off by one at most
    root = np.uint64(max(guess - 1.0, 0.0))
    while True:
        found = wide_product(root * root, np.uint64(limit))
        if found[0] > target[0] or (found[0] == target[0] and found[1] >= target[1]):
            return int(root)
        root += np.uint64(1)


@compiled
def wide_product(a: Any, b: Any) -> tuple[Any, Any]:
    """a * b of 64 bits each, without sign: the upper and the lower 64 bits."""
    low = (a & _MASK) * (b & _MASK)
    middle = (a >> _HALF) * (b & _MASK) + (low >> _HALF)
    other = (a & _MASK) * (b >> _HALF) + (middle & _MASK)
    upper = (a >> _HALF) * (b >> _HALF) + (middle >> _HALF) + (other >> _HALF)
    return upper, (other << _HALF) | (low & _MASK)


@compiled
def part_up(amount: int, share: int, unit: int) -> int:
    """amount * share / unit, rounded up; none negative; share * unit and the result below 2**63."""
    return amount // unit * share + -(-(amount % unit * share) // unit)
