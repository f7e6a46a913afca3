"""Everything one decision needs from the chain, read at one block's hash."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from keeper.attestation.snapshot import AccountState
from keeper.chain.contracts import AccountHead, Header, Limits, Listing, Protocol, Spot
from keeper.chain.index import Index
from keeper.chain.node import BlockRef
from keeper.clearing import collateral as tokens
from keeper.markets.instrument import Instrument, Leg
from keeper.risk.collateral import Collateral
from keeper.store.index_store import AccountRow, ListingRow


class ObservationError(RuntimeError):
    """The index and the chain disagree: nothing may be decided or signed on it."""


@dataclass(frozen=True)
class ChainView:
    """The protocol in one block. Prices are 1e-8 USD, times unix seconds.

    Attributes:
        accounts: as indexed, verified against the chain's book hashes and leg counts.
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
    accounts: tuple[AccountRow, ...]
    windows: dict[tuple[int, int], tuple[int, int]]
    prices: dict[tuple[int, int], int]
    collateral: tuple[ListingRow, ...] = ()

    @property
    def states(self) -> tuple[AccountState, ...]:
        """Accounts as a snapshot holds them."""
        return tuple(account_state(row, self.collateral) for row in self.accounts)

    def priced_expiries(self) -> dict[int, list[int]]:
        """Expiries by underlying that the market must hold: listed and alive, or expired and still held."""
        held = held_expiries(self.accounts)
        now = self.block.timestamp
        listed = {(x.underlying, x.expiry) for x in self.listings if x.expiry > now} | held
        return {u: sorted(e for v, e in listed if v == u) for u in range(1, len(self.spots) + 1)}


def account_state(row: AccountRow, listings: Iterable[ListingRow]) -> AccountState:
    """An indexed account as a snapshot holds it.

    Raises:
        ObservationError: it holds a token that is not listed.
    """
    legs = tuple(Leg(instrument, quantity) for instrument, quantity in row.positions)
    held = collateral_of(dict(row.collateral), listings)
    return AccountState(
        row.account, legs, row.added_im, row.added_mark, row.book_hash, row.tier, collateral=held
    )


def collateral_of(balances: Mapping[int, int], listings: Iterable[ListingRow]) -> tuple[Collateral, ...]:
    """Balances (token's index -> WAD) of what counts, and how much; ObservationError if one is unlisted."""
    terms = {listing.index: listing for listing in listings}
    unknown = set(balances) - set(terms)
    if unknown:
        raise ObservationError(f"index: collateral tokens {sorted(unknown)} are held but not listed")
    return tuple(
        Collateral(
            index,
            terms[index].underlying,
            terms[index].initial_haircut,
            terms[index].maintenance_haircut,
            amount,
        )
        for index, amount in sorted(balances.items())
        if terms[index].counts
    )


def in_force(row: ListingRow, now: int) -> ListingRow:
    """A token's terms at a time, unix seconds: one that is delisted counts less and less, then nothing."""
    listing = tokens.Listing(
        row.index,
        row.decimals,
        row.underlying,
        row.initial_haircut,
        row.maintenance_haircut,
        row.cap,
        row.since,
        row.until,
    )
    return replace(
        row,
        initial_haircut=listing.haircut(row.initial_haircut, now),
        maintenance_haircut=listing.haircut(row.maintenance_haircut, now),
        counts=listing.counts(now),
    )


def held_expiries(accounts: tuple[AccountRow, ...] | list[AccountRow]) -> set[tuple[int, int]]:
    """(underlying, expiry) of every open leg that expires."""
    found = (Instrument.unpack(instrument) for row in accounts for instrument, _ in row.positions)
    return {(i.underlying, i.expiry) for i in found if i.expiry}


def observe(index: Index, protocol: Protocol, block: BlockRef) -> ChainView:
    """Read and verify the protocol at a block that the index has reached.

    Raises:
        ObservationError: an account's book differs from the chain's.
        NodeError: the node did not answer.
    """
    at, now = block.hash, block.timestamp
    accounts = tuple(index.accounts(block.number))
    verify_books(accounts, protocol.account_heads(at, [row.account for row in accounts]))
    if protocol.account_count(at) != len(accounts):
        raise ObservationError(f"index: the chain has other accounts than the {len(accounts)} indexed")
    listings = tuple(protocol.listings(at))
    held = held_expiries(accounts)
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
        accounts=accounts,
        windows=dict(zip(expiring, protocol.settlement_windows(at, expiring), strict=True)),
        prices=dict(zip(expired, protocol.settlement_prices(at, expired), strict=True)),
        collateral=tuple(in_force(row, now) for row in index.listings(block.number)),
    )


def verify_books(accounts: tuple[AccountRow, ...], heads: list[AccountHead]) -> None:
    """The index must hold exactly the book whose hash the chain states. Raises ObservationError naming the
    account."""
    for row, head in zip(accounts, heads, strict=True):
        ours = (len(row.positions), row.added_im, row.added_mark, row.book_hash)
        theirs = (head.leg_count, head.added_im, head.added_mark, head.book_hash)
        for name, mine, other in zip(
            ("leg count", "added IM", "added mark", "book hash"), ours, theirs, strict=True
        ):
            if mine != other:
                raise ObservationError(f"index: {name} of account {row.account} differs from the chain's")
