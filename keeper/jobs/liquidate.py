"""The liquidator: flags who is below maintenance margin, keeps auctions up to date, bids with its own
account, and puts collateral on sale behind which cash is missing. Anyone may do the same.

Everything is decided anew from the chain on every tick, and every transaction is kept before it is sent under
an id that names what it is for: after a restart nothing is done twice and nothing is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.attestation.epoch import EpochStatement
from keeper.attestation.evidence import encode_evidence, encode_statement
from keeper.attestation.leaves import Leaves
from keeper.chain.contracts import AUCTION_HOUSE, COLLATERAL_SALE
from keeper.chain.liquidation import LiquidationReader, Valuation
from keeper.chain.transactions import Sender
from keeper.jobs.claims import LeafClaim
from keeper.jobs.decide_liquidations import (
    Bid,
    Liquidations,
    Situation,
    book_after,
    candidates,
    decide_liquidations,
)
from keeper.jobs.desk import Desk
from keeper.jobs.dispatch import submit_once
from keeper.jobs.health import prices_of
from keeper.jobs.observe import ChainView
from keeper.liquidation.encoding import encode_claim
from keeper.markets.instrument import Instrument, Kind
from keeper.observability.metrics import Metrics
from keeper.observability.names import BELOW_MAINTENANCE, BIDS, FLAGS, OPEN_AUCTIONS
from keeper.store.index_store import AccountRow, ChangeRow
from keeper.store.transaction_store import State
from keeper.units.constants import WAD, WAY_LEAF

_RETRY_SECONDS = 30  # of chain time: a bid that was refused is offered again


@dataclass(frozen=True, slots=True)
class Mandate:
    """With whose money, and for how much: account, and least return as a share of the equity (of an insolvent
    account: of its maintenance margin), WAD.
    """

    account: int
    minimum_return: int


class Liquidator:
    """One tick: every flag and update that is due, and at most one bid on its way at a time."""

    def __init__(self, desk: Desk, sender: Sender, mandate: Mandate, metrics: Metrics) -> None:
        self._desk = desk
        self._reader = LiquidationReader(desk.protocol)
        self._sender = sender
        self._mandate = mandate
        self._metrics = metrics
        metrics.declare(FLAGS, BIDS, OPEN_AUCTIONS, BELOW_MAINTENANCE)
        self.last_error = ""
        self._done = ""  # block whose decisions are made: nothing changes before the next one

    def tick(self, view: ChainView) -> int:
        """Submit what is due in this view; returns the number of transactions that passed simulation."""
        if view.block.hash == self._done:
            return 0
        if view.header.number == 0:
            return 0
        statement = self._desk.statements.latest()
        if statement is None or statement.epoch.number != view.header.number:
            self.last_error = f"epoch {view.header.number} is not known here"
            return 0
        self.last_error = ""
        situation = self.situation(view, statement)
        due = decide_liquidations(situation)
        self._metrics.set(OPEN_AUCTIONS, len(situation.auctions))
        self._metrics.set(BELOW_MAINTENANCE, len(due.below))
        sent = self._submit_all(view, situation, due)
        self._done = view.block.hash
        return sent

    def status(self) -> dict[str, object]:
        """What the operator sees."""
        names = {"flags": FLAGS, "bids": BIDS}
        names |= {"open_auctions": OPEN_AUCTIONS, "below_maintenance": BELOW_MAINTENANCE}
        counts = {name: int(self._metrics.value(metric)) for name, metric in names.items()}
        return {"account": self._mandate.account, **counts, "last_error": self.last_error}

    def situation(self, view: ChainView, statement: EpochStatement) -> Situation:
        """All that is decided on, read at the view's block."""
        at, rows = view.block.hash, view.rows
        auctions = self._reader.auctions(
            at, [a.account for a in self._desk.index.auctions(view.block.number) if a.account in rows]
        )
        first = Situation(
            statement=statement,
            rows=rows,
            links=self._links(view, statement),
            liquid=self._liquid(view, rows),
            values={},
            prices=prices_of(view, self._reader.rate(at)),
            terms=self._reader.terms(at),
            auctions=auctions,
            converting=frozenset(self._desk.index.conversions(view.block.number)),
            now=view.block.timestamp,
            frozen_after=view.limits.frozen_after,
            is_fresh=view.block.timestamp - view.header.timestamp < view.limits.stale_after,
            bidder=self._mandate.account,
            minimum_return=self._mandate.minimum_return,
        )
        return replace(first, values=self._values(at, first))

    def _links(self, view: ChainView, statement: EpochStatement) -> dict[int, list[ChangeRow]]:
        """Changes of the books that are no longer those of the epoch."""
        then = Leaves.of(statement.margins).book_hashes()
        moved = [row.account for row in view.accounts if then.get(row.account) != row.book_hash]
        return {account: self._desk.index.changes(account, view.block.number) for account in moved}

    def _liquid(self, view: ChainView, rows: Mapping[int, AccountRow]) -> dict[int, int]:
        """Cash of everybody; with funding of those who hold perps."""
        holders = [n for n, row in rows.items() if any(_is_perp(i) for i, _ in row.positions)]
        cash = {n: row.cash for n, row in rows.items()}
        return cash | self._reader.liquid(view.block.hash, holders)

    def _values(self, at: str, situation: Situation) -> dict[int, Valuation]:
        """What the books can lose that must be known."""
        asked = candidates(situation)
        books = [situation.rows[n].positions for n in asked]
        return dict(zip(asked, self._reader.valuations(at, books), strict=True))

    def _submit_all(self, view: ChainView, situation: Situation, due: Liquidations) -> int:
        sent = 0
        for claim in due.flags:
            done = self._submit_claim(view, "flag", f"flag:{claim.account}:{claim.epoch}", claim)
            self._metrics.count(FLAGS, done)
            sent += done
        for claim in due.updates:
            touched = situation.auctions[claim.account].touched
            sent += self._submit_claim(
                view, "update", f"update:{claim.account}:{claim.epoch}:{touched}", claim
            )
        for number in due.conversions:
            book = [instrument for instrument, _ in situation.rows[number].positions]
            calldata = self._desk.protocol.calldata(COLLATERAL_SALE, "start_conversion", number, book)
            id = f"convert:{number}:{view.header.number}"
            worth = situation.statement.margin(number).maintenance_margin
            sent += self._submit(id, "convert", COLLATERAL_SALE, calldata, view, worth)
        for bid in due.bids:
            if any(intent.kind == "bid" for intent in self._sender.unresolved()):
                break  # it changes what we can carry
            done = self._submit_bid(view, situation, bid)
            self._metrics.count(BIDS, done)
            sent += done
        return sent

    def _submit_claim(self, view: ChainView, kind: str, id: str, claim: LeafClaim) -> int:
        shown = encode_claim(claim.values())
        calldata = self._desk.protocol.calldata(AUCTION_HOUSE, kind, claim.account, shown)
        worth = claim.history.leaf.maintenance_margin
        return self._submit(id, kind, AUCTION_HOUSE, calldata, view, worth)

    def _submit_bid(self, view: ChainView, situation: Situation, bid: Bid) -> int:
        own, seller = situation.rows[situation.bidder], situation.rows[bid.account]
        statement = situation.statement
        evidence = encode_evidence(
            WAY_LEAF,
            book_after(own, seller, bid.taken),
            statement.margin(own.account),
            statement.account_proof(own.account),
        )
        calldata = self._desk.protocol.calldata(
            AUCTION_HOUSE,
            "bid",
            bid.account,
            own.account,
            bid.fraction,
            bid.limit,
            [instrument for instrument, _ in seller.positions],
            evidence,
            encode_statement(epoch=statement.epoch.number),
        )
        period = view.block.timestamp // _RETRY_SECONDS
        id = f"bid:{bid.account}:{statement.epoch.number}:{period}"
        worth = statement.margin(bid.account).maintenance_margin * bid.fraction // WAD
        return self._submit(id, "bid", AUCTION_HOUSE, calldata, view, worth)

    def _submit(self, id: str, kind: str, contract: str, calldata: str, view: ChainView, worth: int) -> int:
        """`worth`: the maintenance margin concerned, USD, WAD; its gas may cost a share of it."""
        target, now = self._desk.protocol.deployment.addresses[contract], view.block.timestamp
        intent = submit_once(self._sender, "liquidate", id, kind, target, calldata, now, worth)
        if intent is not None and intent.error:
            self.last_error = f"{id}: {intent.error}"
        return int(intent is not None and intent.state != State.DROPPED)


def _is_perp(instrument: int) -> bool:
    return Instrument.unpack(instrument).kind == Kind.PERP
