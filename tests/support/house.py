"""Accounts at the clearing contracts, and attesters who state whatever a test wants stated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    Typed,
    Withdrawal,
    leaf,
    reports_hash,
)
from keeper.clearing import account as accounts
from keeper.clearing.account import Account, Fill, InstrumentMargin
from keeper.clearing.funding import is_perp
from keeper.units import constants as c
from tests.support.clearing import (
    ACTION,
    BLOCK_HASH,
    CALL,
    FUTURE,
    METHODOLOGY,
    PERP,
    PUT,
    SPOT,
    WAD,
    Contracts,
    Deal,
    Side,
)
from tests.support.keys import ATTESTER_KEYS
from tests.support.statements import NO_SIGNATURES, ZERO, quorum_signatures, statement

SIGNERS = dict(enumerate(ATTESTER_KEYS[:3]))
REPORT_WAYS = (c.WAY_REPORT, c.WAY_REDUCE_REPORT)
INSTRUMENTS = (
    InstrumentLeaf(PERP, 2_000 * WAD, 200 * WAD, 100 * WAD, 210 * WAD, 110 * WAD),
    InstrumentLeaf(FUTURE, 2_000 * WAD, 200 * WAD, 100 * WAD, 210 * WAD, 110 * WAD),
    InstrumentLeaf(CALL, 100 * WAD, 100 * WAD, 80 * WAD, 300 * WAD, 200 * WAD),
    InstrumentLeaf(PUT, 100 * WAD, 100 * WAD, 80 * WAD, 300 * WAD, 200 * WAD),
)


@dataclass
class Posted:
    """Statements of the latest epoch."""

    number: int = 0
    margins: Tree = field(default_factory=lambda: Tree([]))
    market: Tree = field(default_factory=lambda: Tree([]))
    leaves: dict[int, MarginLeaf] = field(default_factory=dict)
    instruments: dict[int, InstrumentLeaf] = field(default_factory=dict)

    def proof(self, stated: Typed) -> list[bytes]:
        """From a leaf to the epoch's root."""
        tree, other = self.margins, self.market
        if isinstance(stated, InstrumentLeaf):
            tree, other = self.market, self.margins
        return [*tree.proof(leaf(stated.struct_hash())), other.root]


