"""Which instruments get a leaf: a rule, not a choice, so that every keeper finds the same ones."""

from collections.abc import Sequence

from keeper.chain.contracts import Listing
from keeper.markets.instrument import Instrument, Kind

MAX_STRIKES = 25  # per expiry, those nearest to the spot


def universe(
    listings: Sequence[Listing], effective: Sequence[int], held: Sequence[int], now: int
) -> tuple[int, ...]:
    """Packed instruments, ascending.

    Args:
        listings: listed expiries with their grids, 1e-8 USD.
        effective: effective spot per underlying, in order, 1e-8 USD.
        held: packed instruments of all open legs.
        now: unix seconds; what has expired gets no leaf.
    """
    found = {Instrument(u, 0, 0, Kind.PERP).pack() for u in range(1, len(effective) + 1)}
    for listing in listings:
        if listing.expiry > now:
            found |= _of_expiry(listing, effective[listing.underlying - 1])
    found |= {packed for packed in held if not 0 < Instrument.unpack(packed).expiry <= now}
    return tuple(sorted(found))


def _of_expiry(listing: Listing, spot: int) -> set[int]:
    found = {Instrument(listing.underlying, listing.expiry, 0, Kind.FUTURE).pack()}
    for strike in _strikes(listing, spot):
        for kind in (Kind.CALL, Kind.PUT):
            found.add(Instrument(listing.underlying, listing.expiry, strike, kind).pack())
    return found


def _strikes(listing: Listing, spot: int) -> list[int]:
    if listing.step == 0:
        return []
    last = (listing.highest - listing.lowest) // listing.step
    middle = min(max((spot - listing.lowest) // listing.step, 0), last)
    first = min(max(middle - MAX_STRIKES // 2, 0), max(last - MAX_STRIKES + 1, 0))
    count = min(MAX_STRIKES, last + 1)
    return [listing.lowest + (first + i) * listing.step for i in range(count)]
