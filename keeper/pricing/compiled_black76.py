"""Black-76 on large arrays: the formulas of `black76_arrays` compiled, block by block.

Two habits let LLVM vectorise: choices are selects without branches, and a loop touches few arrays, because
LLVM gives up where it would have to check more than a few pairs for overlap.
"""

from typing import Any

import numpy as np

from keeper.pricing import black76_formulas as formulas
from keeper.pricing.black76_arrays import Arguments
from keeper.pricing.compiled_elementary import BLOCK, compilable, compiled, inlined, take
from keeper.pricing.kernels import Floats
from keeper.pricing.threads import in_parts

compilable(
    formulas.usable_total_vol,
    formulas.side,
    formulas.near_distance,
    formulas.ratios,
    formulas.density,
    formulas.time_value,
    formulas.price,
    formulas.inverse_forward,
    formulas.delta,
    formulas.theta,
    formulas.vanna,
    formulas.volga,
    formulas.is_valid,
)

_SCRATCH = 16


def sheet(x: Arguments, result: Floats) -> bool:
    """As `black76_arrays.sheet`, with the same bits."""
    valid = np.ones(-(-result.shape[1] // BLOCK), dtype=np.bool_)

    def part(first: int, last: int) -> None:
        _sheet(*x, result, valid, first, last)

    in_parts(part, valid.size)
    return bool(valid.all())


@inlined
def _uncertainty(f: Any, k: Any, years: Any, vol: Any, root: Any, s: Any, inverse: Any, side: Any) -> None:
    for i in range(s.shape[0]):
        root[i] = np.sqrt(years[i])
    for i in range(s.shape[0]):
        s[i] = formulas.usable_total_vol(f[i], k[i], vol[i] * root[i])
    for i in range(s.shape[0]):
        inverse[i] = 1.0 / s[i]
    for i in range(s.shape[0]):
        side[i] = formulas.side(f[i], k[i], s[i], inverse[i])


@inlined
def _values(
    call: Any, f: Any, k: Any, discount: Any, side: Any, s: Any, ratio: Any, tail: Any, q: Any, price: Any
) -> None:
    for i in range(s.shape[0]):
        ratio[i], tail[i] = formulas.ratios(side[i], s[i])
    for i in range(s.shape[0]):
        q[i] = formulas.density(f[i], k[i], side[i], s[i])
    for i in range(s.shape[0]):
        ratio[i] = formulas.time_value(f[i], k[i], side[i], s[i], q[i], ratio[i])
    for i in range(s.shape[0]):
        price[i] = formulas.price(call[i], f[i], k[i], discount[i], ratio[i])


@inlined
def _first_order(
    call: Any, f: Any, k: Any, discount: Any, side: Any, s: Any, tail: Any, density: Any, delta: Any
) -> None:
    # the density of a certain option is zero, whose tail is then no matter
    for i in range(s.shape[0]):
        tail[i] = formulas.delta(call[i], f[i], k[i], side[i], s[i], density[i], tail[i])
    for i in range(s.shape[0]):
        delta[i] = discount[i] * tail[i]


@inlined
def _core(
    f: Any,
    vol: Any,
    discount: Any,
    s: Any,
    root: Any,
    inverse: Any,
    q: Any,
    density: Any,
    out: Any,
    start: int,
    stop: int,
) -> None:
    gamma, vega, theta = out[2][start:stop], out[3][start:stop], out[4][start:stop]
    for i in range(s.shape[0]):
        gamma[i] = discount[i] * (density[i] * formulas.inverse_forward(f[i], s[i]) * inverse[i])
    for i in range(s.shape[0]):
        vega[i] = discount[i] * (q[i] * root[i])
    for i in range(s.shape[0]):
        theta[i] = discount[i] * formulas.theta(q[i], vol[i], inverse[i])


@inlined
def _second_order(
    years: Any,
    discount: Any,
    side: Any,
    s: Any,
    root: Any,
    inverse: Any,
    density: Any,
    out: Any,
    start: int,
    stop: int,
) -> None:
    price, vega = out[0][start:stop], out[3][start:stop]
    rho, vanna, volga = out[5][start:stop], out[6][start:stop], out[7][start:stop]
    for i in range(s.shape[0]):
        rho[i] = -(years[i] * price[i])
    for i in range(s.shape[0]):
        vanna[i] = discount[i] * formulas.vanna(density[i], root[i], inverse[i], side[i], s[i])
    for i in range(s.shape[0]):
        volga[i] = formulas.volga(vega[i], root[i], inverse[i], side[i], s[i])


@compiled
def _sheet(
    is_call: Any,
    forward: Any,
    strike: Any,
    years: Any,
    vol: Any,
    discount: Any,
    result: Any,
    valid: Any,
    first: int,
    last: int,
) -> None:
    """Fills the columns of the blocks from `first` to `last`."""
    rows, size = result.shape
    w = np.empty((_SCRATCH, BLOCK))
    for block in range(first, last):
        start = block * BLOCK
        length = min(BLOCK, size - start)
        # a slice of a row is contiguous to the compiler, a row of a slice is not
        f, k, t, v, d = w[0][:length], w[1][:length], w[2][:length], w[3][:length], w[4][:length]
        root, s, inverse, side = w[5][:length], w[6][:length], w[7][:length], w[8][:length]
        ratio, tail, q, density = w[9][:length], w[10][:length], w[11][:length], w[12][:length]
        call = np.empty(BLOCK, np.bool_)[:length]
        stop = start + length
        take(is_call, start, call)
        take(forward, start, f)
        take(strike, start, k)
        take(years, start, t)
        take(vol, start, v)
        take(discount, start, d)
        good = True
        for i in range(length):
            good &= formulas.is_valid(f[i], k[i], t[i], v[i], d[i])
        valid[block] = good
        _uncertainty(f, k, t, v, root, s, inverse, side)
        _values(call, f, k, d, side, s, ratio, tail, q, result[0][start:stop])
        if rows > 1:
            for i in range(length):
                density[i] = q[i] * formulas.inverse_forward(f[i], s[i])
            _first_order(call, f, k, d, side, s, tail, density, result[1][start:stop])
            _core(f, v, d, s, root, inverse, q, density, result, start, stop)
        if rows > 5:
            _second_order(t, d, side, s, root, inverse, density, result, start, stop)
