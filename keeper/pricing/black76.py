"""Black-76: European options on a forward.

Reference: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976), 167-179.
All arguments are keyword-only and broadcast against each other; results of scalars are scalars. Units: prices
in USD, `years` of 365 days, `vol` annualised (0.6 = 60 %), `discount` the value today of 1 USD at expiry.

`price` and `greeks` are attested: they use only basic IEEE operations (see `elementary`), and large arrays,
which take a compiled path, have the same bits as small ones. `implied_vol` is for calibration.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing import black76_arrays, implied_vol_arrays
from keeper.pricing.black76_arrays import Arguments
from keeper.pricing.kernels import Floats

# options from which on compiled code, which takes a second to load, is worth it
COMPILED_FROM = 2**15


class Greeks(NamedTuple):
    """Sensitivities of one option.

    Attributes:
        delta: dV/dF, to the forward.
        gamma: d2V/dF2.
        vega: dV/dvol, per 1.00 of vol.
        theta: dV/dt per year with the discount held: negative, the decay of the undiscounted value.
        rho: dV/dr per 1.00 of rate where discount = exp(-r years), with the forward held: -years * V.
        vanna: d2V/dF dvol = d(delta)/dvol.
        volga: d2V/dvol2.
    """

    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats
    vanna: Floats
    volga: Floats


class Sheet(NamedTuple):
    """Value and the Greeks of a risk run; units as in `Greeks`."""

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats


def price(
    *,
    is_call: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    vol: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
) -> Floats:
    """Value in USD: D * w * (F * N(w * d1) - K * N(w * d2)), held inside [D * max(w * (F - K), 0), D * F or
    D * K].

    Without time, vol, or a positive strike the value is the payoff at the forward.

    Raises:
        ValueError: an argument is not finite, or a forward, time, vol or discount is negative.
    """
    return _rows(1, is_call, forward, strike, years, vol, discount)[0]


def greeks(
    *,
    is_call: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    vol: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
) -> Greeks:
    """Sensitivities, in the units of `Greeks`.

    Without time, vol, or a positive strike only delta and rho are left, and delta is that of the payoff.

    Raises:
        ValueError: as `price`.
    """
    return Greeks(*_rows(8, is_call, forward, strike, years, vol, discount)[1:])


def sheet(
    *,
    is_call: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    vol: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
    out: Floats | None = None,
) -> Sheet:
    """`price` and the first four of `greeks`, the same bits in one pass.

    Args:
        out: where the five rows go, C-contiguous float64 of shape (5, options): whoever prices the same chain
            again and again saves the allocation, a third of the time of a million options.

    Raises:
        ValueError: as `price`, and what `out` then holds means nothing; or `out` is of another shape.
    """
    return Sheet(*_rows(5, is_call, forward, strike, years, vol, discount, out=out))


def implied_vol(
    *,
    is_call: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    price: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
    invalid: Literal["raise", "nan"] = "raise",
) -> Floats:
    """Vol that reproduces `price`, implied from the option out of the money.

    Digits that the price does not carry cannot come back: the relative error of the vol is about the relative
    rounding of the price times price / (vega * vol), where the price is that of this option, not of the one
    out of the money.

    Args:
        invalid: what to do about prices that no vol reproduces: refuse them all, or give nan.

    Raises:
        ValueError: a price is not above the discounted payoff by more than rounding, or not below the
            discounted forward (call) or strike (put); an argument is not finite; a time, forward, strike or
            discount is not positive.
    """
    call = np.asarray(is_call, dtype=np.bool_)
    arrays, size, shape = _flat(call, *_floats(forward, strike, years, price, discount))
    x = implied_vol_arrays.Quotes(*arrays)
    if size < COMPILED_FROM:
        vol, status = implied_vol_arrays.implied_vol(x, size)
    else:
        from keeper.pricing import compiled_implied_vol

        vol, status = compiled_implied_vol.implied_vol(x, size)
    if invalid == "raise" and status.any():
        raise ValueError(implied_vol_arrays.refusal(x, status))
    return _shaped(vol, shape)


def _rows(
    rows: int, is_call: npt.ArrayLike, *arguments: npt.ArrayLike, out: Floats | None = None
) -> tuple[Floats, ...]:
    arrays, size, shape = _flat(np.asarray(is_call, dtype=np.bool_), *_floats(*arguments))
    x, found = Arguments(*arrays), np.empty((rows, size)) if out is None else out
    if found.shape != (rows, size) or found.dtype != np.float64 or not found.flags.c_contiguous:
        raise ValueError(f"pricing: out must be C-contiguous float64 of shape ({rows}, {size})")
    if size < COMPILED_FROM:
        valid = black76_arrays.sheet(x, found)
    else:
        from keeper.pricing import compiled_black76

        valid = compiled_black76.sheet(x, found)
    if not valid:
        if all(np.isfinite(array).all() for array in x):
            raise ValueError("pricing: negative forward, years, vol or discount")
        raise ValueError("pricing: argument is not finite")
    return tuple(_shaped(row, shape) for row in found)


def _floats(*arguments: npt.ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.asarray(x, dtype=np.float64) for x in arguments)


def _flat(*arrays: npt.NDArray[Any]) -> tuple[list[npt.NDArray[Any]], int, tuple[int, ...]]:
    """Flat arrays, of length 1 where all options share the value; how many options; and their shape."""
    shape = np.broadcast_shapes(*(x.shape for x in arrays))
    spread = (x if x.size == 1 else np.broadcast_to(x, shape) for x in arrays)
    return [np.ascontiguousarray(x).reshape(-1) for x in spread], int(np.prod(shape)), shape


def _shaped(flat: Floats, shape: tuple[int, ...]) -> Floats:
    # [()] makes scalars of results without axes
    return flat.reshape(shape)[()]
