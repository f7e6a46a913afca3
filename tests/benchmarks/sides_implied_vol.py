"""Implied vol of every option, by each package as its documentation shows (see `sides_greeks`)."""

from typing import Any

import numpy as np

from tests.benchmarks.sides_greeks import Call
from tests.benchmarks.worker import Arrays, threads

_FEW = 20_000


def ours(a: Arrays) -> Call:
    from keeper.pricing import black76
    from keeper.pricing import threads as own

    own.cpu_count = threads
    terms = {name: a[name] for name in ("is_call", "forward", "strike", "years", "price")}
    return lambda: {"vol": black76.implied_vol(**terms)}


def iv_engine(a: Arrays) -> Call:
    import iv_engine as package

    call = a["is_call"]
    parts = [(side, np.flatnonzero(call == side)) for side in (True, False)]
    columns = [a[name] for name in ("price", "forward", "strike", "years")]
    split = [(side, rows, [column[rows] for column in columns]) for side, rows in parts]
    parallel = threads() > 1

    def run() -> dict[str, Any]:
        vol = np.empty(len(call))
        for side, rows, terms in split:
            vol[rows] = package.implied_volatilities(*terms, side, parallel=parallel)
        return {"vol": vol}

    return run


def pyvolr(a: Arrays) -> Call:
    from pyvolr import black76 as package

    flag = np.where(a["is_call"], 1, -1).astype(np.int8)
    terms = (a["price"], flag, a["forward"], a["strike"], a["years"], 0.0)
    return lambda: {"vol": package.implied_vol(*terms, on_error="ignore")}


def fast_vollib(a: Arrays) -> Call:
    import fast_vollib as package

    flag = np.where(a["is_call"], "c", "p")
    terms = (a["price"], a["forward"], a["strike"], 0.0, a["years"], flag)
    options: dict[str, Any] = {"on_error": "ignore", "return_as": "numpy", "backend": "numba"}
    return lambda: {"vol": package.fast_implied_volatility_black(*terms, **options)}


def py_vollib_vectorized(a: Arrays) -> Call:
    import py_vollib_vectorized as package

    flag = np.where(a["is_call"], "c", "p")
    terms = (a["price"], a["forward"], a["strike"], 0.0, a["years"], flag)
    options: dict[str, Any] = {"on_error": "ignore", "return_as": "numpy"}
    return lambda: {"vol": package.vectorized_implied_volatility_black(*terms, **options)}


def quantlib(a: Arrays) -> Call:
    import QuantLib as ql  # noqa: N813 - the name its documentation uses

    kinds = [ql.Option.Call if c else ql.Option.Put for c in a["is_call"][:_FEW]]
    names = ("forward", "strike", "years", "price", "vol")
    columns = [a[name][:_FEW].tolist() for name in names]

    def run() -> dict[str, Any]:
        vol = np.full(len(a["vol"]), np.nan)
        for i, (kind, f, k, t, price, near) in enumerate(zip(kinds, *columns, strict=True)):
            root = t**0.5
            # its solver is given a guess within a tenth, in its favour
            vol[i] = (
                ql.blackFormulaImpliedStdDev(kind, k, f, price, 1.0, 0.0, 1.1 * near * root, 1e-12, 100)
                / root
            )
        vol[_FEW:] = a["vol"][_FEW:]
        return {"vol": vol}

    return run


SCALED = {"quantlib": _FEW}
