"""Measures of the index, a JSON row a line: `python -m tests.benchmarks.index_sides FOLDER`.

Logs are as a node's JSON has them, already parsed; stored means decoded, projected, checked for gaps and
committed, with the durability that a keeper has. A restart is a process of its own, from its start with an
empty database and a snapshot until it says that it is ready.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from keeper.chain.block_logs import BlockLogs
from keeper.chain.cold_start import write_snapshot
from keeper.chain.contracts import Protocol
from keeper.chain.deployment import Deployment, load
from keeper.chain.index import Index
from keeper.chain.node import Node
from keeper.store.database import Database
from scripts._devnet import ROOT, free_port, stop
from tests.support import postgres
from tests.support.history import ADDRESSES, History

_ACCOUNTS, _TRADES = 5_000, 30_000  # 100,000 logs
_RUN = 250  # blocks, 10,000 logs: what the index's pace settles at
_REPEATS = 5
_CROWD, _LEGS = 100_000, 3
_READY_SECONDS = 300


def main(folder: str) -> None:
    """All of it."""
    blocks = list(History(_ACCOUNTS, _TRADES).blocks())
    _say("logs_decoded_per_s", _decoded(blocks), "logs/s")
    _say("logs_stored_per_s", _stored(blocks, lambda n: f"sqlite:///{folder}/{n}.sqlite"), "logs/s")
    reason = postgres.missing()
    if reason:
        _say("logs_stored_per_s_postgresql", f"left out: {reason}")
    else:
        server = postgres.Server(fsync=True)
        _say("logs_stored_per_s_postgresql", _stored(blocks, lambda _n: server.create()), "logs/s")
        server.stop()
    _say("restart_to_ready_s", _restart(Path(folder)), "s")


def _say(*row: object) -> None:
    print(json.dumps(row), flush=True)


def _index(database: Database) -> Index:
    deployment = Deployment(1, 0, ADDRESSES)
    return Index(Protocol(Node("http://127.0.0.1:1"), deployment), database)


def _decoded(blocks: Sequence[BlockLogs]) -> float:
    """Best of five."""
    index = _index(Database("sqlite://"))
    best = 0.0
    for _ in range(_REPEATS):
        started = time.perf_counter()
        count = sum(len(index._decoded(block)) for block in blocks)
        best = max(best, count / (time.perf_counter() - started))
    return best


def _stored(blocks: Sequence[BlockLogs], url: Callable[[int], str]) -> float:
    """Best of five, each into an empty database."""
    best = 0.0
    count = sum(len(block.logs) for block in blocks)
    for number in range(_REPEATS):
        database = Database(url(number))
        index = _index(database)
        started = time.perf_counter()
        for first in range(0, len(blocks), _RUN):
            index._store(blocks[first : first + _RUN])
        best = max(best, count / (time.perf_counter() - started))
        database.close()
    return best


def _restart(folder: Path) -> float:
    """Seconds of an attester, from its start to ready."""
    from tests.support.crowd import Crowd, instruments_of
    from tests.support.epoch_town import EXPIRIES, EpochTown
    from tests.support.keepers import GENESIS, start_anvil

    with start_anvil(genesis_timestamp=GENESIS) as devnet:
        place = EpochTown(devnet, folder, 1)
        crowd = Crowd(place, instruments_of(EXPIRIES, place.spots), 3, _CROWD, _LEGS)
        crowd.write_chain()
        keeper = place.keeper("attester0", "attester")
        crowd.write_index(keeper)
        head = keeper.desk.sync()
        deployment = load(place.write_deployment(folder / "deployment.json"))
        write_snapshot(keeper.desk.index, deployment, folder / "index.snapshot", head.number)
        keeper.close()
        return _ready_after(_configured(folder / "attester0", folder / "cold"))


def _configured(from_folder: Path, folder: Path) -> Path:
    """The same keeper without a database, on a port of its own."""
    shutil.copytree(from_folder, folder, ignore=shutil.ignore_patterns("*.sqlite*"))
    config = folder / "plimsoll.toml"
    text = config.read_text().replace("[chain]\n", '[chain]\nsnapshot="../index.snapshot"\n')
    config.write_text(text.replace("port=8600", f"port={free_port()}"))
    return config


def _ready_after(config: Path) -> float:
    port = config.read_text().split("port=")[1].split()[0]
    started = time.perf_counter()
    with (config.parent / "log").open("wb") as log:
        command = [str(Path(sys.executable).with_name("plimsoll")), "run", "-c", str(config)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        while not _is_ready(port):
            seconds = time.perf_counter() - started
            if process.poll() is not None or seconds > _READY_SECONDS:
                raise RuntimeError((config.parent / "log").read_text()[-4_000:])
            time.sleep(0.05)
        return time.perf_counter() - started
    finally:
        stop(process)


def _is_ready(port: str) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
