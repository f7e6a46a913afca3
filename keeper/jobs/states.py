"""Indexed accounts as a snapshot holds them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from keeper.attestation.accounts import Accounts
from keeper.attestation.snapshot import AccountState
from keeper.clearing import collateral as tokens
from keeper.markets.instrument import Leg
from keeper.risk.collateral import Collateral
from keeper.store.index_store import AccountRow, ListingRow


class ObservationError(RuntimeError):
    """The index and the chain disagree: nothing may be decided or signed on it."""


class DisagreementError(ObservationError):
    """The accounts of the index are not those of the chain's state: events are missing."""


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


def accounts_of(rows: Iterable[AccountRow], listings: Iterable[ListingRow]) -> Accounts:
    """Many of them, ascending, as columns. Raises as `account_state`."""
    terms = tuple(listings)
    return Accounts.build(
        [
            (
                row.account,
                row.positions,
                row.added_im,
                row.added_mark,
                row.book_hash,
                row.tier,
                collateral_of(dict(row.collateral), terms) if row.collateral else (),
            )
            for row in rows
        ]
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
