"""Prints the coefficients of `keeper.pricing`: near-minimax polynomials, fitted at 60 digits.

Method: M. Shepherd and J. Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc(x)", Math. Comp. 36
(1981), 249-253: the half line is mapped to [-1, 1], where one polynomial serves all of it.
"""

from collections.abc import Callable, Iterator

import mpmath as mp

MILLS_START = mp.mpf(1) / 4  # the fit begins at z = -MILLS_START
MILLS_SCALE = mp.mpf(4)  # and maps z = MILLS_SCALE - MILLS_START to 0


def mills_ratio(z: mp.mpf) -> mp.mpf:
    """N(-z) / phi(z); far out by its asymptotic series, whose terms fall to 1e-60 there."""
    if z < 100:
        return mp.sqrt(mp.pi / 2) * mp.exp(z * z / 2) * mp.erfc(z / mp.sqrt(2))
    terms = ((-1) ** n * mp.fac2(2 * n - 1) / z ** (2 * n + 1) for n in range(20))
    return mp.fsum(terms)


def mills_polynomial(t: mp.mpf) -> mp.mpf:
    """(z + start + scale) R(z) with t = 1 - 2 scale / (z + start + scale); 1 at infinity."""
    if t >= 1:
        return mp.mpf(1)
    y = 2 * MILLS_SCALE / (1 - t)
    return y * mills_ratio(y - MILLS_SCALE - MILLS_START)


def exp_tail(r: mp.mpf) -> mp.mpf:
    """(exp(r) - 1 - r) / r**2."""
    return (mp.expm1(r) - r) / r**2 if abs(r) > mp.mpf(10) ** -20 else mp.mpf(1) / 2 + r / 6


def atanh_tail(w: mp.mpf) -> mp.mpf:
    """(atanh(u) / u - 1) / u**2 with w = u**2."""
    return (mp.atanh(mp.sqrt(w)) / mp.sqrt(w) - 1) / w if w else mp.mpf(1) / 3


def fits() -> Iterator[tuple[str, Callable[[mp.mpf], mp.mpf], list[mp.mpf], int]]:
    """Name, function, interval and number of coefficients."""
    yield "MILLS", mills_polynomial, [mp.mpf(-1), mp.mpf(1)], 27
    half = mp.log(2) / 2 * (1 + mp.mpf(10) ** -4)
    yield "EXP", exp_tail, [-half, half], 10
    largest = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * (1 + mp.mpf(10) ** -4)
    yield "ATANH", atanh_tail, [mp.mpf(0), largest], 7


def main() -> None:
    """Prints every table, highest power first, with the largest error of its fit."""
    mp.mp.dps = 60
    for name, function, interval, count in fits():
        coefficients, error = mp.chebyfit(function, interval, count, error=True)
        print(f"{name}  # largest error {mp.nstr(error, 3)}")
        print("\n".join(f"    {float(c)!r}," for c in coefficients))


if __name__ == "__main__":
    main()
