"""Four keeper processes: three attesters at three venues, and a proposer that also settles and serves."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from web3 import Web3

from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD
from scripts import _demo_story as story
from scripts._devnet import CHAIN_ID, MNEMONIC, Devnet, free_port, stop
from scripts._protocol import BTC, ETH, Deployment, Parameters, deploy, write_record
from scripts._trading import KeeperClient, KeeperError
from scripts._web3_backend import Web3Backend

VENUES = ("binance", "bybit", "hyperliquid")
THRESHOLD = 2
_PLIMSOLL = Path(sys.executable).parent / "plimsoll"
_TICK_SECONDS = 0.05


@dataclass
class Keepers:
    """Configured keepers and, once started, their processes."""

    folder: Path
    attesters: tuple[str, ...]  # addresses, in the quorum's order
    proposer: str
    ports: tuple[int, ...]  # three attesters, then the proposer
    processes: tuple[subprocess.Popen[bytes], ...] = ()

    @property
    def url(self) -> str:
        """The proposer's API."""
        return f"http://127.0.0.1:{self.ports[-1]}"

    @property
    def client(self) -> KeeperClient:
        return KeeperClient(self.url)

    def require_alive(self) -> None:
        """RuntimeError naming the log of a process that has ended."""
        for name, process in zip(_names(), self.processes, strict=True):
            if process.poll() is not None:
                tail = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()[-3:]
                raise RuntimeError(f"{name} ended with code {process.returncode}: {' | '.join(tail)}")


def deploy_protocol(devnet: Devnet, keepers: Keepers, path: Path) -> Deployment:
    """Deploys by the recipe, with these attesters; writes the record to `path`; pays the proposer's gas."""
    Account.enable_unaudited_hdwallet_features()
    deployer = Account.from_mnemonic(MNEMONIC)
    parameters = Parameters(
        attesters=keepers.attesters,
        threshold=THRESHOLD,
        methodology_hash=Methodology.default().hash(),
        guardian=deployer.address,
        proposers=(deployer.address,),
        underlyings=(BTC, ETH),
        expiries=story.GRIDS,
    )
    web3 = Web3(Web3.HTTPProvider(devnet.url, request_kwargs={"timeout": 60}))
    deployment = deploy(Web3Backend(web3, bytes(deployer.key)), parameters)
    devnet.rpc("anvil_setBalance", keepers.proposer, hex(1000 * WAD))
    write_record(deployment, CHAIN_ID, 0, path.parent)
    return deployment


def configure(folder: Path, devnet: Devnet, deployment: Path, api_port: int | None = None) -> Keepers:
    """Runs `plimsoll init` for each process: configuration, a key of its own, a port."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ports = (*(free_port() for _ in VENUES), api_port or free_port())
    attesters = [f"http://127.0.0.1:{port}" for port in ports[:-1]]
    started = []
    for name, venue, port in zip(_names(), (*VENUES, VENUES[0]), ports, strict=True):
        command = [str(_PLIMSOLL), "init", str(folder / name), "--deployment", str(deployment)]
        command += ["--rpc", devnet.url, "--port", str(port), "--venue", venue, "--light"]
        if name == "proposer":
            command += ["--role", "proposer", "--role", "settler", "--role", "api"]
            command += [part for url in attesters for part in ("--attester", url)]
        else:
            command += ["--role", "attester"]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    addresses = [_address_of(process) for process in started]
    for name in _names():
        path = folder / name / "plimsoll.toml"
        text = path.read_text().replace("tick_seconds = 2.0", f"tick_seconds = {_TICK_SECONDS}")
        path.write_text(text)
    return Keepers(folder, tuple(addresses[:-1]), addresses[-1], ports)


@contextmanager
def running(keepers: Keepers) -> Iterator[Keepers]:
    """Starts the processes and stops them at the end."""
    processes = []
    try:
        for name in _names():
            with (keepers.folder / f"{name}.log").open("wb") as log:
                command = [str(_PLIMSOLL), "run", "--config", str(keepers.folder / name / "plimsoll.toml")]
                processes.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        keepers.processes = tuple(processes)
        yield keepers
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            stop(process)


def wait_until_live(keepers: Keepers, seconds: float = 60) -> None:
    """Until every process answers. RuntimeError with the log's end when one does not."""
    deadline = time.monotonic() + seconds
    for port in keepers.ports:
        client = KeeperClient(f"http://127.0.0.1:{port}")
        while True:
            keepers.require_alive()
            with suppress(KeeperError):
                client.live()
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"no keeper answers on port {port} after {seconds:.0f} s")
            time.sleep(0.05)


def _names() -> tuple[str, ...]:
    return ("attester-1", "attester-2", "attester-3", "proposer")


def _address_of(process: "subprocess.Popen[str]") -> str:
    said, _ = process.communicate(timeout=60)
    if process.returncode:
        raise RuntimeError(f"plimsoll init: {said.strip()}")
    return said.split("address ")[1].split()[0]
