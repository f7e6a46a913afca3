"""Exact integer roots of sums of products too large for 64 bits, from pairs of doubles.

A pair (high, low) stands for the unevaluated sum of both, about 106 bits. Products of two doubles and sums of
two are pairs without error; sums and products of pairs err by less than 2**-100 of the sizes involved. So a
root is decided by comparing squares, unless the comparison is closer than a bound far above that error: then
the caller recomputes with integers of any length.

References: T. J. Dekker, "A floating-point technique for extending the available precision", Numerische
Mathematik 18 (1971), 224-242; D. E. Knuth, The Art of Computer Programming 2, 4.2.2 (the sum without error).
"""

import numpy as np

from keeper.risk.compiled import compiled

Pair = tuple[float, float]

# splits 53 bits in two halves whose products are exact
_SPLITTER = 134_217_729.0  # 2**27 + 1
# of the sizes involved: over a thousand operations at 2**-100 each stay below
_TOLERANCE = 2.0**-88
UNDECIDED = -1


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
    guess = np.ceil(np.sqrt(max(square[0], 0.0) / (unit * second_unit)))
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
def part_up(amount: int, share: int, unit: int) -> int:
    """amount * share / unit, rounded up; all not negative, share * unit below 2**63."""
    return amount // unit * share + -(-(amount % unit * share) // unit)
