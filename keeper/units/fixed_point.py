"""Fixed-point products and the EVM's signed division, bit for bit as `contracts/units/fixed_point.vy`.

Python integers do not overflow: where the chain reverts beyond 256 bits, these return the exact value.
"""

from keeper.units.constants import WAD


def mul_down(a: int, b: int) -> int:
    """a * b for unsigned WAD numbers, rounded down."""
    return a * b // WAD


def mul_up(a: int, b: int) -> int:
    """a * b for unsigned WAD numbers, rounded up."""
    return -(-a * b // WAD)


def signed_mul_down(a: int, b: int) -> int:
    """a * b for signed WAD numbers, rounded towards minus infinity."""
    return a * b // WAD


def signed_mul_up(a: int, b: int) -> int:
    """a * b for signed WAD numbers, rounded towards plus infinity."""
    return -(-a * b // WAD)


def div_trunc(a: int, b: int) -> int:
    """a / b as the EVM divides signed numbers: towards zero. ZeroDivisionError where the chain reverts."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def mod_trunc(a: int, b: int) -> int:
    """The remainder of `div_trunc`: it has the sign of `a`."""
    return a - b * div_trunc(a, b)
