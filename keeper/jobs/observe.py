"""Everything one decision needs from the chain, read at one block's hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from keeper.attestation.accounts import Accounts
from keeper.chain.contracts import Header, Limits, Listing, Protocol, Spot
from keeper.chain.node import BlockRef
from keeper.jobs.books import Books
from keeper.jobs.states import ObservationError, accounts_of
from keeper.markets.instrument import Instrument
from keeper.store.index_store import AccountRow, ListingRow

__all__ = ["ChainView", "ObservationError", "observe"]


@dataclass(frozen=True)
class ChainView:
    """The protocol in one block. Prices are 1e-8 USD, times unix seconds.

    Attributes:
        accounts: as indexed, ascending; checked against the chain by `keeper.jobs.book_check`.
        columns: the same as a snapshot holds them, where they are known already.
        collateral: terms of the collateral tokens.
        spots, bands: per underlying, in order; bands in basis points.
        windows: (settlement sum, covered seconds) of expiries in or after their window.
        prices: settlement price of every expired, still held expiry; 0 while not final.
    """

    chain_id: int
    block: BlockRef
    header: Header
    limits: Limits
    spots: tuple[Spot, ...]
    bands: tuple[tuple[int, int, int], ...]
    listings: tuple[Listing, ...]
    accounts: Sequence[AccountRow]
    windows: dict[tuple[int, int], tuple[int, int]]
    prices: dict[tuple[int, int], int]
    collateral: tuple[ListingRow, ...] = ()
    columns: Accounts | None = None

    @cached_property
    def states(self) -> Accounts:
        """Accounts as a snapshot holds them."""
        if self.columns is not None:
            return self.columns
        return accounts_of(self.accounts, self.collateral)

    @cached_property
    def rows(self) -> Mapping[int, AccountRow]:
        """Accounts by id."""
        return {row.account: row for row in self.accounts}

    def priced_expiries(self) -> dict[int, list[int]]:
        """Expiries by underlying that the market must hold: listed and alive, or expired and still held."""
        held = held_expiries(self.states)
        now = self.block.timestamp
        listed = {(x.underlying, x.expiry) for x in self.listings if x.expiry > now} | held
        return {u: sorted(e for v, e in listed if v == u) for u in range(1, len(self.spots) + 1)}


def held_expiries(accounts: Accounts) -> set[tuple[int, int]]:
    """(underlying, expiry) of every open leg that expires."""
    found = (Instrument.unpack(instrument) for instrument in accounts.held)
    return {(i.underlying, i.expiry) for i in found if i.expiry}


def observe(books: Books, protocol: Protocol, block: BlockRef) -> ChainView:
    """Read the protocol at a block that the index has reached, and check the books against it.

    Raises:
        ObservationError: an account's book differs from the chain's.
        NodeError: the node did not answer.
    """
    at, now = block.hash, block.timestamp
    census = books.at(block)
    books.check.run(protocol, block, census.rows, census.accounts)
    listings = tuple(protocol.listings(at))
    held = held_expiries(census.accounts)
    expiring = sorted(
        {(x.underlying, x.expiry) for x in listings if now < x.expiry <= now + 1_800}
        | {p for p in held if p[1] <= now}
    )
    spots = tuple(protocol.spots(at))
    expired = [pair for pair in expiring if pair[1] <= now]
    return ChainView(
        chain_id=protocol.deployment.chain_id,
        block=block,
        header=protocol.header(at),
        limits=protocol.limits(at),
        spots=spots,
        bands=tuple(protocol.bands(at, len(spots))),
        listings=listings,
        accounts=[census.rows[account] for account in census.accounts.ids.tolist()],
        windows=dict(zip(expiring, protocol.settlement_windows(at, expiring), strict=True)),
        prices=dict(zip(expired, protocol.settlement_prices(at, expired), strict=True)),
        collateral=census.listings,
        columns=census.accounts,
    )
