"""Auctions, bids, conversions and the insurance fund's flows, as the chain's events tell them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from keeper.store.schema import auction_bid, auction_version, conversion_version, insurance_flow
from keeper.store.versions import valid

OPEN = "open"
ENDS = ("restored", "recovered", "sold")  # by END_* of the auction house


@dataclass(frozen=True, slots=True)
class AuctionRow:
    """An auction in one block, with the margins that it was started or last updated with; WAD."""

    account: int
    state: str
    epoch: int
    solvent: bool
    equity: int
    initial_margin: int
    maintenance_margin: int


@dataclass(frozen=True, slots=True)
class BidRow:
    """One bid: fraction of what was left, share of the equity paid, cash each way; WAD."""

    block_number: int
    account: int
    bidder: int
    solvent: bool
    fraction: int
    discounted: int
    price: int
    payout: int


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One flow of the insurance fund: deposit, withdrawal or cover; the token's and the vault's decimals."""

    block_number: int
    kind: str
    holder: str
    assets: int
    shares: int


def open_auctions(connection: Connection, number: int) -> list[AuctionRow]:
    """Auctions that were open in block `number`, ascending by account."""
    table = auction_version
    found = connection.execute(
        select(table).where(valid(table, number), table.c.state == OPEN).order_by(table.c.account)
    )
    return [_auction_row(row) for row in found]


def open_conversions(connection: Connection, number: int) -> list[int]:
    """Accounts whose collateral was on sale in block `number`, ascending."""
    table = conversion_version
    query = select(table.c.account).where(valid(table, number), table.c.state == OPEN)
    return [int(account) for account in connection.execute(query.order_by(table.c.account)).scalars()]


def bids(connection: Connection, until: int, account: int | None = None) -> list[BidRow]:
    """Bids up to and including a block, in order; on one account, or all."""
    table = auction_bid
    query = select(table).where(table.c.block_number <= until)
    if account is not None:
        query = query.where(table.c.account == account)
    found = connection.execute(query.order_by(table.c.block_number, table.c.log_index))
    return [
        BidRow(
            row.block_number,
            row.account,
            row.bidder,
            row.solvent == "1",
            int(row.fraction),
            int(row.discounted),
            int(row.price),
            int(row.payout),
        )
        for row in found
    ]


def flows(connection: Connection, until: int) -> list[FlowRow]:
    """Flows of the insurance fund up to and including a block, in order."""
    table = insurance_flow
    found = connection.execute(
        select(table).where(table.c.block_number <= until).order_by(table.c.block_number, table.c.log_index)
    )
    return [FlowRow(r.block_number, r.kind, r.holder, int(r.assets), int(r.shares)) for r in found]


def _auction_row(row: Row[Any]) -> AuctionRow:
    return AuctionRow(
        row.account,
        row.state,
        int(row.epoch),
        row.solvent == "1",
        int(row.equity),
        int(row.initial_margin),
        int(row.maintenance_margin),
    )
