"""A topology run as an operator runs it: processes come up in order, epochs appear, Ctrl-C ends them all."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from keeper.network.client import get_json
from scripts._devnet import ROOT, free_port

COMMAND = [sys.executable, "-c", "from keeper.app.cli import main; main()", "topology", "run"]
SHIPPED = Path(str(files("keeper.operations").joinpath("topology.toml")))
SMALL = """\
name = "small"
[chain]
port = {chain}
start = 2025-04-03T00:00:00Z
[[keepers]]
name = "attester"
roles = ["attester"]
venues = ["binance"]
port = {attester}
[[keepers]]
name = "proposer"
roles = ["proposer", "settler", "api"]
venues = ["binance"]
port = {proposer}
[[keepers]]
name = "canary"
roles = ["canary"]
port = {canary}
"""
SERVICES = ("chain", "attester", "proposer", "canary")


class Network:
    """`plimsoll topology run` in a process of its own."""

    def __init__(self, topology: Path, folder: Path) -> None:
        self.folder, self.log = folder, folder.parent / "runner.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, str(topology), "--dir", str(folder)],
                cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.said:
            assert self.process.poll() is None and time.monotonic() < deadline, self.said
            time.sleep(0.2)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)


def small(tmp_path: Path) -> tuple[Path, dict[str, int]]:
    ports = {name: free_port() for name in SERVICES}
    path = tmp_path / "topology.toml"
    path.write_text(SMALL.format(**ports))
    return path, ports


def test_run__small_network__comes_up_in_order_posts_epochs_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    path, ports = small(tmp_path)
    network = Network(path, tmp_path / "network")
    try:
        network.wait_for("logs:", 240)
        order = re.findall(r"^(\S+): (started|ready|done)$", network.said, re.MULTILINE)
        places = {event: place for place, event in enumerate(order)}
        assert places["chain", "ready"] < places["protocol", "started"] < places["protocol", "done"]
        assert places["protocol", "done"] < places["attester", "started"]
        assert places["attester", "ready"] < places["proposer", "started"]
        assert all(re.search(rf"{name}\s+\S\s+ready", network.said) for name in SERVICES)

        deadline = time.monotonic() + 120
        while get_json(f"http://127.0.0.1:{ports['canary']}/status").get("epoch", 0) < 1:
            assert time.monotonic() < deadline, (network.folder / "proposer.log").read_text()[-2_000:]
            time.sleep(0.2)
        assert network.interrupt() == 0
    finally:
        network.process.kill()
    assert "stopped" in network.said and "killed:" not in network.said
    for port in ports.values():
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/live", timeout=1)
    logs = {log.stem for log in network.folder.glob("*.log")}
    assert logs == {*SERVICES, "protocol"}


def test_run__a_process_dies__named_with_its_last_words_and_the_others_are_ended(tmp_path: Path) -> None:
    """The proposer's port is taken, so it ends at once."""
    path, ports = small(tmp_path)
    blocker = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(ports["canary"]), "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        network = Network(path, tmp_path / "network")
        try:
            assert network.process.wait(240) == 1
        finally:
            network.process.kill()
    finally:
        blocker.kill()
        blocker.wait()
    last = network.said.strip().splitlines()[-1]
    assert re.match(r"plimsoll: canary ended with code 1: .*cannot be served: Address already in use", last)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{ports['chain']}", timeout=1)


@pytest.mark.skipif(
    not os.environ.get("PLIMSOLL_NETWORK"), reason="set PLIMSOLL_NETWORK=1 to run the whole shipped topology"
)
def test_run__shipped_topology__every_service_ready_and_scraped(tmp_path: Path) -> None:
    network = Network(SHIPPED, tmp_path / "network")
    try:
        network.wait_for("logs:", 600)
        if shutil.which("prometheus"):
            deadline = time.monotonic() + 60
            query = "http://127.0.0.1:9090/api/v1/query?query=sum(up)"
            while not (found := get_json(query)["data"]["result"]) or float(found[0]["value"][1]) < 9:
                assert time.monotonic() < deadline, found
                time.sleep(0.5)
        assert network.interrupt() == 0
    finally:
        network.process.kill()
    assert "killed:" not in network.said
