"""Real processes over one database: one at a time writes; one that was stopped for long writes nothing."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from keeper.chain.contracts import Protocol
from keeper.chain.deployment import load
from keeper.chain.index import Index
from keeper.chain.node import Node
from keeper.store.database import Database
from keeper.store.schema import OF_A_BLOCK, VERSIONED, snapshot
from tests.support import postgres
from tests.support.keepers import USDC, Town, town
from tests.support.lease_process import Process

Start = Callable[..., Process]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    found = postgres.server().create() if request.param == "postgresql" else f"sqlite:///{tmp_path}/k.sqlite"
    Database(found).close()
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Process] = []

    def start(*arguments: object) -> Process:
        started.append(Process(*arguments))
        return started[-1]

    yield start
    for process in started:
        process.close()


def until(ask: Callable[[], Any], wanted: Callable[[Any], bool], seconds: float = 30) -> Any:
    """Ask until the answer is the wanted one."""
    end = time.monotonic() + seconds
    while not wanted(answer := ask()):
        assert time.monotonic() < end, f"still {answer}"
        time.sleep(0.1)
    return answer


def written(url: str) -> list[tuple[int, str]]:
    with Database(url).read() as connection:
        rows = connection.execute(select(snapshot.c.number, snapshot.c.content).order_by(snapshot.c.number))
        return [tuple(row) for row in rows]


def rows(database: Database) -> dict[str, Any]:
    with database.read() as connection:
        tables = (*VERSIONED, *OF_A_BLOCK)
        return {t.name: sorted(map(str, connection.execute(select(t)).all())) for t in tables}


def test_lease__holder_stopped_and_continued__its_write_raises_and_writes_nothing(
    url: str, start: Start
) -> None:
    first, second = start(url, "first", 1), start(url, "second", 1)
    assert first.ask("acquire") == {"held": True, "epoch": 1}
    assert first.ask("write", 1) == "written"
    assert second.ask("acquire") == {"held": False, "epoch": None}
    first.popen.send_signal(signal.SIGSTOP)
    first.tell("write", 2)  # what it will do when it wakes up, believing that it still holds the lease
    assert until(lambda: second.ask("acquire"), lambda a: a["held"])["epoch"] == 2
    assert second.ask("write", 3) == "written"
    first.popen.send_signal(signal.SIGCONT)
    assert first.answer().startswith("LeaseLost: lease index: epoch 1 of first is over, it is 2 now")
    assert first.ask("acquire") == {"held": False, "epoch": None}
    assert written(url) == [(1, "first"), (3, "second")]


def test_index__writer_killed__another_goes_on_and_rows_are_those_of_one_writer(
    place: Town, start: Start, url: str, tmp_path: Path
) -> None:
    deployment = place.write_deployment(tmp_path / "deployment.json")
    first, second = (start(url, name, 2, place.devnet.url, deployment) for name in ("first", "second"))
    head = first.ask("sync")
    assert head["epoch"] == 1
    assert second.ask("sync") == {"head": head["head"], "epoch": None}, "it reads what the first wrote"
    place.open_account(5 * USDC)
    first.tell("sync")
    first.popen.kill()  # somewhere in it
    taken = until(lambda: second.ask("sync"), lambda a: isinstance(a, dict) and a["epoch"] == 2)
    place.open_account(6 * USDC)
    later = second.ask("sync")
    assert later["head"] != taken["head"]
    protocol = Protocol(Node(place.devnet.url), load(deployment))
    replay = Index(protocol, Database(f"sqlite:///{tmp_path}/replay.sqlite"))
    assert replay.sync().hash == later["head"]
    assert rows(Database(url)) == rows(replay.database)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_index__writer_stopped_and_continued__it_follows_the_one_that_took_over(
    place: Town, start: Start, url: str, tmp_path: Path
) -> None:
    deployment = place.write_deployment(tmp_path / "deployment.json")
    first, second = (start(url, name, 1, place.devnet.url, deployment) for name in ("first", "second"))
    assert first.ask("sync")["epoch"] == 1
    first.popen.send_signal(signal.SIGSTOP)
    place.open_account(7 * USDC)
    first.tell("sync")
    taken = until(lambda: second.ask("sync"), lambda a: isinstance(a, dict) and a["epoch"] == 2)
    first.popen.send_signal(signal.SIGCONT)
    answer = first.answer()
    assert answer == {"head": taken["head"], "epoch": None} or answer["epoch"] == 3, answer
    protocol = Protocol(Node(place.devnet.url), load(deployment))
    replay = Index(protocol, Database(f"sqlite:///{tmp_path}/replay.sqlite"))
    replay.sync()
    assert rows(Database(url)) == rows(replay.database)
