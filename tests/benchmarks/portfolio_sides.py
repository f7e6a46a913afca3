"""The two sides of the scenario margin, and the margins of very many accounts, each in a process of its own.

Scenario margin: the least profit of each account over all scenarios, from forwards, strikes, vols and books.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.benchmarks.worker import Arrays

Call = Callable[[], dict[str, Any]]

QUANTA = 1e6  # per USD
_PADDED = 8


def _is_parallel() -> bool:
    return os.environ.get("RAYON_NUM_THREADS", "1") != "1"


def ours(x: Arrays) -> Call:
    """Each instrument re-priced once per scenario, profits in whole quanta per leg, exact sums."""
    from keeper.pricing import black76
    from keeper.risk.batch import in_blocks
    from keeper.risk.compiled_scan import Cells, Layout, Positions, ScanResult, scan

    count, columns = x["vol"].shape
    width = -(-columns // _PADDED) * _PADDED
    accounts = len(x["indptr"]) - 1
    positions = Positions(x["indptr"], x["rows"], x["quantities"])
    layout = Layout(np.zeros(count, np.int32), np.zeros(count, np.int32))
    cells = Cells(_aligned(count * width), np.arange(count) * width, np.full(count, width, dtype=np.int64))
    table = cells.values.reshape(count, width)
    result = ScanResult(
        np.zeros(accounts, np.int64), np.zeros((accounts, 0), np.int64), np.zeros((accounts, 0), np.int32),
        np.zeros((accounts, 0), np.int64),
    )  # fmt: skip
    threads = int(os.environ["NUMBA_NUM_THREADS"])
    # the first column is the market as it is; laid out beforehand, like the arguments of the other packages
    forward = np.concatenate([x["spot"].reshape(1, 1), x["forward"]], axis=1)
    vol = np.concatenate([x["base_vol"][:, None], x["vol"]], axis=1)
    names = ("is_call", "strike", "years")
    static = {name: np.repeat(x[name][:, None], columns + 1, axis=1) for name in names}
    # forwards and strikes in quanta give prices in quanta
    static["strike"] *= QUANTA
    forward = np.repeat(forward * QUANTA, count, axis=0)

    def call() -> dict[str, Any]:
        price = black76.price(forward=forward, vol=vol, **static)
        # the padding stays zero: it never is a loss
        np.subtract(price[:, 1:], price[:, :1], out=table[:, :columns])
        in_blocks(lambda span: scan(positions, cells, layout, 0.0, span, result), accounts, threads)
        return {"loss": result.charge}

    return call


def _aligned(size: int) -> Any:
    raw = np.zeros(size + _PADDED)
    skip = -(raw.ctypes.data // raw.itemsize) % _PADDED
    return raw[skip : skip + size]


def _per_position(x: Arrays, prices: Callable[..., Any]) -> Call:
    """Every leg of every account priced in every scenario, as packages of option prices allow."""
    rows, columns = x["rows"], x["vol"].shape[1]
    accounts = len(x["indptr"]) - 1
    repeated = np.repeat(rows, columns)
    forward = np.tile(x["forward"].ravel(), len(rows))
    strike, years, is_call = x["strike"][repeated], x["years"][repeated], x["is_call"][repeated]
    vol = x["vol"][rows].ravel()
    base = prices(x["is_call"], np.full(len(x["strike"]), x["spot"]), x["strike"], x["years"], x["base_vol"])
    coins = (x["quantities"] / 1e8)[:, None]

    def call() -> dict[str, Any]:
        profit = prices(is_call, forward, strike, years, vol).reshape(len(rows), columns)
        profit = (profit - base[rows][:, None]) * coins
        least = profit.reshape(accounts, -1, columns).sum(axis=1).min(axis=1)
        return {"loss": np.maximum(0.0, -least) * QUANTA}

    return call


def iv_engine(x: Arrays) -> Call:
    """iv-engine prices calls; puts by parity."""
    import iv_engine as package

    parallel = _is_parallel()

    def prices(is_call: Any, forward: Any, strike: Any, years: Any, vol: Any) -> Any:
        calls = np.asarray(package.black_prices(forward, strike, years, vol, True, parallel))
        return calls + np.where(is_call, 0.0, strike - forward)

    return _per_position(x, prices)


def pyvolr(x: Arrays) -> Call:
    """pyvolr prices calls and puts by a flag of one byte."""
    from pyvolr import black76

    flags: dict[int, Any] = {}

    def prices(is_call: Any, forward: Any, strike: Any, years: Any, vol: Any) -> Any:
        flag = flags.setdefault(len(is_call), np.where(is_call, 1, -1).astype(np.int8))
        return np.asarray(black76.price(flag, forward, strike, years, 0.0, vol))

    return _per_position(x, prices)


def million(x: Arrays) -> Call:
    """Scan of books on profits that are given: `columns` scenarios, losses only."""
    from keeper.risk.batch import in_blocks
    from keeper.risk.compiled_scan import Cells, Layout, Positions, ScanResult, scan

    count, columns, accounts = int(x["instruments"]), int(x["columns"]), int(x["accounts"])
    width = -(-columns // _PADDED) * _PADDED
    random = np.random.default_rng(5)
    values = _aligned(count * width)
    values[:] = random.normal(0.0, 1e9, count * width)
    cells = Cells(values, np.arange(count) * width, np.full(count, width, dtype=np.int64))
    positions = Positions(*random_positions(random, count, accounts, int(x["legs"])))
    layout = Layout(np.zeros(count, np.int32), np.zeros(count, np.int32))
    result = ScanResult(
        np.zeros(accounts, np.int64), np.zeros((accounts, 0), np.int64), np.zeros((accounts, 0), np.int32),
        np.zeros((accounts, 0), np.int64),
    )  # fmt: skip
    threads = int(os.environ["NUMBA_NUM_THREADS"])

    def call() -> dict[str, Any]:
        in_blocks(lambda span: scan(positions, cells, layout, 0.0, span, result), accounts, threads)
        return {"total": result.charge.sum()}

    return call


def full(x: Arrays) -> Call:
    """The whole methodology from a market on: pricing, every charge, margins, marks and what binds."""
    from keeper.risk.batch import batch_margins
    from keeper.risk.batch_table import batch_table
    from keeper.risk.books import Books
    from keeper.risk.margin import build_table
    from keeper.risk.methodology import Methodology
    from tests.support.random_books import smile_market, universe

    methodology, market = Methodology.default(), smile_market((1, 2, 7, 14, 30, 60, 120, 240))
    instruments = universe(market, strikes=15, step_percent=4)
    accounts, legs = int(x["accounts"]), int(x["legs"])
    books = Books(*random_positions(np.random.default_rng(6), len(instruments), accounts, legs))
    threads = int(os.environ["NUMBA_NUM_THREADS"])
    made = batch_table(build_table(market, methodology, instruments))

    def call() -> dict[str, Any]:
        table = batch_table(build_table(market, methodology, instruments)) if int(x["prices"]) else made
        found = batch_margins(table, books, threads=threads)
        return {
            "initial": found.initial.astype(np.float64).sum(),
            "maintenance": found.maintenance.astype(np.float64).sum(),
            "mark": found.mark.astype(np.float64).sum(),
            "recomputed": len(found.recomputed),
            "columns": sum(group.profit.shape[1] for group in table.source.groups.values()),
            "instruments": len(instruments),
        }

    return call


def random_positions(random: Any, instruments: int, accounts: int, legs: int) -> tuple[Any, Any, Any]:
    """`legs` distinct instruments each, ascending, a hundredth of a coin and more of each."""
    parts = instruments // legs
    # one from each of `legs` equal parts of the universe
    rows = (
        random.integers(0, parts, (accounts, legs), dtype=np.int32) + np.arange(legs, dtype=np.int32) * parts
    )
    quantities = (np.rint(random.normal(0.0, 5.0, accounts * legs) * 100) * 1e6).astype(np.int64)
    return np.arange(accounts + 1, dtype=np.int64) * legs, rows.ravel(), quantities
