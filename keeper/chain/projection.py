"""What events do to the index. The chain states what holds afterwards; what it does not state, such as the
positions left by a share sold in an auction, follows from what the index holds. The book hash vouches for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from keeper.chain.contracts import AUCTION_HOUSE, CLEARINGHOUSE, COLLATERAL_SALE, INSURANCE_FUND, VAULT
from keeper.clearing import book_hash, share
from keeper.markets.instrument import Instrument, Kind, leg_of
from keeper.store import index_store, liquidation_store
from keeper.store.index_store import AccountRow, ChangeRow, EventRow, ListingRow
from keeper.units.constants import CHANGE_AUCTION, CHANGE_PURCHASE, CHANGE_SETTLEMENT, WAD


class ProjectionError(ValueError):
    """The event does not follow from what is indexed: it, or one before it, is not the chain's."""


def apply(connection: Connection, row: EventRow) -> None:
    """Project one event. Raises ProjectionError when it does not follow from what is indexed."""
    handler = _HANDLERS.get((row.contract, row.name))
    if handler is not None:
        handler(connection, row)


def _opened(connection: Connection, row: EventRow) -> None:
    changes = {name: row.payload[name] for name in ("owner", "underlying", "expiry")}
    index_store.put_account(connection, row.block_number, row.payload["account"], changes)


def _owner_changed(connection: Connection, row: EventRow) -> None:
    changes = {"owner": row.payload["owner"]}
    index_store.put_account(connection, row.block_number, row.payload["account"], changes)


def _tier_set(connection: Connection, row: EventRow) -> None:
    changes = {"tier": row.payload["tier"]}
    index_store.put_account(connection, row.block_number, row.payload["account"], changes)


def _cash_moved(connection: Connection, row: EventRow) -> None:
    changes = {"cash": row.payload["cash"]}
    index_store.put_account(connection, row.block_number, row.payload["account"], changes)


def _position_changed(connection: Connection, row: EventRow) -> None:
    """Position and book hash follow; that they are the chain's is checked when a block is observed."""
    p = row.payload
    account, instrument = p["account"], p["instrument"]
    _link(connection, row, account, p["kind"], instrument, p["quantity"], p["price"])
    counters = leg_of(p["counters"])  # U and Q share a word as instrument and quantity do
    changes = {"cash": p["cash"], "added_im": counters.instrument, "added_mark": counters.quantity}
    index_store.put_account(connection, row.block_number, account, changes)
    held = index_store.held(connection, account, instrument)
    index_store.put_position(connection, row.block_number, account, instrument, held + p["quantity"])


