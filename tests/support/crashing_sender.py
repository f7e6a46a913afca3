"""A sender in a process of its own that kills itself, as kill -9 does, at a numbered edge: before and after
every commit, and before and after every message to the node.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from keeper.chain.node import Node
from keeper.store.database import Database
from scripts._devnet import Devnet
from tests.support.sending import Bench


class Edges:
    """Counts edges; at the one it was made for the process dies."""

    def __init__(self, fatal: int) -> None:
        self.passed, self._fatal = 0, fatal

    def cross(self) -> None:
        """One edge."""
        self.passed += 1
        if self.passed == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def run(url: str, chain_id: int, folder: str, scenario: str, fatal: int, done: Any) -> None:
    """The scenario up to its fatal edge; `done` (a queue) is told the number of edges if it survives."""
    edges = Edges(fatal)
    bench = Bench(Devnet(url, chain_id, None), database_in(Path(folder)))  # type: ignore[arg-type]
    bench.database.begin = _crossing(edges, bench.database)  # type: ignore[method-assign]
    node = Node(url)
    node.send = _sending(edges, node.send)  # type: ignore[method-assign]
    SCENARIOS[scenario](bench, node)
    done.put(edges.passed)


def database_in(folder: Path) -> Database:
    """The one in a folder, a new one if there is none."""
    return Database(f"sqlite:///{folder}/tx.sqlite")


def _crossing(edges: Edges, database: Database) -> Callable[[], Any]:
    begin = database.begin

    @contextmanager
    def crossing() -> Iterator[Connection]:
        with begin() as connection:
            yield connection
            edges.cross()
        edges.cross()

    return crossing


def _sending(edges: Edges, send: Callable[[str], None]) -> Callable[[str], None]:
    def sending(raw: str) -> None:
        edges.cross()
        send(raw)
        edges.cross()

    return sending


def replaced(bench: Bench, node: Node) -> None:
    """The first attempt becomes too cheap; another intent comes behind it; both are mined."""
    sender = bench.sender(node, replace_after_blocks=1)
    bench.submit(sender, 1)
    for counter in (1, 2):
        bench.base_fee(100)
        bench.submit(sender, counter)
        sender.advance()
    bench.mine()
    sender.advance()


def reorged(bench: Bench, node: Node) -> None:
    """Both are mined and confirmed; their blocks are taken back; they are mined again."""
    sender = bench.sender(node)
    for counter in (1, 2):
        bench.submit(sender, counter)
        bench.mine()
        sender.advance()
    bench.devnet.rpc("anvil_rollback", 2)
    sender.advance()
    bench.mine()
    sender.advance()


def cancelled(bench: Bench, node: Node) -> None:
    """The first one's deadline passes while it is too cheap; the second one's does not."""
    sender = bench.sender(node)
    bench.submit(sender, 1, deadline=bench.now() + 30)
    bench.submit(sender, 2)
    bench.devnet.rpc("evm_increaseTime", 60)
    bench.base_fee(100)
    sender.advance()
    bench.mine()
    sender.advance()


SCENARIOS = {"replaced": replaced, "reorged": reorged, "cancelled": cancelled}
