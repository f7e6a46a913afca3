"""A keeper and a canary as real processes: what they answer, what changes that, how they end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from keeper.store.database import Database
from keeper.store.lease import INDEX, Lease
from scripts._devnet import ROOT, free_port
from tests.support.fault_proxy import FaultProxy
from tests.support.faults import Hang
from tests.support.keepers import Town, town

COMMAND = [sys.executable, "-c", "from keeper.app.cli import main; main()", "run", "-c"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture(scope="module")
def proxy(place: Town) -> Iterator[FaultProxy]:
    with FaultProxy(place.devnet.url) as found:
        yield found


@dataclass
class Running:
    """One process."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)

    def wait(self, condition: Callable[[], bool], seconds: float = 180) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if condition():
                    return True
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        return False

    def is_(self, path: str, status: int) -> Callable[[], bool]:
        return lambda: self.get(path).status_code == status

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in (self.folder / "log").read_text().splitlines() if line[:1] == "{"
        ]

    def end(self) -> tuple[int, float]:
        """Exit code after SIGTERM, and the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15), time.monotonic() - started


@contextmanager
def running(place: Town, proxy: FaultProxy, folder: Path, role: str) -> Iterator[Running]:
    """A process that reads through the proxy; ready."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    place.write_deployment(folder / "deployment.json")
    (folder / "plimsoll.toml").write_text(
        f'[keeper]\nroles=["{role}"]\nname="it"\ntick_seconds=0.05\n'
        f'[chain]\nrpc="{proxy.url}"\ndeployment="deployment.json"\ntimeout_seconds=4\n'
        f'[source]\nvenues=["binance"]\n[api]\nport={port}\n[log]\nformat="json"\n[operations]\nsilent_seconds=1\n'
    )
    with (folder / "log").open("wb") as log:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [*COMMAND, str(folder / "plimsoll.toml")]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
    found = Running(folder, port, process)
    try:
        assert found.wait(found.is_("/ready", 200)), (folder / "log").read_text()
        yield found
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def api(place: Town, proxy: FaultProxy, tmp_path: Path) -> Iterator[Running]:
    with running(place, proxy, tmp_path / "api", "api") as found:
        yield found
    proxy.clear()


def lease_of(running: Running) -> tuple[str, int, float] | None:
    database = Database(f"sqlite:///{running.folder}/keeper.sqlite")
    try:
        return Lease(database, INDEX, "test").owner()
    finally:
        database.close()


def test_run__sigterm__ends_with_zero_in_time_and_gives_its_lease_back(api: Running) -> None:
    assert lease_of(api) is not None
    code, seconds = api.end()

    assert code == 0 and seconds < 10
    assert lease_of(api) is None
    assert [line["event"] for line in api.lines if line.get("duty") == "process"] == ["started", "stopped"]


def test_run__ready__answers_health_status_and_metrics(api: Running) -> None:
    assert api.get("/live").json() == {"status": "live"}
    ready = api.get("/ready").json()
    assert ready["ready"] and ready["checks"]["index"] == "ok" and ready["checks"]["clock"] == "ok"
    status = api.get("/status").json()
    assert (status["name"], status["roles"], status["chain_id"]) == ("it", ["api"], 31_337)
    text = api.get("/metrics").text
    for name in (
        "plimsoll_ready 1.0",
        "plimsoll_live",
        "process_open_fds",
        'plimsoll_cycle_count_total{duty="index"',
    ):
        assert name in text
    assert 'plimsoll_multi_node_states{state="alive"} 1.0' in text


def test_run__node_goes_away_and_comes_back__not_ready_with_the_reason_then_ready(
    api: Running, proxy: FaultProxy
) -> None:
    proxy.down()
    try:
        assert api.wait(api.is_("/ready", 503))
        said = api.get("/ready").json()["reason"]
        assert "does not answer" in said or "unreachable" in said
        assert api.get("/live").status_code == 200, "it works, its node does not"
    finally:
        proxy.up()
    assert api.wait(api.is_("/ready", 200))


def test_run__a_loop_hangs__live_says_which_and_sigterm_still_ends_it_in_time(
    api: Running, proxy: FaultProxy
) -> None:
    """Every request hangs for the four seconds of its timeout: the loop is silent for longer than it may."""
    with proxy.fault(Hang()):
        assert api.wait(api.is_("/live", 503), 20)
        assert "loop duties silent for" in api.get("/live").json()["reason"]
        code, seconds = api.end()
    assert code in (0, 1) and seconds < 15, "nine seconds, and what a loaded machine adds"


def test_run__port_is_taken__one_sentence_and_nothing_done(api: Running) -> None:
    command = [*COMMAND, str(api.folder / "plimsoll.toml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    other = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert other.returncode == 1
    said = other.stderr.strip().splitlines()[-1]
    assert said == f"plimsoll: api: 127.0.0.1:{api.port} cannot be served: Address already in use"


def test_run__canary__needs_neither_key_nor_database(place: Town, proxy: FaultProxy, tmp_path: Path) -> None:
    with running(place, proxy, tmp_path / "canary", "canary") as canary:
        assert canary.wait(lambda: "plimsoll_canary_last_look_timestamp" in canary.get("/metrics").text)
        status = canary.get("/status").json()
        assert status["alarms"] == {} and "members of the quorum" in status["powers"]
        code, seconds = canary.end()
    assert code == 0 and seconds < 10
    assert sorted(path.name for path in canary.folder.iterdir()) == [
        "deployment.json",
        "log",
        "plimsoll.toml",
    ]
