"""A deployed protocol on anvil, and keepers built from real configuration files, run in this process."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from web3 import HTTPProvider, Web3

from keeper.app import process
from keeper.app.build import build
from keeper.app.config import load
from keeper.attestation.typed_data import digest, domain_separator, sign
from keeper.chain.keys import Signer, create_keystore, signer_of
from keeper.exchange.order import Leg, Order, fill_arguments, nonce_of, signature_bytes
from keeper.network.client import Gathered
from keeper.network.peers import Peer, authorize, domain_of
from keeper.network.schemas import EpochProposal, ReportProposal, ReportRequest
from keeper.network.server import Refusal, Unavailable
from keeper.risk.methodology import Methodology
from keeper.sources.recorded import RecordedSource
from keeper.sources.source import Listed, Observation, Source
from scripts import _trading
from scripts._devnet import Devnet, start_anvil
from scripts._protocol import BTC, ETH, AuctionTerms, Collateral, Deployment, Parameters, deploy
from scripts._web3_backend import Web3Backend
from tests.support.keys import ATTESTER_KEYS, ATTESTERS, key_of

GENESIS = 1_743_984_000  # 2025-04-07 00:00 UTC, inside the recorded market
EXPIRY = GENESIS + 7 * 86_400
DEPLOYER_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
PROPOSER_KEY = key_of("proposer")
USDC = 10**6
TICK = 10**16
WETH = Collateral("WETH", 18, 2, 1_000, 500, 10**24)
_KEYS = dict(sorted(zip(ATTESTERS, ATTESTER_KEYS, strict=True), key=lambda pair: int(pair[0], 16))[:3])
ATTESTERS_OF_TOWN = tuple(_KEYS)  # in the quorum's order


@dataclass
class Room:
    """Attesters in this process, asked as a proposer asks over HTTP. What was asked stays in `asked`."""

    attesters: list[Any] = field(default_factory=list)
    asked: list[EpochProposal | ReportProposal] = field(default_factory=list)
    timeout: float = 5.0
    signer: Signer = field(default_factory=lambda: signer_of(PROPOSER_KEY))  # who asks
    domain: bytes = b""

    @property
    def urls(self) -> tuple[str, ...]:
        """What refusals name them by."""
        return tuple(str(number) for number in range(len(self.attesters)))

    def gather(
        self, _path: str, message: Any, _digest: bytes, signers: list[str], _threshold: int
    ) -> Gathered:
        self.asked.append(message)
        gathered = Gathered({})
        for number, attester in enumerate(self.attesters):
            is_epoch = isinstance(message, EpochProposal)
            peer = self.peer(message)
            try:
                answer = (
                    attester.sign_epoch(message, peer) if is_epoch else attester.sign_report(message, peer)
                )
            except (Refusal, Unavailable) as error:
                gathered.refusals[str(number)] = str(error)
            else:
                signature = bytes.fromhex(answer.r[2:]), int(answer.vs)
                gathered.signatures[signers.index(answer.signer)] = signature
        return gathered

    def peer(self, message: Any, signer: Signer | None = None) -> Peer:
        """Who asks, as a server finds out; by default the proposer."""
        body, path = message.model_dump_json().encode(), "/v1/epochs"
        header = authorize(signer or self.signer, self.domain, "POST", path, body)
        return Peer((signer or self.signer).address, 0.0, header, body)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Shock:
    """A source whose prices are `bps` of those of another; every keeper of a town shares it."""

    source: Source
    town: "Town"

    @property
    def venue(self) -> str:
        return self.source.venue

    def observe(self, now: int, listed: Listed) -> Observation:
        found = self.source.observe(now, listed)
        quotes = {k: replace(q, forward=self._moved(q.forward)) for k, q in found.expiries.items()}
        return replace(found, spots={u: self._moved(s) for u, s in found.spots.items()}, expiries=quotes)

    def _moved(self, price: int) -> int:
        return price * self.town.bps // 10_000


class Town:
    """The protocol with two underlyings (1 BTC, 2 ETH), one listed expiry, ether as collateral, two accounts;
    three attesters, threshold two. Prices are `bps` of the recorded ones."""

    delay = 120  # of the Timelock, seconds

    def __init__(self, devnet: Devnet, folder: Path) -> None:
        self.devnet, self.folder = devnet, folder
        self.backend = Web3Backend(Web3(HTTPProvider(devnet.url)), DEPLOYER_KEY)
        self.deployment = self._deploy()
        self.accounts = [self.open_account(20_000 * USDC) for _ in range(2)]
        self._fill_nonce = 0
        self.bps = 10_000

    def _deploy(self) -> Deployment:
        observed = RecordedSource("binance", {1: "BTC", 2: "ETH"}).observe(GENESIS, {1: [], 2: []})
        parameters = Parameters(
            attesters=tuple(_KEYS),
            threshold=2,
            methodology_hash=Methodology.default().hash(),
            guardian=self.backend.deployer,
            proposers=(self.backend.deployer,),
            underlyings=(replace(BTC, spot8=observed.spots[1]), replace(ETH, spot8=observed.spots[2])),
            expiries=((2, EXPIRY, (1_000 * 10**8, 3_000 * 10**8, 500 * 10**8)),),
            collaterals=(WETH,),
            auctions=AuctionTerms(grace=0),
            exit_window=self.delay,
            minimum_delay=self.delay,
        )
        return deploy(self.backend, parameters)

    def govern(self, contract: str, function: str, *arguments: Any) -> Callable[[], Any]:
        """Schedules one call of the Timelock; what is returned executes it, once the delay is over."""
        target = self.deployment[contract]
        payload = bytes.fromhex(self.backend.at(target).encode_abi(function, args=list(arguments))[2:])
        batch = ([target.address], [0], [payload], bytes(32), self.time().to_bytes(32, "big"))
        timelock = self.deployment["Timelock"]
        self.backend.send(timelock, "schedule_batch", *batch, self.delay)
        return lambda: self.backend.send(timelock, "execute_batch", *batch)

    def write_deployment(self, path: Path, **changed: Any) -> Path:
        """The deployment file; `changed` replaces addresses by contract name, or the chain's id."""
        addresses = {name: changed.get(name, c.address) for name, c in self.deployment.contracts.items()}
        chain_id = changed.get("chain_id", self.devnet.chain_id)
        contracts = {name: {"address": address} for name, address in addresses.items()}
        path.write_text(json.dumps({"chain_id": chain_id, "block": 0, "contracts": contracts}))
        return path

    def open_account(self, deposit: int, owner: str = "") -> int:
        """An account of the deployer's, or of `owner`'s, with `deposit` tokens; its id."""
        clearing = self.deployment["Clearinghouse"]
        self.backend.send(clearing, "open_account", owner or self.backend.deployer)
        account = int(self.backend.call(clearing, "totals")[0])
        self.deposit(account, deposit)
        return account

    def deposit(self, account: int, amount: int, token: str = "MockToken") -> None:
        """Tokens for an account, in their decimals."""
        coin, vault = self.deployment[token], self.deployment["Vault"]
        self.backend.send(coin, "mint", self.backend.deployer, amount)
        self.backend.send(coin, "approve", vault.address, amount)
        self.backend.send(vault, "deposit", account, coin.address, amount)

    def keeper(
        self,
        name: str,
        *roles: str,
        venue: str = "binance",
        account: int = 0,
        keys: tuple[bytes, ...] = (),
        terms: str = "",
        keepers: tuple[str, ...] = (),
    ) -> process.Keeper:
        """A keeper with its own folder, built anew over what an earlier one of that name has left there.

        Args:
            keys: its key and, for an attester, the one of the coming set; by default by its name.
            terms: more lines of a proposer's section.
            keepers: whom a liquidator asks for epochs.
        """
        folder = self.folder / name
        if not folder.exists():
            index = int(name[-1]) if name[-1].isdigit() else 0
            own = list(_KEYS.values())[index] if "attester" in roles else PROPOSER_KEY
            for i, key in enumerate(keys or (own,)):
                create_keystore(folder / f"key{i}.json", folder / "password.txt", key=key, light=True)
            self.write_deployment(folder / "deployment.json")
        attesters = f'[proposer]\nattesters=["http://127.0.0.1:1"]\nheartbeat_seconds=30\n{terms}\n'
        coming = '[keeper.next]\nkeystore="key1.json"\npassword_file="password.txt"\n'
        (folder / "plimsoll.toml").write_text(
            f'[keeper]\nroles={json.dumps(roles)}\nkeystore="key0.json"\npassword_file="password.txt"\n'
            + (coming if len(keys) > 1 else "")
            + f'[chain]\nrpc="{self.devnet.url}"\ndeployment="deployment.json"\n'
            f'[source]\nvenues=["{venue}"]\n[api]\nport=8600\n'
            + (attesters if "proposer" in roles else "")
            + (f"[liquidator]\naccount={account}\nminimum_return=0.03\n" if "liquidator" in roles else "")
            + (f"keepers={json.dumps(keepers)}\n" if keepers else "")
        )
        keeper = build(load(folder / "plimsoll.toml"))
        keeper.desk.sources = tuple(Shock(source, self) for source in keeper.desk.sources)
        return keeper

    def proposer(self, room: Room, name: str = "proposer", **terms: Any) -> process.Keeper:
        """A proposer that asks `room`; it has coins. `terms`: of `keeper`."""
        keeper = self.keeper(name, "proposer", **terms)
        assert keeper.proposer is not None
        room.domain = domain_of(self.devnet.chain_id, self.deployment.address("RiskOracle"))
        keeper.proposer._attesters = keeper.proposer._reports._attesters = room
        self.devnet.rpc("anvil_setBalance", keeper.signer.address, hex(10**20))
        return keeper

    def member_key(self, index: int) -> bytes:
        """Key of a member of the quorum that was deployed, by its bit."""
        return list(_KEYS.values())[index]

    def time(self) -> int:
        """Of the latest block."""
        return int(self.devnet.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def pass_time(self, seconds: int = 40, blocks: int = 4) -> None:
        """Chain time passes in a few blocks."""
        now = self.time()
        for i in range(1, blocks + 1):
            self.devnet.mine_at(now + seconds * i // blocks)

    def post_epoch(self, proposer: process.Keeper) -> int:
        """Time passes and one more epoch is posted; its number."""
        self.pass_time()
        assert proposer.tick() is not None, proposer.proposer.status.last_error or proposer.problem
        deadline = time.monotonic() + 30  # the node mines at once what it is sent, but answers before that
        while time.monotonic() < deadline:
            proposer.tick()
            if proposer.desk.statements.latest() and not proposer.sender.unresolved():
                break
            time.sleep(0.02)
        proposer.desk.view()
        return int(self.backend.call(self.deployment["RiskOracle"], "header")[0])

    def trade(
        self,
        proposer: process.Keeper,
        instrument: int,
        quantity: int = 10**18,
        buyer: int | None = None,
    ) -> None:
        """`buyer`, or the first account, buys from the second at the mark, both by report."""
        assert proposer.proposer is not None
        latest = proposer.desk.statements.latest()
        mark = latest.instrument(instrument).mark // TICK * TICK
        price, nonce = mark * quantity // 10**18, self._fill_nonce
        self._fill_nonce += 1
        terms = {"units": 1, "max_fee": 10**20, "nonce": nonce_of(nonce, 0), "expiry": self.time() + 600}
        buy = Order(buyer or self.accounts[0], (Leg(instrument, quantity),), limit=price, **terms)
        sell = Order(self.accounts[1], (Leg(instrument, -quantity),), limit=-price, **terms)
        action = _trading.fill_action(buy, sell, 1, price, nonce, ("maker", "taker"), counted=False)
        found = proposer.proposer.report(ReportRequest.model_validate({"action": action}))
        answer = found.model_dump()
        exchange = self.deployment["Exchange"]
        domain = domain_separator(self.devnet.chain_id, exchange.address)
        signed = [
            signature_bytes(sign(digest(domain, order.struct_hash()), DEPLOYER_KEY)) for order in (buy, sell)
        ]
        evidence = [_trading.report_evidence(answer, party) for party in (0, 1)]
        terms_of_fill = fill_arguments(buy, signed[0], sell, signed[1], 1, price, [mark], nonce)
        statement = _trading.with_reports(answer).encoded()
        self.backend.send(exchange, "fill", *terms_of_fill, *evidence, statement)


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """A town on a chain of its own."""
    with start_anvil(genesis_timestamp=GENESIS) as devnet:
        yield Town(devnet, folder)