def _settled(connection: Connection, row: EventRow) -> None:
    """Every leg named is gone. The book hash takes what they paid as one change; the cash is with funding."""
    p = row.payload
    account = _account(connection, row, p["account"])
    held = dict(account.positions)
    units = {word >> 128: word & 2**128 - 1 for word in p["words"]}
    _require(units.keys() <= held.keys(), row, account.account)
    received = sum(held[instrument] * unit // WAD for instrument, unit in units.items())
    latest = Instrument(0, p["until"], 0, Kind.PERP).pack()
    _link(connection, row, account.account, CHANGE_SETTLEMENT, latest, -received, WAD, p["bookHash"])
    index_store.put_account(connection, row.block_number, account.account, {"cash": p["cash"]})
    for instrument in units:
        index_store.put_position(connection, row.block_number, account.account, instrument, 0)


def _collateral_listed(connection: Connection, row: EventRow) -> None:
    c = row.payload["collateral"]
    listing = ListingRow(
        index=c["index"],
        token=row.payload["token"],
        decimals=c["decimals"],
        underlying=c["underlying"],
        initial_haircut=c["initialHaircut"],
        maintenance_haircut=c["maintenanceHaircut"],
        cap=c["cap"],
    )
    index_store.put_listing(connection, row.block_number, listing)


def _collateral_delisted(connection: Connection, row: EventRow) -> None:
    p = row.payload
    listed = {listing.token: listing for listing in index_store.listings_at(connection, row.block_number)}
    listing = replace(listed[p["token"].lower()], cap=0, since=p["since"], until=p["until"])
    index_store.put_listing(connection, row.block_number, listing)


def _collateral_changed(connection: Connection, row: EventRow) -> None:
    p = row.payload
    account = _account(connection, row, p["account"])
    listings = index_store.listings_at(connection, row.block_number)
    index = {listing.token: listing.index for listing in listings}.get(p["token"].lower())
    _require(index is not None, row, p["account"])
    assert index is not None  # said above
    _require(dict(account.collateral).get(index, 0) + p["change"] == p["balance"], row, p["account"])
    _link(connection, row, p["account"], p["kind"], index, p["change"], 0, p["bookHash"])
    index_store.put_collateral(connection, row.block_number, p["account"], index, p["balance"])


def _share_transferred(connection: Connection, row: EventRow) -> None:
    """The collateral of the share has moved before, by events of its own."""
    p = row.payload
    seller, buyer = (_account(connection, row, p[side]) for side in ("seller", "buyer"))
    legs = share.legs_moved(dict(seller.positions), p["fraction"])
    stated = {leg.instrument: leg.quantity for leg in map(leg_of, p["words"]) if leg.quantity}
    _require(legs == stated, row, p["seller"])
    _link(connection, row, p["seller"], CHANGE_AUCTION, 0, -p["fraction"], 0, p["sellerHash"])
    _link(connection, row, p["buyer"], CHANGE_PURCHASE, 0, p["fraction"], p["seller"], p["buyerHash"])
    number = row.block_number
    index_store.put_account(connection, number, p["seller"], {"cash": p["sellerCash"]})
    changes = {"cash": p["buyerCash"], "added_im": p["buyerAddedIM"], "added_mark": p["buyerAddedMark"]}
    index_store.put_account(connection, number, p["buyer"], changes)
    ours, theirs = dict(seller.positions), dict(buyer.positions)
    for instrument, part in legs.items():
        index_store.put_position(connection, number, seller.account, instrument, ours[instrument] - part)
        held = theirs.get(instrument, 0) + part
        index_store.put_position(connection, number, buyer.account, instrument, held)


def _frozen(connection: Connection, row: EventRow) -> None:
    changes = {"frozen": int(row.payload["frozen"])}
    index_store.put_account(connection, row.block_number, row.payload["account"], changes)


def _auction_stated(connection: Connection, row: EventRow) -> None:
    p = row.payload
    changes = {
        "state": liquidation_store.OPEN,
        "epoch": p["epoch"],
        "solvent": int(p["solvent"]),
        "equity": p["equity"],
        "initial_margin": p["initialMargin"],
        "maintenance_margin": p["maintenanceMargin"],
    }
    liquidation_store.put_auction(connection, row.block_number, p["account"], changes)


def _auction_ended(connection: Connection, row: EventRow) -> None:
    changes = {"state": liquidation_store.ENDS[row.payload["reason"]]}
    liquidation_store.put_auction(connection, row.block_number, row.payload["account"], changes)


def _conversion_started(connection: Connection, row: EventRow) -> None:
    changes = {"state": liquidation_store.OPEN, "settled": row.payload["settled"]}
    liquidation_store.put_conversion(connection, row.block_number, row.payload["account"], changes)


def _conversion_ended(connection: Connection, row: EventRow) -> None:
    changes = {"state": "ended"}
    liquidation_store.put_conversion(connection, row.block_number, row.payload["account"], changes)


def _covered(connection: Connection, row: EventRow) -> None:
    liquidation_store.add_flow(connection, row, "cover", "", row.payload["paid"], 0)


def _staked(connection: Connection, row: EventRow) -> None:
    p = row.payload
    liquidation_store.add_flow(connection, row, "deposit", p["owner"], p["assets"], p["shares"])


def _unstaked(connection: Connection, row: EventRow) -> None:
    p = row.payload
    liquidation_store.add_flow(connection, row, "withdrawal", p["owner"], p["assets"], p["shares"])


def _link(
    connection: Connection,
    row: EventRow,
    account: int,
    kind: int,
    instrument: int,
    quantity: int,
    price: int,
    stated: str | None = None,
) -> None:
    """The next link of an account's book hash. Where the event states the hash, it vouches for all that is
    folded into it."""
    before = _account(connection, row, account).book_hash
    after = book_hash.fold(before, kind, instrument, quantity, price)
    _require(stated is None or "0x" + after.hex() == stated, row, account)
    index_store.add_change(connection, row, account, ChangeRow(kind, instrument, quantity, price, after))
    index_store.put_account(connection, row.block_number, account, {"book_hash": "0x" + after.hex()})


def _account(connection: Connection, row: EventRow, account: int) -> AccountRow:
    found = index_store.account_now(connection, account)
    _require(found is not None, row, account)
    assert found is not None  # said above
    return found


def _require(holds: bool, row: EventRow, account: int) -> None:
    if not holds:
        raise ProjectionError(
            f"event {row.seq} in block {row.block_number} does not follow from the book of account {account}"
        )


_HANDLERS: Mapping[tuple[str, str], Callable[[Connection, EventRow], Any]] = {
    (CLEARINGHOUSE, "AccountOpened"): _opened,
    (CLEARINGHOUSE, "AccountTransferred"): _owner_changed,
    (CLEARINGHOUSE, "CreditTierSet"): _tier_set,
    (VAULT, "Deposited"): _cash_moved,
    (VAULT, "Withdrawn"): _cash_moved,
    (VAULT, "InterestCharged"): _cash_moved,
    (CLEARINGHOUSE, "PositionChanged"): _position_changed,
    (CLEARINGHOUSE, "AccountSettled"): _settled,
    (VAULT, "CollateralListed"): _collateral_listed,
    (VAULT, "CollateralDelisted"): _collateral_delisted,
    (VAULT, "CollateralChanged"): _collateral_changed,
    (CLEARINGHOUSE, "ShareTransferred"): _share_transferred,
    (CLEARINGHOUSE, "AccountFrozen"): _frozen,
    (AUCTION_HOUSE, "AuctionStarted"): _auction_stated,
    (AUCTION_HOUSE, "AuctionUpdated"): _auction_stated,
    (AUCTION_HOUSE, "AuctionBid"): liquidation_store.add_bid,
    (AUCTION_HOUSE, "AuctionEnded"): _auction_ended,
    (COLLATERAL_SALE, "ConversionStarted"): _conversion_started,
    (COLLATERAL_SALE, "ConversionEnded"): _conversion_ended,
    (INSURANCE_FUND, "DeficitCovered"): _covered,
    (INSURANCE_FUND, "Deposit"): _staked,
    (INSURANCE_FUND, "Withdraw"): _unstaked,
}
