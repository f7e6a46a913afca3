"""Recomputes a past liquidation: what the flag showed, what followed from its epoch, what every bid paid."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eth_abi.abi import decode

from keeper.attestation.epoch import EpochStatement
from keeper.attestation.merkle import root_from
from keeper.attestation.typed_data import leaf as leaf_of
from keeper.chain import abi_codec
from keeper.chain.contracts import AUCTION_HOUSE
from keeper.chain.liquidation import LiquidationReader
from keeper.chain.node import NodeError
from keeper.jobs.audit import AuditError, EpochAudit, Line, same, shown
from keeper.jobs.claims import history_of
from keeper.jobs.health import Prices, listings_of, verdict_of
from keeper.jobs.offers import offer_of
from keeper.jobs.states import in_force
from keeper.liquidation import auction_price
from keeper.liquidation.claim import ClaimError, Verdict
from keeper.liquidation.encoding import CLAIM_ABI
from keeper.store.index_store import AccountRow, BlockRow, EventRow

_LEAF, _PATH = 2, 3  # places in a claim


@dataclass
class AuctionAudit:
    """Audits of liquidations, by the epochs that they rest on."""

    epochs: EpochAudit

    def auction(self, account: int) -> list[Line]:
        """The latest auction of an account: its epoch, its flag, its bids.

        Raises:
            AuditError: it never was in one, as far as indexed, or nothing of the epoch was kept here.
        """
        index = self.epochs.index
        head = index.head()
        if head is None:
            raise AuditError("nothing is indexed in this database yet: run a keeper on it")
        started = self._events("AuctionStarted", account, head.number)
        if not started:
            raise AuditError(f"account {account} never was in an auction, as far as block {head.number}")
        flag = started[-1]
        block = index.block(flag.block_number)
        assert block is not None  # the event is of an indexed block
        number = flag.payload["epoch"]
        lines = [replace(line, name=f"epoch {line.name}") for line in self.epochs.epoch(number)]
        pair = self.epochs.statements.pair(number)
        if pair is None:
            return lines
        lines += self._flag(pair[1], account, flag, block)
        bids = [b for b in self._events("AuctionBid", account, head.number) if b.seq > flag.seq]
        return lines + [self._bid(account, bid) for bid in bids]

    def _events(self, name: str, account: int, until: int) -> list[EventRow]:
        found = self.epochs.index.events(AUCTION_HOUSE, name, until)
        return [event for event in found if event.payload["account"] == account]

    def _flag(self, statement: EpochStatement, account: int, flag: EventRow, block: BlockRow) -> list[Line]:
        """What was shown is the epoch's leaf, and the account was below its margin by it."""
        claim = self._claim(flag)
        if isinstance(claim, Line):
            return [claim]
        leaf = statement.margin(account)
        lines = [
            same("leaf", [shown(v) for v in leaf.values()], [shown(v) for v in claim[_LEAF]]),
            same(
                "path",
                "0x" + root_from(leaf_of(leaf.struct_hash()), claim[_PATH]).hex(),
                "0x" + statement.root.hex(),
            ),
        ]
        before = self.epochs.index.block(block.number - 1)
        row = next(iter(self.epochs.index.accounts(block.number - 1, [account])), None)
        if before is None or row is None:
            return [*lines, Line("margins", None, f"block {block.number - 1} is not held here")]
        return [*lines, *self._judgement(statement, row, before, block, flag.payload)]

    def _judgement(
        self,
        statement: EpochStatement,
        row: AccountRow,
        before: BlockRow,
        block: BlockRow,
        p: Mapping[str, Any],
    ) -> list[Line]:
        """Equity and margins as the claim gate found them, out of the account as it was a block before."""
        try:
            verdict = self._verdict(statement, row, before, block)
        except (ClaimError, LookupError, NodeError) as error:
            return [Line("margins", None, str(error))]
        lines = [
            same("equity", verdict.worth, p["equity"]),
            same("initial margin", verdict.initial, p["initialMargin"]),
            same("maintenance margin", verdict.maintenance, p["maintenanceMargin"]),
        ]
        return [*lines, Line("below", verdict.below, "at the effective and at the posted spots")]

    def _verdict(
        self, statement: EpochStatement, row: AccountRow, before: BlockRow, block: BlockRow
    ) -> Verdict:
        index, reader = self.epochs.index, self._reader()
        history = history_of(statement, row, index.changes(row.account, before.number))
        prices = self._prices(before, block.timestamp)
        liquid = reader.liquid(before.hash, [row.account])[row.account]
        value = reader.valuations(before.hash, [row.positions])[0]
        return verdict_of(history, row, liquid, prices, value.least)

    def _bid(self, account: int, bid: EventRow) -> Line:
        """The price of the fraction that was sold, by the auction's clock and terms."""
        p, number = bid.payload, bid.block_number
        name = f"bid of account {p['bidder']}"
        index, reader = self.epochs.index, self._reader()
        before, block = index.block(number - 1), index.block(number)
        row = next(iter(index.accounts(number - 1, [account])), None)
        if before is None or block is None or row is None:
            return Line(name, None, f"block {number - 1} is not held here")
        try:
            auction = reader.auctions(before.hash, [account])[account]
            prices, limits = self._prices(before, block.timestamp), self.epochs.protocol.limits(before.hash)
            liquid = reader.liquid(before.hash, [account])[account]
            terms = reader.terms(before.hash)
        except (NodeError, KeyError) as error:
            return Line(name, None, f"the auction in block {number - 1} cannot be read: {error}")
        now, most = block.timestamp, limits.frozen_after
        offer = offer_of(account, auction, terms, liquid, prices.collateral(row), prices.rate, now, most)
        price, payout = auction_price.cost(p["fraction"], offer.asked)
        if p["fraction"] > offer.largest:
            return Line(name, False, f"fraction {p['fraction']}, {offer.largest} was on offer")
        return same(name, [str(price), str(payout)], [str(p["price"]), str(p["payout"])])

    def _prices(self, at: BlockRow, now: int) -> Prices:
        """Of one block; terms of collateral as they are at `now`."""
        protocol = self.epochs.protocol
        spots = list(enumerate(protocol.spots(at.hash), start=1))
        rows = [in_force(row, now) for row in self.epochs.index.listings(at.number)]
        return Prices(
            effective={u: spot.effective for u, spot in spots},
            posted={u: spot.posted for u, spot in spots},
            listings=listings_of(rows),
            rate=self._reader().rate(at.hash),
        )

    def _claim(self, flag: EventRow) -> Any:
        """The claim that the transaction carried, or the line that says why there is none to see."""
        try:
            sent = self.epochs.protocol.node.request("eth_getTransactionByHash", flag.transaction_hash)
        except NodeError as error:
            return Line("flag", None, str(error))
        function = abi_codec.load(AUCTION_HOUSE).functions["flag"]
        data = bytes.fromhex(sent["input"][2:]) if sent else b""
        if data[:4] != function.selector:
            return Line("flag", None, "flagged through another contract, or the node forgot the transaction")
        _, encoded = decode(function.inputs, data[4:])
        return decode([CLAIM_ABI], encoded)[0]

    def _reader(self) -> LiquidationReader:
        return LiquidationReader(self.epochs.protocol)
