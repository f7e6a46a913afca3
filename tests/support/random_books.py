"""Random books by the thousand, on a market with smiles, several expiries and underlyings of every kind."""

import numpy as np

from keeper.markets.instrument import Instrument, Kind
from keeper.pricing.market import ExpiryMarket, Market, UnderlyingMarket
from keeper.risk.books import Books
from keeper.units.constants import SECONDS_PER_YEAR

NOW = 1_750_000_000
DAY = 86_400
# two that offset each other, one that offsets nothing, one without parameters of its own
SPOTS = {1: 80_000, 2: 2_000, 3: 100, 9: 5}
DAYS = (1, 7, 30, 120)


def smile_market(days: tuple[int, ...] = DAYS) -> Market:
    """Forwards a little above spot, vol 60 % at the money, skewed smiles."""
    return Market(
        NOW,
        tuple(
            UnderlyingMarket(u, spot * 10**8, spot * 10**8, tuple(_expiry(spot, d) for d in days))
            for u, spot in SPOTS.items()
        ),
    )


def _expiry(spot: int, days: int) -> ExpiryMarket:
    variance = 36 * 10**10 * days * DAY // SECONDS_PER_YEAR
    forward = spot * 10**8 * (10_000 + days) // 10_000
    return ExpiryMarket(NOW + days * DAY, forward, (variance // 2, variance // 4, -3 * 10**11, 0, 10**12))


def universe(market: Market, strikes: int = 7, step_percent: int = 6) -> list[int]:
    """Perps, futures, and calls and puts at `strikes` strikes around spot."""
    found = []
    for listed in market.underlyings:
        found.append(Instrument(listed.underlying, 0, 0, Kind.PERP).pack())
        prices = [listed.effective * (100 + step_percent * (k - strikes // 2)) // 100 for k in range(strikes)]
        for expiry in listed.expiries:
            found.append(Instrument(listed.underlying, expiry.expiry, 0, Kind.FUTURE).pack())
            found += [
                Instrument(listed.underlying, expiry.expiry, strike, kind).pack()
                for strike in prices
                for kind in (Kind.CALL, Kind.PUT)
            ]
    return found


def random_books(instruments: int, accounts: int, legs: int, seed: int, *, most_coins: float = 1e3) -> Books:
    """Up to `legs` legs each, sizes from a hundredth of a coin up to `most_coins`, as likely small as large.

    Args:
        instruments: rows of the table.
    """
    random = np.random.default_rng(seed)
    rows = np.sort(random.integers(0, instruments, (accounts, legs)), axis=1)
    is_held = random.integers(0, legs + 1, accounts)[:, None] > np.arange(legs)[None, :]
    is_held[:, 1:] &= rows[:, 1:] != rows[:, :-1]
    sizes = np.exp(random.uniform(np.log(0.01), np.log(most_coins), (accounts, legs)))
    quantities = np.rint(sizes * 100).astype(np.int64) * 10**6 * random.choice([-1, 1], (accounts, legs))
    indptr = np.concatenate([[0], np.cumsum(is_held.sum(axis=1))]).astype(np.int64)
    return Books(indptr, rows[is_held].astype(np.int32), quantities[is_held])


def merged(one: Books, other: Books, instruments: int) -> Books:
    """The sums of the accounts of both, leg by leg; what cancels is dropped."""
    keys, quantities = [], np.concatenate([one.quantities, other.quantities])
    for books in (one, other):
        owner = np.repeat(np.arange(len(books)), np.diff(books.indptr))
        keys.append(owner * instruments + books.rows)
    distinct, where = np.unique(np.concatenate(keys), return_inverse=True)
    total = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(total, where, quantities)
    owner = distinct[total != 0] // instruments
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(one)))]).astype(np.int64)
    return Books(indptr, (distinct[total != 0] % instruments).astype(np.int32), total[total != 0])
