"""Four keeper processes: three attesters at three venues, one of which also liquidates, and a proposer that
also settles and serves."""

import functools
import io
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from eth_account import Account
from web3 import Web3

from keeper.app import cli
from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD
from scripts import _demo_story as story
from scripts._artifacts import prepare
from scripts._devnet import CHAIN_ID, MNEMONIC, Devnet, free_port, stop
from scripts._protocol import (
    BTC,
    DEPLOYED,
    ETH,
    Collateral,
    Deployment,
    Parameters,
    deploy,
    write_record,
)
from scripts._trading import KeeperClient, KeeperError
from scripts._web3_backend import Web3Backend

VENUES = ("binance", "bybit", "hyperliquid")
THRESHOLD = 2
NAMES = ("attester-1", "attester-2", "attester-3", "proposer")
LIQUIDATOR = "attester-3"  # one operator runs both
LIQUIDATOR_ACCOUNT = 3  # the maker and the dealer open theirs before it
_HOURLY_LIMITS = (120, 3_600, 14_400, 1)  # maxAge, staleAfter, frozenAfter in seconds, minBlocks
COLLATERAL = Collateral("MockETH", 18, story.ETH, 1_500, 1_000, 10_000 * WAD)
# an attester works when it is asked; its own round only keeps the index near the head
_TICK_SECONDS = {"proposer": 0.05, LIQUIDATOR: 0.3}
_IDLE_TICK_SECONDS = 5.0


@dataclass
class Keepers:
    """Configured keepers and, once started, their processes by name."""

    folder: Path
    attesters: tuple[str, ...]  # addresses, in the quorum's order
    proposer: str
    ports: dict[str, int]
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @functools.cached_property
    def client(self) -> KeeperClient:
        """The proposer's API."""
        return KeeperClient(self.url("proposer"))

    @property
    def liquidator(self) -> str:
        """Address of the key that flags and bids."""
        return self.attesters[NAMES.index(LIQUIDATOR)]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, name: str) -> None:
        """Starts a process; its log goes on."""
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [str(_plimsoll()), "run", "--config", str(self.folder / name / "plimsoll.toml")]
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def stop(self, name: str) -> None:
        """Ends a process as its operator would."""
        stop(self.processes.pop(name), 15)

    def require_alive(self) -> None:
        """RuntimeError with the end of the log of a process that has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                tail = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()[-3:]
                raise RuntimeError(f"{name} ended with code {process.returncode}: {' | '.join(tail)}")

    def wait_until_live(self, seconds: float = 60) -> None:
        """Until every started process answers. RuntimeError with the log's end when one does not."""
        deadline = time.monotonic() + seconds
        for name in list(self.processes):
            client = KeeperClient(self.url(name))
            while True:
                self.require_alive()
                with suppress(KeeperError):
                    client.live()
                    break
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{name} does not answer after {seconds:.0f} s")
                time.sleep(0.1)


def deploy_protocol(devnet: Devnet, keepers: Keepers, path: Path, hourly: bool = False) -> Deployment:
    """Deploys by the recipe, with these attesters; writes the record to `path`; pays the senders' gas.

    hourly: for epochs every hour, which are no gap that the accounts need time after.
    """
    prepare((*DEPLOYED, "MockToken"))
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
        collaterals=(COLLATERAL,),
    )
    if hourly:
        calm = replace(parameters.auctions, grace=0)
        parameters = replace(parameters, limits=_HOURLY_LIMITS, auctions=calm)
    web3 = Web3(Web3.HTTPProvider(devnet.url, request_kwargs={"timeout": 60}))
    deployment = deploy(Web3Backend(web3, bytes(deployer.key)), parameters)
    for sender in (keepers.proposer, keepers.liquidator):
        devnet.rpc("anvil_setBalance", sender, hex(1000 * WAD))
    write_record(deployment, CHAIN_ID, 0, path.parent, verified=False)
    return deployment


def configure(folder: Path, devnet: Devnet, deployment: Path, api_port: int | None = None) -> Keepers:
    """What `plimsoll init` does, for each process: configuration, a key of its own, a port."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ports = {name: free_port() for name in NAMES}
    if api_port is not None:
        ports["proposer"] = api_port
    attesters = [f"http://127.0.0.1:{ports[name]}" for name in NAMES if name != "proposer"]
    addresses = []
    for name, venue in zip(NAMES, (*VENUES, VENUES[0]), strict=True):
        with redirect_stdout(io.StringIO()) as said:
            cli.init(
                folder=folder / name,
                role=list(_roles(name)),
                deployment=deployment,
                rpc=devnet.url,
                port=ports[name],
                venue=venue,
                attester=attesters if name == "proposer" else [],
                account=LIQUIDATOR_ACCOUNT if name == LIQUIDATOR else 0,
                light=True,
            )
        addresses.append(said.getvalue().split("address ")[1].strip())
        path = folder / name / "plimsoll.toml"
        tick = _TICK_SECONDS.get(name, _IDLE_TICK_SECONDS)
        path.write_text(path.read_text().replace("tick_seconds = 2.0", f"tick_seconds = {tick}"))
    _introduce(folder, addresses[-1], f"http://127.0.0.1:{ports['proposer']}")
    return Keepers(folder, tuple(addresses[:-1]), addresses[-1], ports)


def _introduce(folder: Path, proposer: str, url: str) -> None:
    """Tells the attesters who may ask them for signatures, and where his leaves are."""
    for name in NAMES:
        if name != "proposer":
            with (folder / name / "plimsoll.toml").open("a") as config:
                config.write(f'\n[network]\nproposers = ["{proposer}"]\n\n[attester]\nkeepers = ["{url}"]\n')


@contextmanager
def running(keepers: Keepers) -> Iterator[Keepers]:
    """Starts the processes and stops them at the end."""
    try:
        for name in NAMES:
            keepers.start(name)
        yield keepers
    finally:
        for process in keepers.processes.values():
            process.terminate()
        for process in keepers.processes.values():
            stop(process)


def _roles(name: str) -> tuple[str, ...]:
    if name == "proposer":
        return ("proposer", "settler", "api")
    return ("attester", "liquidator") if name == LIQUIDATOR else ("attester",)


def _plimsoll() -> Path:
    """The command beside this Python."""
    return Path(sys.executable).parent / "plimsoll"
