"""Accounts that fall below their margins, on the real contracts; attesters state what a test wants stated.

Numbers are WAD. Underlying 1 stands at 2,000 USD, and is worth 100 USD an option.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import boa
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.attestation.merkle import Tree
from keeper.attestation.typed_data import (
    Epoch,
    InstrumentLeaf,
    MarginLeaf,
    Report,
    Typed,
    hash_struct,
    leaf,
    reports_hash,
)
from keeper.liquidation.claim import Change
from keeper.liquidation.encoding import encode_claim
from keeper.markets.instrument import Instrument, Kind
from keeper.units import constants as c
from tests.support.keys import ATTESTER_KEYS, ATTESTERS
from tests.support.statements import NO_SIGNATURES, quorum_signatures

boa.interpret.set_cache_dir(".build/boa")

WAD, USD8, USDC = c.WAD, 10**8, 10**6
GENESIS = 1_743_465_600  # 1 April 2025, a multiple of 300
EXPIRY = GENESIS + 7 * 86_400
SPOT = 2_000 * USD8
MARK = 100 * WAD
SPEC = ("ETH", WAD // 100, WAD // 100, WAD // 50, WAD // 5)
BANDS = (200, 1_500, 3_000)
LIMITS = (120, 180, 600, 1)
METHODOLOGY = keccak(text="methodology")
BLOCK_HASH = keccak(text="block")
ZERO = bytes(32)
TERMS = (
    98 * WAD // 100,  # start
    80 * WAD // 100,  # floor
    900,
    WAD // 2,  # bonus
    3_600,
    WAD // 10,  # least bid
    100 * WAD,  # dust
    102 * WAD // 100,  # conversion
    95 * WAD // 100,
    600,
    0,  # buffer
    0,  # grace
)
_LEAF = "(uint256,uint128,int128,bytes32,int128,uint128,uint128,int128,uint128,uint64,uint128,bytes32)"
_UNIT = "(uint128,uint128,uint128,uint128,uint128,uint128)"
_STATEMENT = f"(uint64,uint64,(uint256,(bytes32,uint256)[]),{_UNIT}[],bytes32[][])"
_PROOF = f"(uint128[],{_LEAF},bytes32[])"
HEADROOM = (c.WAY_HEADROOM, b"")


def call(strike: int, expiry: int = EXPIRY) -> int:
    """Call on underlying 1, strike in USD."""
    return Instrument(1, expiry, strike * USD8, Kind.CALL).pack()


def put(strike: int, expiry: int = EXPIRY) -> int:
    """Put on underlying 1, strike in USD."""
    return Instrument(1, expiry, strike * USD8, Kind.PUT).pack()


CALL, PUT = call(2_000), put(2_000)


def unit(instrument: int, mark: int = MARK, margin: int = 0) -> InstrumentLeaf:
    """An instrument's leaf: initial margin `margin` long, double that short; half of it for maintenance."""
    return InstrumentLeaf(instrument, mark, margin, margin // 2, 2 * margin, margin)


@cache
def source(name: str) -> Any:
    """boa's deployer of `contracts/<name>.vy`; reading one takes longer than deploying it."""
    return boa.load_partial(f"contracts/{name}.vy")


@dataclass(frozen=True)
class Deployed:
    """The real contracts, boa's objects."""

    token: Any
    ether: Any  # collateral of 18 decimals
    oracle: Any
    quorum: Any
    gate: Any
    valuer: Any
    clearing: Any
    vault: Any
    fund: Any
    claim_gate: Any
    house: Any
    owner: str
    module: str


def deploy(terms: tuple[int, ...] = TERMS) -> Deployed:
    """Everything wired at GENESIS; call inside an anchor."""
    patch = boa.env.evm.patch
    patch.timestamp, patch.prev_hashes = GENESIS, [BLOCK_HASH] * 256
    owner, module = boa.env.generate_address("owner"), boa.env.generate_address("module")
    with boa.env.prank(owner):
        token, ether = source("mocks/MockToken").deploy(6), source("mocks/MockToken").deploy(18)
        markets = source("markets/Markets").deploy()
        markets.list_underlying(SPEC)
        quorum = source("attestation/AttesterQuorum").deploy(ATTESTERS, 3)
        oracle = source("attestation/RiskOracle").deploy(quorum.address, LIMITS)
        oracle.add_underlying(SPOT, BANDS)
        oracle.set_methodology(METHODOLOGY, True)
        valuer = source("risk/BookValuer").deploy(oracle.address, markets.address)
        gate = source("risk/MarginGate").deploy(oracle.address, valuer.address)
        clearing = source("clearing/Clearinghouse").deploy(gate.address, oracle.address)
        vault = source("clearing/Vault").deploy(clearing.address, token.address, 6, WAD // 20)
        clearing.set_vault(vault.address)
        clearing.set_module(module, True)
        fund = source("liquidation/InsuranceFund").deploy(vault.address, WAD // 2, 3 * 86_400)
        vault.set_insurance_fund(fund.address)
        vault.list_collateral(ether.address, (0, 18, 1, 1_000, 500, 10**24))
        claim_gate = source("liquidation/ClaimGate").deploy(clearing.address)
        house = source("liquidation/AuctionHouse").deploy(clearing.address, claim_gate.address, terms)
        clearing.set_auction_house(house.address)
    return Deployed(
        token, ether, oracle, quorum, gate, valuer, clearing, vault, fund, claim_gate, house, owner, module
    )


@dataclass
class Stated:
    """What the latest epoch says."""

    number: int = 0
    margins: Tree = field(default_factory=lambda: Tree([]))
    market: Tree = field(default_factory=lambda: Tree([]))
    leaves: dict[int, MarginLeaf] = field(default_factory=dict)
    units: dict[int, InstrumentLeaf] = field(default_factory=dict)

    def path(self, stated: Typed) -> list[bytes]:
        """From a leaf to the epoch's root."""
        tree, other = self.margins, self.market
        if isinstance(stated, InstrumentLeaf):
            tree, other = self.market, self.margins
        return [*tree.proof(leaf(stated.struct_hash())), other.root]


class Hall:
    """Opens accounts, posts epochs, trades, flags and bids."""

    def __init__(self, deployed: Deployed) -> None:
        self.on = deployed
        self.epoch = Stated()
        self.owners: dict[int, str] = {}
        self.books: dict[int, dict[int, int]] = {}
        self.links: dict[int, list[Change]] = {}

    # Accounts

    def open(self, name: str, cash: int = 0) -> int:
        """An account with `cash` whole dollars."""
        owner = boa.env.generate_address(name)
        account = int(self.on.clearing.open_account(owner))
        self.owners[account], self.books[account], self.links[account] = owner, {}, []
        if cash:
            self.deposit(account, cash)
        return account

    def deposit(self, account: int, cash: int) -> None:
        """Whole dollars, freshly minted."""
        token, owner = self.on.token, self.owners[account]
        token.mint(owner, cash * USDC)
        token.approve(self.on.vault.address, cash * USDC, sender=owner)
        self.on.vault.deposit(account, token.address, cash * USDC, sender=owner)

    def deposit_ether(self, account: int, amount: int) -> None:
        """Collateral, WAD, freshly minted."""
        token, owner = self.on.ether, self.owners[account]
        token.mint(owner, amount)
        token.approve(self.on.vault.address, amount, sender=owner)
        self.on.vault.deposit(account, token.address, amount, sender=owner)
        self.links[account].append(Change(c.CHANGE_COLLATERAL, 1, amount, 0))

    def stake(self, assets: int) -> None:
        """Whole dollars into the insurance fund."""
        staker = boa.env.generate_address("staker")
        self.on.token.mint(staker, assets * USDC)
        self.on.token.approve(self.on.fund.address, assets * USDC, sender=staker)
        self.on.fund.deposit(assets * USDC, staker, sender=staker)

    def book(self, account: int) -> list[int]:
        """Instruments held, ascending."""
        return sorted(self.books[account])

    def state(self, account: int) -> Any:
        """As stored."""
        return self.on.clearing.account(account)

    def cash(self, account: int) -> int:
        """WAD."""
        return int(self.state(account).cash)

    def value(self, account: int) -> Any:
        """The gate's valuation of the book."""
        return self.on.valuer.value(self.on.clearing.book(account, self.book(account)))

    # Attesters

    def margin(self, account: int, **stated: int) -> MarginLeaf:
        """A leaf on the account's present book: no margin, and the same at the posted spot, unless stated."""
        state = self.state(account)
        plain = MarginLeaf(
            account,
            state.addedIM,
            state.addedMark,
            state.bookHash,
            self.marked(account),
            0,
            0,
            0,
            0,
            WAD,
            10**9 * WAD,
            ZERO,
        )
        set_ = replace(plain, **stated)
        same = {"mark_posted": set_.mark_to_market, "maintenance_posted": set_.maintenance_margin}
        return replace(set_, **{name: value for name, value in same.items() if name not in stated})

    def marked(self, account: int) -> int:
        """Mark of the book at the epoch's units, or 100 an option."""
        marks = {i: self.epoch.units[i].mark if i in self.epoch.units else MARK for i in self.books[account]}
        return sum(q * marks[i] // WAD for i, q in self.books[account].items())

    def post(
        self,
        *leaves: MarginLeaf,
        units: Sequence[InstrumentLeaf] = (),
        spot: int = SPOT,
        effective: int = 0,
        seconds: int = 15,
    ) -> None:
        """The next epoch, one block on. Accounts without a leaf among `leaves` get a plain one."""
        patch = boa.env.evm.patch
        patch.block_number, patch.timestamp = patch.block_number + 1, patch.timestamp + seconds
        word = spot << 64 | (effective or spot)
        given = {one.account: one for one in leaves}
        stated = {one.instrument: one for one in units or [unit(i) for i in (CALL, PUT)]}
        self.epoch = replace(self.epoch, units=stated)
        every = [given.get(account) or self.margin(account) for account in self.owners]
        posted = Stated(
            self.epoch.number + 1,
            Tree(leaf(one.struct_hash()) for one in every),
            Tree(leaf(one.struct_hash()) for one in stated.values()),
            {one.account: one for one in every},
            stated,
        )
        epoch = Epoch(
            number=posted.number,
            timestamp=patch.timestamp,
            block_number=patch.block_number - 1,
            block_hash=BLOCK_HASH,
            snapshot_hash=keccak(text="snapshot"),
            methodology_hash=METHODOLOGY,
            market_root=posted.market.root,
            margin_root=posted.margins.root,
            spots_hash=keccak(word.to_bytes(32, "big")),
        )
        self.on.oracle.post_epoch(epoch.values(), [word], self.signed(epoch.struct_hash()))
        self.epoch = posted
        for account in self.owners:
            self.links[account] = []

    def signed(self, struct_hash: bytes) -> tuple[int, list[tuple[bytes, int]]]:
        """Quorum signatures."""
        chain_id = boa.env.evm.patch.chain_id
        signers = dict(enumerate(ATTESTER_KEYS[:3]))
        return quorum_signatures(chain_id, self.on.quorum.address, struct_hash, signers)

    def statement(self, *instruments: int) -> bytes:
        """The epoch and leaves of the traded instruments."""
        units = [self.epoch.units[i] for i in instruments]
        paths = [self.epoch.path(one) for one in units]
        values = (self.epoch.number, 0, NO_SIGNATURES, [one.values() for one in units], paths)
        return encode([_STATEMENT], [values])

    def leaf(self, account: int, instruments: Sequence[int] | None = None) -> tuple[int, bytes]:
        """Evidence by the epoch's leaf."""
        stated = self.epoch.leaves[account]
        book = self.book(account) if instruments is None else list(instruments)
        return c.WAY_LEAF, encode([_PROOF], [(book, stated.values(), self.epoch.path(stated))])

    # Trades

    def refresh(self, *accounts: int) -> None:
        """The epoch's leaves become the records."""
        for account in accounts:
            self.on.clearing.refresh(account, self.leaf(account), self.statement())

    def trade(self, maker: int, taker: int, instrument: int, quantity: int, price: int = MARK) -> None:
        """By headroom, at the epoch's leaf of the instrument."""
        deal = (maker, taker, [(instrument, quantity, price)], 0, 0, keccak(text="fill"))
        statement = self.statement(instrument)
        self.on.clearing.trade(deal, HEADROOM, HEADROOM, statement, sender=self.on.module)
        for account, signed in ((maker, quantity), (taker, -quantity)):
            self.links[account].append(Change(c.CHANGE_FILL, instrument, signed, price))
            self.move(account, instrument, signed)

    def move(self, account: int, instrument: int, quantity: int) -> None:
        """Keeps the books here in step with the chain's."""
        held = self.books[account].get(instrument, 0) + quantity
        self.books[account] = {i: q for i, q in {**self.books[account], instrument: held}.items() if q}

    def hold(self, account: int, other: int, positions: Mapping[int, int], price: int = MARK) -> None:
        """Trades an account into positions at epochs that ask for no margin."""
        self.post(units=[unit(i, price) for i in sorted(positions)])
        self.refresh(account, other)
        for instrument, quantity in positions.items():
            self.trade(account, other, instrument, quantity, price)

    # Claims

    def claim(self, account: int, **changes: Any) -> bytes:
        """By the epoch's leaf, with every change since it."""
        stated = self.epoch.leaves[account]
        links = changes.get("changes", self.links[account])
        filled = {x.instrument for x in links if x.kind in (c.CHANGE_FILL, c.CHANGE_UNCOUNTED_FILL)}
        units = changes.get("units", [self.epoch.units[i] for i in sorted(filled)])
        values = (
            changes.get("instruments", self.book(account)),
            c.WAY_LEAF,
            stated.values(),
            changes.get("path", self.epoch.path(stated)),
            changes.get("epoch", self.epoch.number),
            0,
            NO_SIGNATURES,
            [(x.kind, x.instrument, x.quantity, x.price) for x in links],
            [one.values() for one in units],
            changes.get("unit_paths") or [self.epoch.path(one) for one in units],
        )
        return encode_claim(values)

    def report(self, account: int, stated: MarginLeaf, **changes: Any) -> bytes:
        """A claim by a report of the account as it is."""
        deadline = changes.get("deadline", boa.env.evm.patch.timestamp + 60)
        action = hash_struct("Flag(uint256 account)", [changes.get("named", account)])
        signatures = self.signed(reports_hash([Report(self.epoch.number, action, stated, deadline)]))
        values = (
            self.book(account),
            changes.get("way", c.WAY_REPORT),
            stated.values(),
            [],
            self.epoch.number,
            deadline,
            signatures,
            changes.get("changes", []),
            [],
            [],
        )
        return encode_claim(values)

    # Auctions

    def flag(self, account: int, claim: bytes | None = None) -> None:
        """By anyone."""
        self.on.house.flag(account, claim or self.claim(account))

    def update(self, account: int, claim: bytes | None = None) -> None:
        """By anyone."""
        self.on.house.update(account, claim or self.claim(account))

    def bid(self, account: int, bidder: int, fraction: int = WAD, limit: int = 2**200, **changes: Any) -> Any:
        """By the bidder's owner, by headroom; returns the event."""
        before = {i: self.position(account, i) for i in self.books[account]}
        self.on.house.bid(
            account,
            bidder,
            fraction,
            limit,
            changes.get("instruments", self.book(account)),
            changes.get("evidence", HEADROOM),
            changes.get("statement", b""),
            sender=changes.get("sender", self.owners[bidder]),
        )
        (event,) = events(self.on.house, "AuctionBid")
        for instrument, held in before.items():
            moved = held - self.position(account, instrument)
            self.move(account, instrument, -moved)
            self.move(bidder, instrument, moved)
        return event

    def position(self, account: int, instrument: int) -> int:
        """Quantity held."""
        return int(self.on.clearing.position(account, instrument).quantity)

    def auction(self, account: int) -> Any:
        """As last touched."""
        return self.on.house.auction(account)

    def wait(self, seconds: int) -> None:
        """Time passes, without an epoch."""
        boa.env.evm.patch.timestamp += seconds


def events(contract: Any, name: str) -> list[Any]:
    """Events `name` of the last call to a contract."""
    return [event for event in contract.get_logs() if type(event).__name__ == name]
