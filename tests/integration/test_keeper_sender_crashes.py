"""kill -9 at the edges of the state machine of transactions: whoever comes next finds all it needs in the
rows, and no intent has two effects.

CRASH_CAMPAIGN=3 kills at every edge; by default it is every third, from another one in each scenario.
"""

import itertools
import multiprocessing
import os
import queue
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts._devnet import Devnet, start_anvil
from tests.support.crashing_sender import database_in, run
from tests.support.sending import Bench

STEP = max(1, 3 // int(os.environ.get("CRASH_CAMPAIGN", "1")))
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.support.crashing_sender"])


@pytest.fixture(scope="module")
def devnet() -> Iterator[Devnet]:
    with start_anvil() as found:
        yield found


@pytest.fixture(scope="module")
def template(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, so that it is made only once."""
    folder = tmp_path_factory.mktemp("template")
    bench = Bench(devnet, database_in(folder))
    bench.base_fee(10)
    bench.mine()
    bench.database.close()
    return folder


@pytest.mark.parametrize(("first", "scenario"), enumerate(["replaced", "reorged", "cancelled"], start=1))
def test_killed_at_its_edges__at_most_one_effect_and_nothing_left(
    devnet: Devnet, template: Path, tmp_path: Path, first: int, scenario: str
) -> None:
    survived = None
    for edge in itertools.count(first if STEP > 1 else 1, STEP):
        snapshot = devnet.rpc("evm_snapshot")
        folder = tmp_path / str(edge)
        shutil.copytree(template, folder)
        survived = _killed_at(devnet, folder, scenario, edge)
        _recover(Bench(devnet, database_in(folder)), scenario, edge)
        shutil.rmtree(folder)
        devnet.rpc("anvil_dropAllTransactions")
        devnet.rpc("evm_revert", snapshot)
        if survived is not None:
            break
    assert survived is not None and edge - STEP <= survived < edge and survived >= 30, "to the last edge"


def _killed_at(devnet: Devnet, folder: Path, scenario: str, edge: int) -> int | None:
    """Number of edges if it survived."""
    done = CONTEXT.Queue()
    arguments = (devnet.url, devnet.chain_id, str(folder), scenario, edge, done)
    process = CONTEXT.Process(target=run, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -9), (scenario, edge, process.exitcode)
    try:
        return int(done.get(timeout=1)) if process.exitcode == 0 else None
    except queue.Empty:
        return None


def _recover(bench: Bench, scenario: str, edge: int) -> None:
    """Another process takes over, is asked for the same things again, and finishes them."""
    with bench.database.begin() as connection:  # the dead one's lease has run out
        connection.exec_driver_sql("UPDATE lease SET expires_at = 0")
    sender = bench.sender(replace_after_blocks=1)
    for counter in (1, 2):
        deadline = bench.now() + 30 if scenario == "cancelled" and counter == 1 else None
        bench.submit(sender, counter, deadline=deadline)
    bench.settle(sender)
    context = (scenario, edge, bench.count(1), bench.count(2), sender.counts())
    assert bench.count(2) == 1 and bench.count(1) <= 1, context
    first = sender.find("epoch:1")
    assert first is not None and (first.state in ("confirmed", "final")) == (bench.count(1) == 1), context
    assert scenario == "cancelled" or bench.count(1) == 1, context
    pool = bench.devnet.rpc("txpool_content")
    assert not pool["pending"] and not pool["queued"], context
    bench.database.close()
