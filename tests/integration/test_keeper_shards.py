"""Figures from real Dask workers: the same bits, also when a worker is killed, slow or of another release."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from keeper.attestation.accounts import Accounts
from keeper.attestation.batch_leaves import BatchTables, batch_tables, figures_of, margin_leaves
from keeper.attestation.report import RiskTables
from keeper.jobs import shards
from keeper.jobs.shards import Shards
from keeper.observability import names
from keeper.observability.metrics import Metrics
from keeper.risk.collateral import Collateral
from keeper.risk.margin import build_table
from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD
from tests.support.random_books import random_books, smile_market, universe

distributed = pytest.importorskip("distributed", reason="needs the extra `scale`")

SIZE = 4_000


@pytest.fixture(scope="module")
def tables() -> BatchTables:
    market = smile_market()
    table = build_table(market, Methodology.default(), universe(market))
    return batch_tables(RiskTables(table, table))


@pytest.fixture(scope="module")
def accounts(tables: BatchTables) -> Accounts:
    import numpy as np

    instruments = tables.effective.instruments
    books = random_books(len(instruments), SIZE, 12, seed=3, most_coins=20)
    order = sorted(range(len(instruments)), key=lambda i: instruments[i])
    place = np.argsort(order)
    return Accounts(
        ids=np.arange(1, SIZE + 1),
        indptr=books.indptr,
        instruments=tuple(instruments[i] for i in order),
        columns=place[books.rows].astype(np.int32),
        quantities=books.quantities,
        heads=np.zeros((SIZE, 3, 32), dtype=np.uint8),
        tiers=np.zeros(SIZE, dtype=np.int64),
        collateral={7: (Collateral(1, 1, 1_000, 500, WAD),)},
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as found:
        found.wait_for_workers(2)
        yield found


def same(found: object, accounts: Accounts, tables: BatchTables) -> bool:
    return margin_leaves(accounts, found) == margin_leaves(accounts, figures_of(accounts, tables))


def test_shards__slow_workers__computed_here_in_time(
    cluster: object, accounts: Accounts, tables: BatchTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> None:
        time.sleep(30)

    metrics = Metrics()
    engine = Shards(cluster.scheduler_address, timeout_seconds=60, metrics=metrics)
    assert same(engine(accounts, tables), accounts, tables)  # and compiled everywhere
    assert (engine.last_problem, metrics.value(names.ENGINE_WORKERS)) == ("", 2)
    monkeypatch.setattr(shards, "_work", slow)
    engine._timeout = 2
    started = time.monotonic()
    assert same(engine(accounts, tables), accounts, tables)
    assert time.monotonic() - started < 15
    assert metrics.value(names.ENGINE_FALLBACKS) == 1
    assert engine.last_problem.startswith("2 of 2 parts not computed by workers: TimeoutError")
    engine.close()


def test_shards__workers_of_another_release_or_no_scheduler__computed_here(
    cluster: object, accounts: Accounts, tables: BatchTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "fingerprint", lambda: "another")
    engine = Shards(cluster.scheduler_address, timeout_seconds=60)
    assert same(engine(accounts, tables), accounts, tables)
    assert engine.last_problem == "no worker of this release"
    engine.close()

    alone = Shards("tcp://127.0.0.1:9", timeout_seconds=1)
    assert same(alone(accounts, tables), accounts, tables)
    assert "127.0.0.1:9" in alone.last_problem
    alone.close()


def test_shards__one_of_two_workers_killed_mid_round__same_bits_and_it_is_told(
    cluster: object, accounts: Accounts, tables: BatchTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics()
    engine = Shards(cluster.scheduler_address, timeout_seconds=60, metrics=metrics)
    assert same(engine(accounts, tables), accounts, tables)
    assert engine.last_problem == ""
    processes = [worker.pid for worker in cluster.workers.values()]
    work = shards._work

    def deadly(part: Accounts, given: BatchTables) -> object:
        if os.getpid() == processes[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(part, given)

    monkeypatch.setattr(shards, "_work", deadly)
    engine._timeout = 15
    assert same(engine(accounts, tables), accounts, tables)
    assert engine.last_problem
    assert metrics.value(names.ENGINE_FALLBACKS) >= 1
    engine.close()
