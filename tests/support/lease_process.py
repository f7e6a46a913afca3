"""A process that holds a lease, or follows the chain under one, as it is told line by line: a test can stop
and kill it. `python -m tests.support.lease_process DATABASE HOLDER SECONDS [RPC DEPLOYMENT]`."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from keeper.store.database import Database
from keeper.store.lease import INDEX, Lease
from keeper.store.schema import snapshot


class Process:
    """The test's side."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.support.lease_process", *map(str, arguments)]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()  # it is there

    def tell(self, *words: object) -> None:
        """One command; it does not matter whether the process runs."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(" ".join(map(str, words)) + "\n")
        self.popen.stdin.flush()

    def answer(self) -> Any:
        """What it said to the oldest command not answered yet."""
        assert self.popen.stdout is not None
        return json.loads(self.popen.stdout.readline())

    def ask(self, *words: object) -> Any:
        self.tell(*words)
        return self.answer()

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait()


def main(url: str, holder: str, seconds: str, rpc: str = "", deployment: str = "") -> None:
    """Acquire, write a row, or sync an index; one answer a line."""
    database = Database(url)
    lease = Lease(database, INDEX, holder, float(seconds))
    sync = _syncing(database, lease, rpc, Path(deployment)) if rpc else None
    _say("ready")
    for line in sys.stdin:
        word, *rest = line.split()
        try:
            if word == "acquire":
                _say({"held": lease.acquire(), "epoch": lease.epoch})
            elif word == "write":
                with lease.begin() as connection:
                    connection.execute(insert(snapshot).values(number=int(rest[0]), root="", content=holder))
                _say("written")
            elif sync is not None:
                _say({"head": sync(), "epoch": lease.epoch})
        except RuntimeError as error:
            _say(f"{type(error).__name__}: {error}")


def _syncing(database: Database, lease: Lease, rpc: str, deployment: Path) -> Callable[[], str]:
    from keeper.chain.contracts import Protocol
    from keeper.chain.deployment import load
    from keeper.chain.index import Index
    from keeper.chain.node import Node

    index = Index(Protocol(Node(rpc), load(deployment)), database, lease)
    return lambda: index.sync().hash


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
