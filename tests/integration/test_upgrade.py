"""Upgrades and the end, on a live chain with open positions: every module replaced, the attesters switched,
the protocol shut down. Nobody loses a wei, and what has to die dies."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from web3 import Web3

from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import PRICE_UNIT, WAD, WAY_REPORT, WAY_WORST_CASE
from scripts._devnet import start_anvil
from scripts._protocol import AuctionTerms, Contract, Parameters, deploy
from scripts._scenario import (
    ATTESTER_KEYS,
    DEPOSIT,
    EXPIRIES,
    GENESIS,
    GRID,
    LISTED,
    METHODOLOGY,
    SENDER_KEY,
    UNDERLYINGS,
    Clocked,
    Scenario,
)

DELAY = 60
NO_PREDECESSOR = bytes(32)
CALL, PUT = LISTED[0], LISTED[1]
PERP = Instrument(1, 0, 0, Kind.PERP).pack()
SETTLES_AFTER = 86_400 + 300  # by then any expiry may settle at the last spot
SCALE = 10**12  # WAD per smallest unit of the token


class Live(Scenario):
    """A scenario with perps, and a Timelock to govern it."""

    def mark(self, instrument: int) -> int:
        """Of a perp the spot, on tick."""
        of = Instrument.unpack(instrument)
        if of.kind != Kind.PERP:
            return super().mark(instrument)
        tick = UNDERLYINGS[of.underlying - 1].tick
        return self.spots[of.underlying - 1] * PRICE_UNIT // tick * tick

    def _shown(self, *arguments: Any) -> Any:
        """A leg that a trade closes is not in the book any more."""
        self.books = {account: {i: q for i, q in book.items() if q} for account, book in self.books.items()}
        return super()._shown(*arguments)

    def replace(self, name: str, *arguments: Any, owned: bool = True) -> Contract:
        """A new contract in the place of an old one, here; on the chain an operation has yet to name it."""
        made = self.backend.deploy(name, *arguments)
        if owned:
            self.backend.send(made, "transfer_ownership", self.deployment.address("Timelock"))
        return made

    def schedule(self, *calls: tuple[Contract, str, tuple[Any, ...]]) -> tuple[Any, ...]:
        """One batch, scheduled; returns the arguments of its execution."""
        targets = [contract.address for contract, _, _ in calls]
        payloads = [
            bytes.fromhex(self.backend.at(contract).encode_abi(function, args=list(arguments))[2:])
            for contract, function, arguments in calls
        ]
        salt = self.backend.now.to_bytes(32, "big")
        batch = (targets, [0] * len(calls), payloads, NO_PREDECESSOR, salt)
        self.send("Timelock", "schedule_batch", *batch, DELAY)
        return batch

    def govern(self, *calls: tuple[Contract, str, tuple[Any, ...]]) -> None:
        """Scheduled, waited for, executed; not a second earlier."""
        batch = self.schedule(*calls)
        with pytest.raises(RuntimeError, match="operation is not ready"):
            self.send("Timelock", "execute_batch", *batch)
        self.backend.mine(DELAY)
        self.send("Timelock", "execute_batch", *batch)

    def ledger(self) -> dict[int, tuple[int, dict[int, int]]]:
        """Cash and positions of every account, as the chain has them."""
        clearing = self.deployment["Clearinghouse"]
        return {
            account: (
                int(self._account(account)[6]),
                {i: int(self.backend.call(clearing, "position", account, i)[0]) for i in book},
            )
            for account, book in self.books.items()
        }

    def require_invariants(self) -> None:
        """1: the tokens held are the cash of all accounts and the fees. 2: positions sum to zero."""
        vault, token = self.deployment["Vault"], self.deployment["MockToken"]
        held = int(self.backend.call(vault, "held", token.address))
        assert held == int(self.backend.call(token, "balanceOf", vault.address))
        ledger = self.ledger()
        fees = int(self.backend.call(self.deployment["Clearinghouse"], "fees"))
        assert sum(cash for cash, _ in ledger.values()) + fees == held * SCALE
        for instrument in {i for _, book in ledger.values() for i in book}:
            assert sum(book.get(instrument, 0) for _, book in ledger.values()) == 0

    @contextmanager
    def nothing_lost(self) -> Iterator[None]:
        """Whatever happens inside, every account has afterwards what it had."""
        before = self.ledger()
        self.require_invariants()
        yield
        self.require_invariants()
        assert self.ledger() == before

    def use(self) -> None:
        """What users do: trade, withdraw."""
        self.post_epoch()
        self.trade(WAY_REPORT, 1, 2, CALL, WAD)
        self.trade(WAY_REPORT, 2, 1, PERP, WAD)
        self.withdraw(WAY_REPORT, 1)
        self.require_invariants()


@pytest.fixture
def live() -> Iterator[Live]:
    """Three accounts; the first two hold calls, puts and perps against each other. A delay of one minute."""
    with start_anvil(genesis_timestamp=GENESIS) as devnet:
        backend = Clocked(devnet, SENDER_KEY)
        devnet.rpc("anvil_setBalance", backend.deployer, hex(10**24))
        parameters = Parameters(
            attesters=tuple(Web3().eth.account.from_key(key).address for key in ATTESTER_KEYS),
            threshold=3,
            methodology_hash=METHODOLOGY,
            guardian=backend.deployer,
            proposers=(backend.deployer,),
            exit_window=DELAY,
            minimum_delay=DELAY,
            underlyings=UNDERLYINGS,
            expiries=tuple((1, expiry, GRID) for expiry in EXPIRIES),
            auctions=AuctionTerms(grace=0),
            outflow_share=WAD,
        )
        scenario = Live(backend, deploy(backend, parameters))
        scenario.send("MockToken", "mint", backend.deployer, 1_000 * DEPOSIT)
        scenario.send("MockToken", "approve", scenario.deployment.address("Vault"), 2**256 - 1)
        for account in (1, 2, 3):
            scenario.open_account()
            scenario.deposit(account)
        scenario.post_epoch()
        scenario.trade(WAY_REPORT, 1, 2, CALL, WAD)
        scenario.trade(WAY_REPORT, 1, 2, PUT, -WAD)
        scenario.trade(WAY_REPORT, 2, 1, PERP, WAD)
        yield scenario


def test_upgrade__every_module_in_turn__loses_nothing(live: Live) -> None:
    on = live.deployment
    live.use()

    with live.nothing_lost():  # gate and valuer
        valuer = live.replace("BookValuer", on.address("RiskOracle"), on.address("Markets"), owned=False)
        gate = live.replace("MarginGate", on.address("RiskOracle"), valuer.address, owned=False)
        live.govern((on["Clearinghouse"], "set_gate", (gate.address, on.address("RiskOracle"))))
        on.contracts.update({"BookValuer": valuer, "MarginGate": gate})
    live.use()

    old = on["Exchange"]
    with live.nothing_lost():  # exchange
        _replace_exchange(live)
        live.post_epoch()
        with pytest.raises(RuntimeError, match="clearing: not a module"):
            _trade_at(live, old)
    live.use()

    with live.nothing_lost():  # attesters: what the old set signed is void, also what it has not posted yet
        quorum = on["AttesterQuorum"]
        attesters = live.backend.call(quorum, "signers")
        made = live.replace("AttesterQuorum", attesters, 4, owned=False)
        live.govern((on["RiskOracle"], "set_quorum", (made.address,)))
        with pytest.raises(RuntimeError, match="quorum"):
            live.post_epoch()
        on.contracts["AttesterQuorum"] = live.replace("AttesterQuorum", attesters, 3, owned=False)
        live.govern((on["RiskOracle"], "set_quorum", (on.address("AttesterQuorum"),)))
    live.use()

    with live.nothing_lost():
        _replace_oracle(live)
    live.use()

    live.withdraw(WAY_WORST_CASE, 3)
    live.require_invariants()


def test_upgrade__auction_house__is_refused_while_the_old_one_auctions(live: Live) -> None:
    on = live.deployment
    live.post_epoch()
    live.refresh(3)
    live.short.add(1)
    live.post_epoch()
    live.flag(1)
    house = live.replace(
        "AuctionHouse", on.address("Clearinghouse"), on.address("ClaimGate"), AuctionTerms(grace=0).values()
    )
    switch = (on["Clearinghouse"], "set_auction_house", (house.address,))
    with pytest.raises(RuntimeError, match="clearing: open auctions"):
        live.govern(switch)

    live.short.clear()
    live.post_epoch()
    _update(live, 1)
    live.require_invariants()
    with live.nothing_lost():
        live.govern(switch)
        on.contracts["AuctionHouse"] = house

    live.refresh(3)
    live.short.add(1)
    live.post_epoch()
    live.refresh(3)
    live.flag(1)
    live.bid(1, 3)
    assert live.backend.call(house, "open_auctions") == 0 or live.backend.call(house, "auction", 1)[0] != 0
    _read_books(live)
    live.require_invariants()


def test_shutdown__close_only_then_settled__everybody_leaves_without_attesters(live: Live) -> None:
    on = live.deployment
    end = (live.backend.now + 3_600) // 300 * 300 + 300
    with live.nothing_lost():
        live.govern(
            (on["Markets"], "shut_down", (end,)),
            *((on["Clearinghouse"], "end_perp", (u, end)) for u in range(1, len(UNDERLYINGS) + 1)),
        )
    live.post_epoch()
    with pytest.raises(RuntimeError, match="limit|close|market|clearing"):  # no position may grow
        live.trade(WAY_REPORT, 1, 2, CALL, WAD)
    _read_books(live)
    live.trade(WAY_REPORT, 2, 1, CALL, WAD)  # but shrink
    live.require_invariants()

    live.backend.mine(max(EXPIRIES[0], end) + SETTLES_AFTER - live.backend.now)  # no attester any more
    live.finalize(1, end)
    live.finalize(1, EXPIRIES[0])
    for account in (1, 2):
        live.settle(account)
    live.require_invariants()

    for expiry in EXPIRIES[1:]:
        live.backend.mine(max(1, expiry + 1 - live.backend.now))
    live.govern(*((on["Markets"], "delist", (u,)) for u in range(1, len(UNDERLYINGS) + 1)))
    token, vault = on["MockToken"], on["Vault"]
    for account in live.books:
        cash = int(live._account(account)[6]) // SCALE
        arguments = (account, token.address, cash, live.backend.deployer)
        live.send("Vault", "withdraw", *arguments, live.evidence(WAY_WORST_CASE, account, {}), b"")
    live.require_invariants()
    left = int(live.backend.call(vault, "held", token.address)) * SCALE
    fees = int(live.backend.call(on["Clearinghouse"], "fees"))
    assert 0 <= left - fees < len(live.books) * SCALE  # less than a unit of the token for each account

    live.send("Treasury", "distribute")
    assert int(live.backend.call(vault, "held", token.address)) <= len(live.books)


def _replace_exchange(live: Live) -> None:
    on = live.deployment
    arguments = [on.address(name) for name in ("Clearinghouse", "Markets", "RiskOracle")]
    old, new = on["Exchange"], live.replace("Exchange", *arguments, 10**14, 3 * 10**14)
    clearing = on["Clearinghouse"]
    live.govern(
        (clearing, "set_module", (old.address, False)),
        (clearing, "set_module", (new.address, True)),
    )
    on.contracts["Exchange"] = new


def _replace_oracle(live: Live) -> None:
    """In one batch: the new oracle takes over, gate and exchange that speak of it come with it."""
    on = live.deployment
    old, clearing = on["RiskOracle"], on["Clearinghouse"]
    limits = live.backend.call(old, "limits")
    new = live.replace("RiskOracle", on.address("AttesterQuorum"), limits, old.address, owned=False)
    for number, underlying in enumerate(UNDERLYINGS, 1):
        spot = live.backend.call(old, "effective_spots", [number])[0]
        live.backend.send(new, "add_underlying", spot, underlying.bands)
    live.backend.send(new, "set_methodology", METHODOLOGY)
    live.backend.send(new, "transfer_ownership", on.address("Timelock"))
    valuer = live.replace("BookValuer", new.address, on.address("Markets"), owned=False)
    gate = live.replace("MarginGate", new.address, valuer.address, owned=False)
    exchange = live.replace(
        "Exchange", clearing.address, on.address("Markets"), new.address, 10**14, 3 * 10**14
    )
    calls = (
        (new, "take_over", ()),
        (clearing, "set_gate", (gate.address, new.address)),
        (clearing, "set_module", (on.address("Exchange"), False)),
        (clearing, "set_module", (exchange.address, True)),
    )
    batch = live.schedule(*calls)
    live.backend.mine(DELAY)
    with pytest.raises(RuntimeError, match="oracle numbers below"):  # records would pass again later
        live.send("Timelock", "execute_batch", *batch)
    on.contracts["RiskOracle"] = new
    live.post_epoch()  # the next epoch goes to the new oracle, before the switch
    live.send("Timelock", "execute_batch", *batch)
    on.contracts.update({"BookValuer": valuer, "MarginGate": gate, "Exchange": exchange})


def _trade_at(live: Live, exchange: Contract) -> None:
    """A trade by orders signed for an exchange; the books here stay as they are when it fails."""
    current, books = live.deployment["Exchange"], dict(live.books)
    live.deployment.contracts["Exchange"] = exchange
    try:
        live.trade(WAY_REPORT, 1, 2, CALL, WAD)
    finally:
        live.deployment.contracts["Exchange"], live.books = current, books


def _update(live: Live, account: int) -> None:
    """Ends an auction of an account that is back above its initial margin."""
    live.send("AuctionHouse", "update", account, live.claim(account))


def _read_books(live: Live) -> None:
    """Takes the positions from the chain, where an auction moved them or a trade failed."""
    known = {i for book in live.books.values() for i in book}
    clearing = live.deployment["Clearinghouse"]
    for account in live.books:
        held = {i: int(live.backend.call(clearing, "position", account, i)[0]) for i in known}
        live.books[account] = {i: q for i, q in held.items() if q}
