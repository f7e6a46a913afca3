"""Accounts that fall below their margins, on the real contracts; attesters state what a test wants stated.

Numbers are WAD. Underlying 1 stands at 2,000 USD, and is worth 100 USD an option.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import boa
from eth_utils.crypto import keccak

from keeper.attestation.epoch import posted_spots
from keeper.attestation.merkle import Tree
from keeper.attestation.typed_data import (
    Epoch,
    InstrumentLeaf,
    MarginLeaf,
    Report,
    hash_struct,
    leaf,
    reports_hash,
)
from keeper.liquidation.claim import Change
from keeper.liquidation.encoding import encode_claim
from keeper.units import constants as c
from scripts._protocol import AuctionTerms, DebtTerms
from tests.support import clearing
from tests.support.clearing import (
    ACTION,
    BLOCK_HASH,
    CALL,
    EXPIRY,
    METHODOLOGY,
    NO_LIMITS,
    PUT,
    SPOT,
    USD8,
    USDC,
    WAD,
    Contracts,
    call,
    put,
    source,
)
from tests.support.house import SIGNERS, Posted, events
from tests.support.statements import NO_SIGNATURES, ZERO, evidence, quorum_signatures, statement

__all__ = ["CALL", "EXPIRY", "PUT", "SPOT", "USD8", "USDC", "WAD", "call", "events", "put"]

MARK = 100 * WAD
TERMS = AuctionTerms(grace=0).values()
DEBT_TERMS = DebtTerms(interest=0).values()
HEADROOM = evidence()


def unit(instrument: int, mark: int = MARK, margin: int = 0) -> InstrumentLeaf:
    """An instrument's leaf: initial margin `margin` long, double that short; half of it for maintenance."""
    return InstrumentLeaf(instrument, mark, margin, margin // 2, 2 * margin, margin)


@dataclass(frozen=True)
class Deployed(Contracts):
    """The clearing contracts, and those that liquidate."""

    ether: Any  # collateral of 18 decimals
    fund: Any
    claim_gate: Any
    house: Any
    sale: Any


def deploy(terms: tuple[int, ...] = TERMS) -> Deployed:
    """Everything wired at GENESIS; call inside an anchor."""
    base = clearing.deploy()
    with boa.env.prank(base.owner):
        ether = source("mocks/MockToken").deploy(18)
        fund = source("liquidation/InsuranceFund").deploy(base.vault.address, WAD // 2, 3 * 86_400)
        base.vault.set_insurance_fund(fund.address)
        base.vault.list_collateral(ether.address, (0, 18, 1, 1_000, 500, 10**24))
        claim_gate = source("liquidation/ClaimGate").deploy(base.clearing.address)
        house = source("liquidation/AuctionHouse").deploy(base.clearing.address, claim_gate.address, terms)
        base.clearing.set_auction_house(house.address)
        sale = source("liquidation/CollateralSale").deploy(base.clearing.address, DEBT_TERMS)
        base.vault.set_collateral_sale(sale.address)
    return Deployed(**vars(base), ether=ether, fund=fund, claim_gate=claim_gate, house=house, sale=sale)


class Hall:
    """Opens accounts, posts epochs, trades, flags and bids."""

    def __init__(self, deployed: Deployed) -> None:
        self.on = deployed
        self.epoch = Posted()
        self.owners: dict[int, str] = {}
        self.books: dict[int, dict[int, int]] = {}
        self.links: dict[int, list[Change]] = {}

    # Accounts

    def open(self, name: str, cash: int = 0) -> int:
        """An account with `cash` whole dollars."""
        owner = boa.env.generate_address(name)
        return self._opened(int(self.on.clearing.open_account(owner)), owner, cash)

    def open_isolated(self, name: str, expiry: int, cash: int) -> int:
        """An account for one expiry of any underlying."""
        owner = boa.env.generate_address(name)
        return self._opened(int(self.on.clearing.open_isolated(owner, 0, expiry)), owner, cash)

    def _opened(self, account: int, owner: str, cash: int) -> int:
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
        marks = {
            i: self.epoch.instruments[i].mark if i in self.epoch.instruments else MARK
            for i in self.books[account]
        }
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
        self.epoch = replace(self.epoch, instruments=stated)
        every = [given.get(account) or self.margin(account) for account in self.owners]
        posted = Posted(
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
        self.on.oracle.post_epoch(epoch.posting(), posted_spots([word]), self.signed(epoch.struct_hash()))
        self.epoch = posted
        for account in self.owners:
            self.links[account] = []

    def signed(self, struct_hash: bytes) -> tuple[int, list[tuple[bytes, int]]]:
        """Quorum signatures."""
        chain_id = boa.env.evm.patch.chain_id
        return quorum_signatures(chain_id, self.on.quorum.address, struct_hash, SIGNERS)

    def statement(self, *instruments: int) -> bytes:
        """The epoch and leaves of the traded instruments."""
        units = [self.epoch.instruments[i] for i in instruments]
        return statement(self.epoch.number, 0, NO_SIGNATURES, units, [self.epoch.proof(one) for one in units])

    def leaf(self, account: int, instruments: Sequence[int] | None = None) -> tuple[Any, ...]:
        """Evidence by the epoch's leaf."""
        stated = self.epoch.leaves[account]
        book = self.book(account) if instruments is None else list(instruments)
        return evidence(c.WAY_LEAF, book, stated, self.epoch.proof(stated))

    # Trades

    def refresh(self, *accounts: int) -> None:
        """The epoch's leaves become the records."""
        for account in accounts:
            self.on.clearing.refresh(account, self.leaf(account), self.statement())

    def trade(self, maker: int, taker: int, instrument: int, quantity: int, price: int = MARK) -> None:
        """By headroom, at the epoch's leaf of the instrument."""
        fill = (instrument, quantity, price, 10**9 * WAD, NO_LIMITS)
        deal = (maker, taker, [fill], 0, 0, self.owners[maker], self.owners[taker], ACTION)
        shared = self.statement(instrument)
        self.on.clearing.trade(deal, HEADROOM, HEADROOM, shared, sender=self.on.module)
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
        units = changes.get("units", [self.epoch.instruments[i] for i in sorted(filled)])
        values = (
            changes.get("instruments", self.book(account)),
            c.WAY_LEAF,
            stated.values(),
            changes.get("path", self.epoch.proof(stated)),
            changes.get("epoch", self.epoch.number),
            0,
            NO_SIGNATURES,
            [(x.kind, x.instrument, x.quantity, x.price) for x in links],
            [one.values() for one in units],
            changes.get("unit_paths") or [self.epoch.proof(one) for one in units],
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
