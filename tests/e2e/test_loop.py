"""The loop in small, with real processes: three attesters and a proposer on a fresh chain."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from web3 import HTTPProvider, Web3

from keeper.attestation.typed_data import digest, domain_separator, sign
from keeper.chain.keys import create_keystore
from keeper.exchange.order import Leg as OrderLeg
from keeper.exchange.order import Order, nonce_of
from keeper.markets.instrument import Instrument, Kind
from keeper.risk.methodology import Methodology
from keeper.sources.recorded import RecordedSource
from scripts import _trading
from scripts._artifacts import ROOT
from scripts._devnet import Devnet, anvil_path, free_port, start_anvil
from scripts._protocol import BTC, ETH, Deployment, Parameters, deploy, write_record
from scripts._web3_backend import Web3Backend

GENESIS = 1_743_984_000  # 2025-04-07 00:00 UTC, inside the recorded market
EXPIRY = GENESIS + 7 * 86_400
SOON = GENESIS + 2_700
DEPLOYER_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
USDC = 10**6
VENUES = ("binance", "bybit", "hyperliquid")
WORST_CASE = 3


class Loop:
    """A deployed protocol with its keeper processes."""

    def __init__(self, devnet: Devnet, folder: Path) -> None:
        self.devnet = devnet
        self.folder = folder
        self.backend = Web3Backend(Web3(HTTPProvider(devnet.url)), DEPLOYER_KEY)
        self.signers = [
            create_keystore(folder / name / "keystore.json", folder / name / "password.txt", light=True)
            for name in ("attester0", "attester1", "attester2", "proposer")
        ]
        self.deployment = self._deploy()
        self.ports = [free_port() for _ in range(4)]
        self.processes: list[subprocess.Popen[bytes]] = []

    def _deploy(self) -> Deployment:
        observed = RecordedSource("binance", {1: "BTC", 2: "ETH"}).observe(GENESIS, {1: [], 2: []})
        parameters = Parameters(
            attesters=tuple(sorted((s.address for s in self.signers[:3]), key=lambda a: int(a, 16))),
            threshold=2,
            methodology_hash=Methodology.default().hash(),
            guardian=self.backend.deployer,
            proposers=(self.backend.deployer,),
            underlyings=(replace(BTC, spot8=observed.spots[1]), replace(ETH, spot8=observed.spots[2])),
            expiries=tuple((2, e, (1_000 * 10**8, 3_000 * 10**8, 100 * 10**8)) for e in (SOON, EXPIRY)),
        )
        deployment = deploy(self.backend, parameters)
        write_record(deployment, self.devnet.chain_id, 0, self.folder)
        self.devnet.rpc("anvil_setBalance", self.signers[3].address, hex(10**20))
        return deployment

    def open_account(self, deposit: int) -> int:
        """An account of the deployer's with `deposit` tokens; its id."""
        token, clearing = self.deployment["MockToken"], self.deployment["Clearinghouse"]
        self.backend.send(token, "mint", self.backend.deployer, deposit)
        self.backend.send(token, "approve", clearing.address, deposit)
        self.backend.send(clearing, "open_account", self.backend.deployer)
        account = int(self.backend.call(clearing, "totals")[0])
        self.backend.send(clearing, "deposit", account, token.address, deposit)
        return account

    def start(self) -> None:
        for i in range(4):
            name = "proposer" if i == 3 else f"attester{i}"
            (self.folder / name / "plimsoll.toml").write_text(self._config(i))
            command = [sys.executable, "-c", "from keeper.app.cli import main; main()", "run"]
            log = (self.folder / f"{name}.log").open("wb")
            self.processes.append(
                subprocess.Popen(
                    [*command, "-c", str(self.folder / name / "plimsoll.toml")],
                    cwd=ROOT,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                )
            )
        for i in range(4):
            self.wait(lambda i=i: self._answers(i), 60)

    def _answers(self, i: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[i]}/ready", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def _config(self, i: int) -> str:
        roles = '"proposer", "settler"' if i == 3 else '"attester"'
        venues = json.dumps(list(VENUES) if i == 3 else [VENUES[i]])
        urls = json.dumps([f"http://127.0.0.1:{p}" for p in self.ports[:3]])
        return (
            f'[keeper]\nroles=[{roles}]\nkeystore="keystore.json"\npassword_file="password.txt"\ntick_seconds=0.1\n'
            f'[chain]\nrpc="{self.devnet.url}"\ndeployment="../{self.devnet.chain_id}.json"\n'
            f"[source]\nvenues={venues}\nspot_bps=200\nforward_bps=200\n[api]\nport={self.ports[i]}\n"
            f"[proposer]\nattesters={urls}\nheartbeat_seconds=30\n"
        )

    def kill(self, i: int) -> None:
        self.processes[i].send_signal(signal.SIGKILL)
        self.processes[i].wait()

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(15)

    def number(self) -> int:
        """Latest epoch on chain."""
        return int(self.backend.call(self.deployment["RiskOracle"], "header")[0])

    def pass_time(self, seconds: int, blocks: int = 4) -> None:
        """Chain time passes in a few blocks."""
        now = int(self.devnet.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        for i in range(1, blocks + 1):
            self.devnet.mine_at(now + seconds * i // blocks)

    def time(self) -> int:
        """Of the latest block."""
        return int(self.devnet.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def nudge(self) -> None:
        """A little time, so that the settler looks again."""
        self.pass_time(10, 1)
        time.sleep(0.2)

    def fees(self) -> int:
        """Collected by the clearing house, WAD."""
        names = [c["name"] for c in _output(self, "totals")]
        return int(self.backend.call(self.deployment["Clearinghouse"], "totals")[names.index("fees")])

    def wait(self, condition: Any, seconds: float) -> bool:
        """Whether the condition came true in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(0.02)
        return False

    def next_epoch(self, seconds: float = 45, pass_seconds: int = 40) -> bool:
        """Let time pass and wait for one more epoch."""
        before = self.number()
        self.pass_time(pass_seconds)
        return self.wait(lambda: self.number() > before, seconds)

    def served(self) -> int:
        """Latest epoch that the API serves; 0 before its index has seen the first."""
        response = httpx.get(f"http://127.0.0.1:{self.ports[3]}/v1/epochs/latest", timeout=10)
        return int(response.json()["number"]) if response.status_code == 200 else 0

    def get(self, path: str, i: int = 3) -> Any:
        response = httpx.get(f"http://127.0.0.1:{self.ports[i]}{path}", timeout=5)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    anvil_path()
    with start_anvil(genesis_timestamp=GENESIS) as devnet:
        running = Loop(devnet, tmp_path)
        try:
            yield running
        finally:
            running.stop()


def test_loop__attesters_fall__goes_on_then_stops_and_worst_case_still_withdraws(loop: Loop) -> None:
    account = loop.open_account(1_000 * USDC)
    loop.start()

    assert loop.next_epoch(), _logs(loop)
    started = time.monotonic()
    for _ in range(5):
        assert loop.next_epoch(), _logs(loop)
    print(f"seconds per epoch: {(time.monotonic() - started) / 5:.3f}")

    number = loop.number()
    assert loop.wait(lambda: loop.served() == number, 30), _logs(loop)
    leaf = loop.get(f"/v1/epochs/{number}/accounts/{account}")
    oracle = loop.deployment["RiskOracle"]
    assert leaf["proof"] and leaf["leaf"]["account"] == str(account)
    perp = loop.get("/v1/epochs/latest")["instruments"][0]
    assert loop.get(f"/v1/instruments/{perp}")["epoch"] == number
    assert loop.backend.call(oracle, "is_fresh")

    loop.kill(0)
    assert loop.next_epoch(), "one attester killed: the loop goes on\n" + _logs(loop)

    report = _withdrawal_report(loop, account)
    assert len(report["signatures"]["compact"]) == 2

    loop.kill(1)
    assert not loop.next_epoch(4), "two killed: no epoch may come"
    _withdraw_worst_case(loop, account)


def test_loop__future_and_option_traded_by_report__settled_at_the_average(loop: Loop) -> None:
    maker, taker = loop.open_account(20_000 * USDC), loop.open_account(20_000 * USDC)
    loop.start()
    assert loop.next_epoch(), _logs(loop)
    instruments = [Instrument(2, SOON, 0, Kind.FUTURE), Instrument(2, SOON, 1_500 * 10**8, Kind.CALL)]
    for nonce, instrument in enumerate(instruments):
        _trade_by_report(loop, maker, taker, instrument.pack(), nonce)
    assert _account(loop, maker)["legCount"] == 2

    while loop.time() < SOON + 100:
        assert loop.next_epoch(pass_seconds=100), _logs(loop)
    settled = loop.wait(lambda: loop.nudge() or _account(loop, maker)["legCount"] == 0, 60)
    assert settled, _logs(loop)
    assert loop.wait(lambda: _account(loop, taker)["legCount"] == 0, 60), _logs(loop)
    price = loop.backend.call(loop.deployment["RiskOracle"], "settlement_price", 2, SOON)
    assert price > 0
    cash = _account(loop, maker)["cash"] + _account(loop, taker)["cash"] + loop.fees()
    assert cash == 40_000 * 10**18, "conserved to the wei"


def _trade_by_report(loop: Loop, maker: int, taker: int, instrument: int, nonce: int) -> None:
    """One unit of the instrument at its mark, both sides by report."""
    number = loop.number()
    assert loop.wait(lambda: loop.served() == number, 30), _logs(loop)
    tick = 10**16
    mark = int(loop.get(f"/v1/instruments/{instrument}")["leaf"]["mark"]) // tick * tick
    expiry = loop.time() + 600
    terms = {"units": 1, "max_fee": 10**20, "nonce": nonce_of(nonce, 0), "expiry": expiry}
    buy = Order(maker, (OrderLeg(instrument, 10**18),), limit=mark, **terms)
    sell = Order(taker, (OrderLeg(instrument, -(10**18)),), limit=-mark, **terms)
    action = _trading.fill_action(buy, sell, 1, mark, nonce, ("maker", "taker"), counted=False)
    answer = _trading.KeeperClient(f"http://127.0.0.1:{loop.ports[3]}").report(action)
    evidence = [_trading.report_evidence(answer, party) for party in (0, 1)]
    exchange = loop.deployment["Exchange"]
    domain = domain_separator(loop.devnet.chain_id, exchange.address)
    signed = [sign(digest(domain, order.struct_hash()), DEPLOYER_KEY) for order in (buy, sell)]
    statement = _trading.with_reports(answer).tuple()
    arguments = (buy.values(), signed[0], sell.values(), signed[1], 1, mark, nonce, *evidence, statement)
    loop.backend.send(exchange, "fill", *arguments)


def _account(loop: Loop, account: int) -> dict[str, Any]:
    names = [c["name"] for c in _output(loop, "account")]
    return dict(
        zip(names, loop.backend.call(loop.deployment["Clearinghouse"], "account", account), strict=True)
    )


def _output(loop: Loop, function: str) -> Any:
    contract = loop.backend.at(loop.deployment["Clearinghouse"])
    return next(e for e in contract.abi if e.get("name") == function)["outputs"][0]["components"]


def _withdrawal_report(loop: Loop, account: int) -> Any:
    token = loop.deployment.address("MockToken")
    action = {
        "kind": "withdrawal",
        "account": str(account),
        "token": token,
        "amount": str(USDC),
        "recipient": loop.backend.deployer,
        "nonce": "0",
    }
    response = httpx.post(f"http://127.0.0.1:{loop.ports[3]}/v1/reports", json={"action": action}, timeout=10)
    assert response.status_code == 200, response.text
    return response.json()


def _withdraw_worst_case(loop: Loop, account: int) -> None:
    token, clearing = loop.deployment["MockToken"], loop.deployment["Clearinghouse"]
    zero = b"\0" * 32
    leaf = (0, 0, 0, zero, 0, 0, 0, 0, 0, 0, 0, zero)
    evidence = (WORST_CASE, [], leaf, [])
    statement = (0, 0, (0, []), (0, 0, 0, 0, 0, 0), [])
    before = loop.backend.call(token, "balanceOf", loop.backend.deployer)
    recipient = loop.backend.deployer
    loop.backend.send(
        clearing, "withdraw", account, token.address, 100 * USDC, recipient, evidence, statement
    )
    assert loop.backend.call(token, "balanceOf", loop.backend.deployer) == before + 100 * USDC


def _logs(loop: Loop) -> str:
    return "\n".join(f"--- {p.name}\n{p.read_text()[-2500:]}" for p in sorted(loop.folder.glob("*.log")))
