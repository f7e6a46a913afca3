"""Black-76 on NumPy arrays; `compiled_black76` gives the same bits faster."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing import black76_formulas as formulas
from keeper.pricing.kernels import Floats

# rows of what `sheet` returns
PRICE, DELTA, GAMMA, VEGA, THETA, RHO, VANNA, VOLGA = range(8)


class Arguments(NamedTuple):
    """Flat arrays of length n, or of length 1 where all options share the value."""

    is_call: npt.NDArray[np.bool_]
    forward: Floats
    strike: Floats
    years: Floats
    vol: Floats
    discount: Floats


def sheet(x: Arguments, result: Floats) -> bool:
    """Fills `result`, shape (rows, n), with the first rows of price, delta, gamma, vega, theta, rho, vanna,
    volga.

    Returns whether all arguments are valid: finite, and none negative but perhaps strikes. If not, the
    numbers mean nothing.
    """
    with np.errstate(all="ignore"):
        valid = formulas.is_valid(x.forward, x.strike, x.years, x.vol, x.discount)
        _fill(x, result)
        return bool(np.all(valid))


def _fill(x: Arguments, result: Floats) -> None:
    call, f, k, years, vol, discount = x
    rows = len(result)
    root = np.sqrt(years)
    s = formulas.usable_total_vol(f, k, vol * root)
    inverse = 1.0 / s
    side = formulas.side(f, k, s, inverse)
    value_ratio, delta_ratio = formulas.ratios(side, s)
    q = formulas.density(f, k, side, s)
    time_value = formulas.time_value(f, k, side, s, q, value_ratio)
    result[PRICE] = formulas.price(call, f, k, discount, time_value)
    if rows == 1:
        return
    inverse_f = formulas.inverse_forward(f, s)
    density = q * inverse_f
    result[DELTA] = discount * formulas.delta(call, f, k, side, s, density, delta_ratio)
    result[GAMMA] = discount * (density * inverse_f * inverse)
    result[VEGA] = discount * (q * root)
    result[THETA] = discount * formulas.theta(q, vol, inverse)
    if rows > THETA + 1:
        result[RHO] = -(years * result[PRICE])
        result[VANNA] = discount * formulas.vanna(density, root, inverse, side, s)
        result[VOLGA] = formulas.volga(result[VEGA], root, inverse, side, s)
