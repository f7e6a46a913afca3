"""Price, delta, gamma, vega and theta of every option, by each package as its documentation shows.

Imports only NumPy before a side is chosen: see `worker`. Conventions are turned into ours (vega per 1.00 of
vol, theta per year) only where a side returns others, outside what is timed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.benchmarks.worker import Arrays, threads

Call = Callable[[], dict[str, Any]]
_FEW = 20_000  # options for packages that take one at a time; their seconds are scaled up


def ours(a: Arrays) -> Call:
    from keeper.pricing import black76
    from keeper.pricing import threads as own

    own.cpu_count = threads
    terms = {name: a[name] for name in ("is_call", "forward", "strike", "years", "vol")}
    # as a keeper would: the same array for every pass
    out = np.empty((5, len(a["forward"])))
    return lambda: black76.sheet(**terms, out=out)._asdict()


def iv_engine(a: Arrays) -> Call:
    import iv_engine as package

    call = a["is_call"]
    f, k, t, v = (a[name] for name in ("forward", "strike", "years", "vol"))
    parts = [(side, np.flatnonzero(call == side)) for side in (True, False)]
    split = [(side, rows, f[rows], k[rows], t[rows], v[rows]) for side, rows in parts]
    # a call or a put at a time: the split of arrays beforehand is not timed, in its favour
    parallel = threads() > 1

    def run() -> dict[str, Any]:
        price, delta = np.empty(len(f)), np.empty(len(f))
        for side, rows, *terms in split:
            price[rows] = package.black_prices(*terms, side, parallel=parallel)
            delta[rows] = package.deltas(*terms, side, parallel=parallel)
        vega = package.vegas(f, k, t, v, parallel=parallel)
        # it has no theta of arrays
        theta = -0.5 * vega * v / t
        return {
            "price": price,
            "delta": delta,
            "gamma": package.gammas(f, k, t, v, parallel=parallel),
            "vega": vega,
            "theta": theta,
        }

    return run


def pyvolr(a: Arrays) -> Call:
    from pyvolr import black76 as package

    flag = np.where(a["is_call"], 1, -1).astype(np.int8)
    terms = (flag, a["forward"], a["strike"], a["years"], 0.0, a["vol"])

    def run() -> dict[str, Any]:
        greeks = package.greeks(*terms)
        return {"price": package.price(*terms)} | {x: greeks[x] for x in ("delta", "gamma", "vega", "theta")}

    return run


def fast_vollib(a: Arrays) -> Call:
    import fast_vollib as package

    flag = np.where(a["is_call"], "c", "p")
    terms = (flag, a["forward"], a["strike"], a["years"], 0.0, a["vol"])
    as_arrays: dict[str, Any] = {"return_as": "numpy", "backend": "numba"}

    def run() -> dict[str, Any]:
        greeks = package.get_all_greeks(*terms, model="black", **as_arrays)
        return {
            "price": package.fast_black(*terms, **as_arrays),
            "delta": greeks["delta"],
            "gamma": greeks["gamma"],
            "vega": greeks["vega"] * 100.0,
            "theta": greeks["theta"] * 365.0,
        }

    return run


def py_vollib_vectorized(a: Arrays) -> Call:
    import py_vollib_vectorized as package

    flag = np.where(a["is_call"], "c", "p")
    terms = (flag, a["forward"], a["strike"], a["years"], 0.0, a["vol"])

    def run() -> dict[str, Any]:
        greeks = package.get_all_greeks(*terms, model="black", return_as="dict")
        return {
            "price": package.vectorized_black(*terms, return_as="numpy"),
            "delta": greeks["delta"],
            "gamma": greeks["gamma"],
            "vega": np.asarray(greeks["vega"]) * 100.0,
            "theta": np.asarray(greeks["theta"]) * 365.0,
        }

    return run


def quantlib(a: Arrays) -> Call:
    import QuantLib as ql  # noqa: N813 - the name its documentation uses

    kinds = [ql.Option.Call if c else ql.Option.Put for c in a["is_call"][:_FEW]]
    columns = [a[name][:_FEW].tolist() for name in ("forward", "strike", "years", "vol")]

    def run() -> dict[str, Any]:
        found = np.empty((5, _FEW))
        for i, (kind, f, k, t, v) in enumerate(zip(kinds, *columns, strict=True)):
            one = ql.BlackCalculator(ql.PlainVanillaPayoff(kind, k), f, v * t**0.5, 1.0)
            vega = one.vega(t)
            found[:, i] = one.value(), one.deltaForward(), one.gammaForward(), vega, -0.5 * vega * v / t
        return dict(zip(("price", "delta", "gamma", "vega", "theta"), found, strict=True))

    return run


SCALED = {"quantlib": _FEW}
