"""The protocol on a fresh chain with keepers as processes of their own: three attesters, a proposer that also
settles, and, once it has an account, a liquidator."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from web3 import HTTPProvider, Web3

from keeper.attestation.typed_data import digest, domain_separator, sign
from keeper.chain.keys import create_keystore
from keeper.exchange.order import Leg, Order, fill_arguments, nonce_of, signature_bytes
from keeper.risk.methodology import Methodology
from keeper.sources.recorded import RecordedSource
from scripts import _trading
from scripts._devnet import ROOT, Devnet, anvil_path, free_port, start_anvil
from scripts._protocol import BTC, ETH, AuctionTerms, Deployment, Parameters, deploy, write_record
from scripts._web3_backend import Web3Backend

DEPLOYER_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
USDC = 10**6
VENUES = ("binance", "bybit", "hyperliquid")
ATTESTERS = ("attester0", "attester1", "attester2")
NAMES = (*ATTESTERS, "proposer", "liquidator")
GRID = (1_000 * 10**8, 3_000 * 10**8, 100 * 10**8)
TICK = 10**16
MINIMUM_RETURN = 0.08  # of the liquidator: by the terms 300 seconds into an auction


@dataclass(frozen=True)
class Opening:
    """When the chain begins (unix seconds, inside the recorded market), and what differs between tests."""

    genesis: int
    expiries: tuple[int, ...]  # of ether, unix seconds
    auctions: AuctionTerms = AuctionTerms()


class Loop:
    """A deployed protocol with its keeper processes, each known by one of `names`."""

    names: tuple[str, ...] = NAMES
    start_seconds = 60.0

    def __init__(self, devnet: Devnet, folder: Path, opening: Opening) -> None:
        self.devnet, self.folder = devnet, folder
        self.client = httpx.Client(timeout=10)  # one: making it costs more than asking
        self.backend = Web3Backend(Web3(HTTPProvider(devnet.url)), DEPLOYER_KEY)
        self.signers = {
            name: create_keystore(folder / name / "keystore.json", folder / name / "password.txt", light=True)
            for name in self.names
        }
        self.deployment = self._deploy(opening)
        self.ports = {name: free_port() for name in self.names}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.liquidators_account = 0
        self._fills = 0

    def _deploy(self, opening: Opening) -> Deployment:
        observed = RecordedSource("binance", {1: "BTC", 2: "ETH"}).observe(opening.genesis, {1: [], 2: []})
        attesters = (self.signers[name].address for name in ATTESTERS)
        parameters = Parameters(
            attesters=tuple(sorted(attesters, key=lambda a: int(a, 16))),
            threshold=2,
            methodology_hash=Methodology.default().hash(),
            guardian=self.backend.deployer,
            proposers=(self.backend.deployer,),
            underlyings=(replace(BTC, spot8=observed.spots[1]), replace(ETH, spot8=observed.spots[2])),
            expiries=tuple((2, expiry, GRID) for expiry in opening.expiries),
            auctions=opening.auctions,
        )
        deployment = deploy(self.backend, parameters)
        write_record(deployment, self.devnet.chain_id, 0, self.folder, verified=False)
        for name in (name for name in self.names if name not in ATTESTERS):
            self.devnet.rpc("anvil_setBalance", self.signers[name].address, hex(10**20))
        return deployment

    # Accounts

    def open_account(self, deposit: int, owner: str = "") -> int:
        """An account of the deployer's, or of `owner`'s, with `deposit` tokens; its id."""
        token, vault = self.deployment["MockToken"], self.deployment["Vault"]
        clearing = self.deployment["Clearinghouse"]
        self.backend.send(token, "mint", self.backend.deployer, deposit)
        self.backend.send(token, "approve", vault.address, deposit)
        self.backend.send(clearing, "open_account", owner or self.backend.deployer)
        account = self.struct("totals")["accounts"]
        self.backend.send(vault, "deposit", account, token.address, deposit)
        return int(account)

    def account(self, account: int) -> dict[str, Any]:
        """IClearinghouse.Account."""
        return self.struct("account", account)

    def position(self, account: int, instrument: int) -> int:
        """Quantity held, WAD."""
        return int(self.backend.call(self.deployment["Clearinghouse"], "position", account, instrument)[0])

    def struct(self, function: str, *arguments: Any, contract: str = "Clearinghouse") -> dict[str, Any]:
        """A view's struct by the names of its fields."""
        deployed = self.deployment[contract]
        abi = self.backend.at(deployed).abi
        output = next(e for e in abi if e.get("name") == function)["outputs"][0]["components"]
        names = [field["name"] for field in output]
        return dict(zip(names, self.backend.call(deployed, function, *arguments), strict=True))

    def trade(self, maker: int, taker: int, instrument: int, quantity: int = 10**18) -> None:
        """The maker buys from the taker at the latest epoch's mark, both by report."""
        nonce, self._fills = self._fills, self._fills + 1
        mark = int(self.get(f"/v1/instruments/{instrument}")["leaf"]["mark"]) // TICK * TICK
        price = mark * quantity // 10**18
        terms = {"units": 1, "max_fee": 10**20, "nonce": nonce_of(nonce, 0), "expiry": self.time() + 600}
        buy = Order(maker, (Leg(instrument, quantity),), limit=price, **terms)
        sell = Order(taker, (Leg(instrument, -quantity),), limit=-price, **terms)
        action = _trading.fill_action(buy, sell, 1, price, nonce, ("maker", "taker"), counted=False)
        answer = _trading.KeeperClient(self.url("proposer")).report(action)
        exchange = self.deployment["Exchange"]
        domain = domain_separator(self.devnet.chain_id, exchange.address)
        signed = [
            signature_bytes(sign(digest(domain, order.struct_hash()), DEPLOYER_KEY)) for order in (buy, sell)
        ]
        evidence = [_trading.report_evidence(answer, party) for party in (0, 1)]
        fill = fill_arguments(buy, signed[0], sell, signed[1], 1, price, [mark], nonce)
        statement = _trading.with_reports(answer).encoded()
        self.backend.send(exchange, "fill", *fill, *evidence, statement)

    # Processes

    def start(self, *names: str) -> None:
        """Starts processes and waits until each answers; without names the attesters and the proposer."""
        names = names or NAMES[:4]
        for name in names:
            self._launch(name)
        for name in names:
            assert self.wait(lambda name=name: self._is_ready(name), self.start_seconds), self.logs()

    def _launch(self, name: str) -> None:
        path = self.folder / name / "plimsoll.toml"
        path.write_text(self._config(name))
        command = [sys.executable, "-c", "from keeper.app.cli import main; main()", "run", "-c", str(path)]
        with (self.folder / f"{name}.log").open("ab") as log:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, env=environment
            )

    def _config(self, name: str) -> str:
        roles = {"proposer": ["proposer", "settler"], "liquidator": ["liquidator"]}.get(name, ["attester"])
        venues = [VENUES[ATTESTERS.index(name)]] if name in ATTESTERS else list(VENUES)
        urls = [self.url(attester) for attester in ATTESTERS]
        others = [self.url(other) for other in (*ATTESTERS, "proposer") if other != name]
        text = (
            f'[keeper]\nroles={json.dumps(roles)}\nkeystore="keystore.json"\npassword_file="password.txt"\n'
            f'tick_seconds=0.1\n[chain]\nrpc="{self.devnet.url}"\n'
            f'deployment="../{self.devnet.chain_id}.json"\n'
            f"[source]\nvenues={json.dumps(venues)}\nspot_bps=200\nforward_bps=200\n"
            f"[api]\nport={self.ports[name]}\n"
            f"[proposer]\nattesters={json.dumps(urls)}\nheartbeat_seconds=30\n"
            f"[network]\nproposers={json.dumps([self.signers['proposer'].address])}\n"
            f"[attester]\nkeepers={json.dumps(others)}\n"
        )
        if name == "liquidator":
            keepers = json.dumps([self.url("proposer")])
            text += (
                f"[liquidator]\naccount={self.liquidators_account}\nminimum_return={MINIMUM_RETURN}\n"
                f"keepers={keepers}\n"
            )
        return text

    def _is_ready(self, name: str) -> bool:
        try:
            return self.client.get(self.url(name) + "/ready", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self, name: str) -> None:
        """As `kill -9`."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Ends all that run, politely."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(15)
        self.processes.clear()

    def url(self, name: str) -> str:
        """Of a process's API."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def get(self, path: str, name: str = "proposer") -> Any:
        """What a process answers."""
        response = self.client.get(self.url(name) + path)
        assert response.status_code == 200, response.text
        return response.json()

    def logs(self) -> str:
        """The ends of all logs."""
        found = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text()[-2500:]}" for path in found)

    # Time

    def time(self) -> int:
        """Of the latest block."""
        return int(self.devnet.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def pass_time(self, seconds: int, blocks: int = 4) -> None:
        """Chain time passes in a few blocks."""
        now = self.time()
        for i in range(1, blocks + 1):
            self.devnet.mine_at(now + seconds * i // blocks)

    def nudge(self) -> None:
        """A little time, so that a keeper looks again."""
        self.pass_time(10, 1)
        time.sleep(0.2)

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether the condition came true in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(0.05)
        return False

    def number(self) -> int:
        """Latest epoch on chain."""
        return int(self.backend.call(self.deployment["RiskOracle"], "header")[0])

    def next_epoch(self, seconds: float = 45, pass_seconds: int = 40) -> bool:
        """Let time pass and wait for one more epoch."""
        before = self.number()
        self.pass_time(pass_seconds)
        return self.wait(lambda: self.number() > before, seconds)

    def serves_latest(self, seconds: float = 30) -> bool:
        """Whether the API serves the latest epoch in time: its index must have seen it."""
        number = self.number()
        return self.wait(lambda: self._served() == number, seconds)

    def _served(self) -> int:
        response = self.client.get(self.url("proposer") + "/v1/epochs/latest")
        return int(response.json()["number"]) if response.status_code == 200 else 0


@contextmanager
def running(folder: Path, opening: Opening) -> Iterator[Loop]:
    """A loop on a chain of its own; its processes are started by the test."""
    anvil_path()
    with start_anvil(genesis_timestamp=opening.genesis) as devnet:
        loop = Loop(devnet, folder, opening)
        try:
            yield loop
        finally:
            loop.stop()
