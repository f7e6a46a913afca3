"""Parts of an epoch in processes of their own: tree, signatures, and the engine here and on Dask workers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.benchmarks.worker import Arrays, threads

Call = Callable[[], dict[str, Any]]


def merkle(x: Arrays) -> Call:
    """The tree of random leaves."""
    from keeper.attestation.merkle import Tree

    leaves = np.random.default_rng(2).integers(0, 256, (int(x["leaves"]), 32), dtype=np.uint8)

    def call() -> dict[str, Any]:
        return {"root": np.frombuffer(Tree(leaves).root, dtype=np.uint8)}

    return call


def recoveries(x: Arrays) -> Call:
    """Addresses behind signatures, each over another digest, on as many threads as are given."""
    from concurrent.futures import ThreadPoolExecutor

    from coincurve import PrivateKey

    from keeper.attestation.typed_data import recover, sign

    key = PrivateKey(b"\1" * 32).secret
    random = np.random.default_rng(3)
    digests = [random.bytes(32) for _ in range(int(x["count"]))]
    signed = [(digest, *sign(digest, key)) for digest in digests]
    pool = ThreadPoolExecutor(threads())

    def call() -> dict[str, Any]:
        parts = [signed[i :: threads()] for i in range(threads())]
        found = list(pool.map(lambda part: {recover(*one) for one in part}, parts))
        return {"signers": len(set().union(*found))}

    return call


def _accounts(size: int, legs: int) -> tuple[Any, Any]:
    """Random accounts and the tables of a market with three underlyings."""
    from dataclasses import replace

    from keeper.attestation.accounts import Accounts
    from keeper.attestation.batch_leaves import batch_tables
    from keeper.attestation.report import RiskTables
    from keeper.risk.margin import build_table
    from keeper.risk.methodology import Methodology
    from tests.support.random_books import random_books, smile_market, universe

    market = smile_market()
    market = replace(market, underlyings=market.underlyings[:3])
    table = build_table(market, Methodology.default(), universe(market))
    tables = batch_tables(RiskTables(table, table))
    instruments = tables.effective.instruments
    books = random_books(len(instruments), size, 2 * legs, seed=1, most_coins=10)
    accounts = Accounts(
        ids=np.arange(1, size + 1),
        indptr=books.indptr,
        instruments=instruments,
        columns=books.rows.astype(np.int32),
        quantities=books.quantities,
        heads=np.zeros((size, 3, 32), dtype=np.uint8),
        tiers=np.zeros(size, dtype=np.int64),
    )
    return accounts, tables


def engine(x: Arrays) -> Call:
    """Figures of all accounts in this process."""
    from keeper.attestation.batch_leaves import figures_of
    from keeper.pricing import threads as used

    used.limit(threads())
    accounts, tables = _accounts(int(x["accounts"]), int(x["legs"]))

    def call() -> dict[str, Any]:
        return {"breakdown": figures_of(accounts, tables).breakdown[-1]}

    return call


def shards(x: Arrays) -> Call:
    """The same on two Dask workers of one thread each, with all that is sent and fetched."""
    from distributed import LocalCluster

    from keeper.jobs.shards import Shards

    accounts, tables = _accounts(int(x["accounts"]), int(x["legs"]))
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    cluster.wait_for_workers(2)
    found = Shards(cluster.scheduler_address, timeout_seconds=300)

    def call() -> dict[str, Any]:
        result = {"breakdown": found(accounts, tables).breakdown[-1]}
        if found.last_problem:
            raise RuntimeError(found.last_problem)
        return result

    return call