class House:
    """Opens accounts, posts epochs, signs reports and sends trades as the module."""

    def __init__(self, contracts: Contracts) -> None:
        self.contracts = contracts
        self.clearing = contracts.clearing
        self.vault = contracts.vault
        self.epoch = Posted()
        self.known: set[int] = set()
        self.owners: dict[int, str] = {}

    # Accounts

    def open(self, name: str, cash: int = 0) -> int:
        """An account with `cash` whole dollars."""
        owner = boa.env.generate_address(name)
        account = int(self.clearing.open_account(owner))
        self.owners[account] = owner
        if cash:
            self.deposit(account, cash * 10 ** self.contracts.token.decimals())
        return account

    def deposit(self, account: int, amount: int) -> None:
        """`amount` in the token's decimals, freshly minted for the owner."""
        token, owner = self.contracts.token, self.owners[account]
        token.mint(owner, amount)
        token.approve(self.vault.address, amount, sender=owner)
        self.vault.deposit(account, token.address, amount, sender=owner)

    def state(self, account: int) -> Account:
        """The account as the model knows it, read from the chain; without its record."""
        stored = self.clearing.account(account)
        stored_positions = {i: self.clearing.position(account, i) for i in self.known}
        held = {i: position.quantity for i, position in stored_positions.items() if position.quantity}
        return Account(
            owner=stored.owner,
            cash=stored.cash,
            exempt=stored.exempt,
            added_im=stored.addedIM,
            added_mark=stored.addedMark,
            book_hash=stored.bookHash,
            withdraw_nonce=stored.withdrawNonce,
            positions=held,
            entries={i: stored_positions[i].entryIndex for i in held if is_perp(i)},
        )

    def book(self, account: int) -> list[int]:
        """Instruments held, ascending."""
        return sorted(self.state(account).positions)

    def after(self, account: int, deal: Deal, taker: bool = False) -> Account:
        """The account after its side of a deal."""
        stated = self.epoch.instruments.get(deal.instrument) if deal.counted else None
        margin = InstrumentMargin(stated.mark, stated.im_long, stated.im_short) if stated else None
        quantity = -deal.quantity if taker else deal.quantity
        return accounts.filled(
            self.state(account), Fill(deal.instrument, quantity, deal.price, deal.fees[taker], margin)
        )

    def record(self, account: int) -> Any:
        """The account's record, unpacked."""
        return self.contracts.gate.unpack(self.clearing.standing(account, True).record)

    def value(self, state: Account) -> Any:
        """The valuer's bounds of a book."""
        return self.contracts.valuer.value(words(state.positions))

    # Attesters

    def margin(self, account: int, state: Account | None = None, **stated: Any) -> MarginLeaf:
        """A leaf on the account's present or given state; `stated` sets any other field."""
        state = state or self.state(account)
        plain = MarginLeaf(
            account, state.added_im, state.added_mark, state.book_hash, 0, 0, 0, 0, 0, WAD, 10**9 * WAD, ZERO
        )
        return replace(plain, **stated)

    def post(
        self,
        *leaves: MarginLeaf,
        spot: int = SPOT,
        effective: int = 0,
        instruments: Sequence[InstrumentLeaf] = INSTRUMENTS,
        others: Sequence[int] = (),
    ) -> None:
        """The next epoch, one block and 15 seconds on; `others`: spot words of further underlyings."""
        patch = boa.env.evm.patch
        patch.block_number, patch.timestamp = patch.block_number + 1, patch.timestamp + 15
        spots = [spot << 64 | (effective or spot), *others]
        posted = Posted(
            self.epoch.number + 1,
            Tree(leaf(one.struct_hash()) for one in leaves),
            Tree(leaf(one.struct_hash()) for one in instruments),
            {one.account: one for one in leaves},
            {one.instrument: one for one in instruments},
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
            spots_hash=keccak(b"".join(word.to_bytes(32, "big") for word in spots)),
        )
        self.contracts.oracle.post_epoch(
            epoch.posting(), posted_spots(spots), self.signed(epoch.struct_hash())
        )
        self.epoch = posted

    def signed(self, struct_hash: bytes) -> tuple[int, list[tuple[bytes, int]]]:
        """Quorum signatures."""
        chain_id, quorum = boa.env.evm.patch.chain_id, self.contracts.quorum.address
        return quorum_signatures(chain_id, quorum, struct_hash, SIGNERS)

    def statement(self, *sides: Side, action: bytes = ACTION, instrument: int = 0, **changes: Any) -> Any:
        """Reports of the sides that need one, signed; and the leaf of an instrument, or of `instruments`."""
        number = changes.get("epoch", self.epoch.number)
        deadline = changes.get("deadline", boa.env.evm.patch.timestamp + 60)
        reports = [Report(number, action, s.leaf, deadline) for s in sides if s.leaf and s.way in REPORT_WAYS]
        signatures = self.signed(reports_hash(reports)) if reports else NO_SIGNATURES
        traded = changes.get("instruments", [instrument])
        shown = [self.epoch.instruments[one] for one in traded if one in self.epoch.instruments]
        return statement(number, deadline, signatures, shown, [self.epoch.proof(one) for one in shown])

    # Sides

    def leaf(self, account: int, deal: Deal | None = None, taker: bool = False) -> Side:
        """The latest epoch's leaf over the book now, or after a deal."""
        stated = self.epoch.leaves[account]
        state = self.after(account, deal, taker) if deal else self.state(account)
        return Side(c.WAY_LEAF, sorted(state.positions), stated, self.epoch.proof(stated))

    def report(self, account: int, state: Account, way: int = c.WAY_REPORT, **stated: Any) -> Side:
        """A report on a state after an action."""
        return Side(way, sorted(state.positions), self.margin(account, state, **stated))

    def withdrawal(self, account: int, amount: int, **stated: Any) -> tuple[Side, Any]:
        """A report on the account after a withdrawal, and the statement that carries it."""
        state = self.state(account)
        side = self.report(account, state, **stated)
        token, owner = self.contracts.token.address, self.owners[account]
        action = Withdrawal(account, token, amount, owner, state.withdraw_nonce).struct_hash()
        return side, self.statement(side, action=action)

    def worst(self, account: int, deal: Deal | None = None, taker: bool = False) -> Side:
        """Worst case of the book after a deal, or now."""
        state = self.after(account, deal, taker) if deal else self.state(account)
        return Side(c.WAY_WORST_CASE, sorted(state.positions))

    def easy(self, account: int, deal: Deal, taker: bool = True) -> Side:
        """A report without margin: passes wherever the account has the cash."""
        state = self.after(account, deal, taker)
        return self.report(account, state, mark_to_market=self.value(state).low)

    # Actions

    def refresh(self, account: int) -> None:
        """The latest epoch's leaf becomes the record."""
        self.clearing.refresh(account, self.leaf(account).evidence(), statement(self.epoch.number))

    def trade(self, deal: Deal, maker: int, taker: int, *sides: Side, **changes: Any) -> None:
        """The module brings a deal."""
        shared = self.statement(*sides, instrument=deal.instrument if deal.counted else 0, **changes)
        shown = [side.evidence() for side in sides]
        values = deal.values(maker, taker, self.owners)
        self.clearing.trade(values, *shown, shared, sender=self.contracts.module)
        self.known.add(deal.instrument)

    def hold(self, account: int, other: int, *deals: Deal) -> None:
        """Give an account positions, against another that has the cash."""
        for deal in deals:
            self.trade(deal, account, other, self.easy(account, deal, taker=False), self.easy(other, deal))

    def withdraw(self, account: int, amount: int, side: Side, statement: Any = None, **changes: Any) -> None:
        """The owner takes `amount` of the token's units."""
        owner = self.owners[account]
        self.vault.withdraw(
            account,
            self.contracts.token.address,
            amount,
            changes.get("recipient", owner),
            side.evidence(),
            statement or self.statement(side),
            sender=changes.get("sender", owner),
        )


def words(positions: Mapping[int, int]) -> list[int]:
    """Book words of positions."""
    return [i << 128 | q & 2**128 - 1 for i, q in sorted(positions.items())]


def events(contract: Any, name: str) -> list[Any]:
    """Events `name` of the last call to a contract."""
    return [event for event in contract.get_logs() if type(event).__name__ == name]
