"""Accounts, auctions and claims for whoever asks over HTTP: as this keeper sees the chain's head."""

from keeper.chain.liquidation import LiquidationReader
from keeper.chain.node import NodeError
from keeper.jobs.claims import claim_of
from keeper.jobs.desk import Desk
from keeper.jobs.health import prices_of
from keeper.jobs.offers import offer_of
from keeper.liquidation.claim import ClaimError
from keeper.network.schemas import (
    AccountAnswer,
    AuctionAnswer,
    ClaimAnswer,
    CollateralMessage,
    LegMessage,
    hex_text,
    texts,
)
from keeper.network.server import Absent, Refusal, Unavailable
from keeper.store.index_store import AccountRow
from keeper.units.constants import WAY_LEAF


class Accounts:
    """Answers of one keeper. All raise Unavailable when the node does not answer."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._reader = LiquidationReader(desk.protocol)

    def account(self, account: int) -> AccountAnswer:
        """One account. Absent if it is not open."""
        row, block = self._row(account)
        tokens = {x.index: x for x in self._desk.index.listings(block)}
        return AccountAnswer(
            account=str(account),
            owner=row.owner,
            block=block,
            cash=str(row.cash),
            added_im=str(row.added_im),
            added_mark=str(row.added_mark),
            book_hash=hex_text(row.book_hash),
            frozen=row.frozen,
            tier=row.tier,
            underlying=row.underlying,
            expiry=row.expiry,
            positions=[LegMessage(instrument=str(i), quantity=str(q)) for i, q in row.positions],
            collateral=[
                CollateralMessage(
                    index=i, token=tokens[i].token, underlying=tokens[i].underlying, amount=str(amount)
                )
                for i, amount in row.collateral
            ],
        )

    def auctions(self) -> list[AuctionAnswer]:
        """Every open auction at the price of the head's moment."""
        view = self._desk.view()
        at, rows = view.block.hash, view.rows
        asked = [auction.account for auction in self._desk.index.auctions(view.block.number)]
        try:
            auctions = self._reader.auctions(at, asked)
            liquid = self._reader.liquid(at, list(auctions))
            terms, prices = self._reader.terms(at), prices_of(view, self._reader.rate(at))
        except NodeError as error:
            raise Unavailable(str(error)) from error
        found = []
        for number, auction in auctions.items():
            collateral = prices.collateral(rows[number])
            now, most = view.block.timestamp, view.limits.frozen_after
            offer = offer_of(number, auction, terms, liquid[number], collateral, prices.rate, now, most)
            found.append(
                AuctionAnswer(
                    account=str(number),
                    epoch=auction.epoch,
                    insolvent=offer.insolvent,
                    initial_margin=str(auction.initial_margin),
                    maintenance_margin=str(auction.maintenance_margin),
                    mark=str(auction.mark),
                    elapsed=auction.elapsed,
                    touched=auction.touched,
                    asked=str(offer.asked),
                    gain=str(offer.gain),
                    largest=str(offer.largest),
                )
            )
        return found

    def claim(self, number: int, account: int) -> ClaimAnswer:
        """What an epoch still proves of an account.

        Raises:
            Absent: no such epoch here, or no such account in it.
            Refusal: the account has changed beyond what the epoch can answer for.
        """
        statement = self._desk.statements.get(number)
        if statement is None:
            raise Absent(f"epoch {number} is not served here")
        row, block = self._row(account)
        try:
            claim = claim_of(statement, row, self._desk.index.changes(account, block))
        except ClaimError as error:
            raise Refusal(str(error)) from error
        except LookupError as error:
            raise Absent(str(error.args[0])) from error
        history = claim.history
        return ClaimAnswer(
            instruments=[str(i) for i in claim.instruments],
            way=WAY_LEAF,
            leaf=texts(history.leaf.values()),
            path=[hex_text(p) for p in claim.path],
            epoch=claim.epoch,
            changes=[texts((x.kind, x.instrument, x.quantity, x.price)) for x in history.changes],
            units=[texts(unit.values()) for unit in history.units],
            unit_paths=[[hex_text(p) for p in path] for path in claim.unit_paths],
        )

    def _row(self, account: int) -> tuple[AccountRow, int]:
        """An account at the head, and the head's number."""
        head = self._desk.sync()
        found = self._desk.index.accounts(head.number, [account])
        if found:
            return found[0], head.number
        raise Absent(f"no account {account}")
