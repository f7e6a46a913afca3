"""Black-76 implied vol on large arrays: `implied_vol_arrays` compiled as `compiled_black76` is."""

from typing import Any

import numpy as np
import numpy.typing as npt

from keeper.pricing import black76_formulas
from keeper.pricing import implied_vol_formulas as formulas
from keeper.pricing.compiled_elementary import BLOCK, compilable, compiled, inlined, take
from keeper.pricing.implied_vol_arrays import Quotes
from keeper.pricing.kernels import Floats
from keeper.pricing.threads import in_parts

compilable(
    black76_formulas.near_distance,
    formulas.time_value,
    formulas.status,
    formulas.log_moneyness,
    formulas.log_share,
    formulas.log_rest,
    formulas.is_high,
    formulas.low_guess,
    formulas._from_tail,
    formulas.high_guess,
    formulas.step,
    formulas.unsettled,
)

_SCRATCH = 11


def implied_vol(x: Quotes, size: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """As `implied_vol_arrays.implied_vol`, with the same bits."""
    result = np.empty(size)
    status = np.empty(size, dtype=np.int64)

    def part(first: int, last: int) -> None:
        _implied_vol(
            x.is_call, x.forward, x.strike, x.years, x.price, x.discount, result, status, first, last
        )

    in_parts(part, -(-size // BLOCK))
    return result, status


@inlined
def _check(call: Any, f: Any, k: Any, years: Any, price: Any, discount: Any, value: Any, status: Any) -> None:
    for i in range(f.shape[0]):
        value[i] = formulas.time_value(call[i], f[i], k[i], price[i], discount[i])
    for i in range(f.shape[0]):
        status[i] = formulas.status(f[i], k[i], years[i], price[i], discount[i], value[i])
    for i in range(f.shape[0]):
        f[i] = f[i] if status[i] == formulas.VALID else 1.0
    for i in range(f.shape[0]):
        k[i] = k[i] if status[i] == formulas.VALID else 1.0
    for i in range(f.shape[0]):
        value[i] = value[i] if status[i] == formulas.VALID else 0.1


@inlined
def _guess(f: Any, k: Any, value: Any, x: Any, share: Any, rest: Any, s: Any) -> None:
    for i in range(s.shape[0]):
        x[i] = formulas.log_moneyness(f[i], k[i])
    for i in range(s.shape[0]):
        share[i] = formulas.log_share(f[i], k[i], value[i])
    for i in range(s.shape[0]):
        rest[i] = formulas.log_rest(f[i], k[i], value[i])
    high = False
    for i in range(s.shape[0]):
        high |= formulas.is_high(share[i])
    for i in range(s.shape[0]):
        s[i] = formulas.low_guess(x[i], share[i])
    if high:
        for i in range(s.shape[0]):
            s[i] = formulas.high_guess(x[i], rest[i]) if formulas.is_high(share[i]) else s[i]


@inlined
def _solve(x: Any, share: Any, rest: Any, s: Any, change: Any) -> None:
    for turn in range(formulas.ROUNDS + formulas.MORE_ROUNDS):
        everyone = turn < formulas.ROUNDS
        left = everyone
        for i in range(s.shape[0]):
            left |= formulas.unsettled(change[i], s[i])
        if not left:
            break
        for i in range(s.shape[0]):
            # what has settled stays, so that no option depends on its neighbours
            moving = everyone | formulas.unsettled(change[i], s[i])
            following = formulas.step(x[i], s[i], share[i], rest[i])
            change[i] = following if moving else change[i]
            s[i] = s[i] + following if moving else s[i]


@compiled
def _implied_vol(
    is_call: Any,
    forward: Any,
    strike: Any,
    years: Any,
    price: Any,
    discount: Any,
    result: Any,
    status: Any,
    first: int,
    last: int,
) -> None:
    """Fills the blocks from `first` to `last`."""
    size = result.shape[0]
    w = np.empty((_SCRATCH, BLOCK))
    for block in range(first, last):
        start = block * BLOCK
        length = min(BLOCK, size - start)
        f, k, t, p, d = w[0][:length], w[1][:length], w[2][:length], w[3][:length], w[4][:length]
        value, x, share, rest = w[5][:length], w[6][:length], w[7][:length], w[8][:length]
        s, change = w[9][:length], w[10][:length]
        call = np.empty(BLOCK, np.bool_)[:length]
        vol, found = result[start : start + length], status[start : start + length]
        take(is_call, start, call)
        take(forward, start, f)
        take(strike, start, k)
        take(years, start, t)
        take(price, start, p)
        take(discount, start, d)
        _check(call, f, k, t, p, d, value, found)
        _guess(f, k, value, x, share, rest, s)
        _solve(x, share, rest, s, change)
        for i in range(length):
            vol[i] = s[i] / np.sqrt(t[i]) if found[i] == formulas.VALID else np.nan
