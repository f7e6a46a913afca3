"""The running hash of a book: what happened to it, in order, and how often.

Layout of the 32 bytes: hash (208 high bits) | other changes (24) | fills (24). A leaf that states the hash
therefore says by itself how many changes lie between it and now. Fills are what a record outlives: counted
fills, collateral put in, shares bought in an auction.
"""

from eth_utils.crypto import keccak

from keeper.units.constants import CHANGE_COLLATERAL, CHANGE_FILL, CHANGE_PURCHASE

FILLS = frozenset({CHANGE_FILL, CHANGE_COLLATERAL, CHANGE_PURCHASE})
EMPTY = bytes(32)  # of an account that never traded
COUNTER_BITS = 24
CHANGES_BITS = 2 * COUNTER_BITS
_COUNTER_MASK = (1 << COUNTER_BITS) - 1
_CHANGES_MASK = (1 << CHANGES_BITS) - 1


def fold(book_hash: bytes, kind: int, instrument: int, quantity: int, price: int) -> bytes:
    """Hash of a book after one change.

    Args:
        kind: CHANGE_*.
        instrument: packed; of a change of collateral: the token's index; of a share: 0.
        quantity: signed WAD; of a share: the fraction, negative for the seller.
        price: WAD per unit; of a purchase: the seller's account.
    """
    # five words as abi_encode makes them; cutting them by hand is four times as fast
    change = (
        kind.to_bytes(32),
        instrument.to_bytes(32),
        quantity.to_bytes(32, signed=True),
        price.to_bytes(32),
    )
    digest = int.from_bytes(keccak(b"".join((book_hash, *change))))
    counted = fills(book_hash) + (kind in FILLS)
    uncounted = others(book_hash) + (kind not in FILLS)
    low = (uncounted & _COUNTER_MASK) << COUNTER_BITS | counted & _COUNTER_MASK
    return (digest >> CHANGES_BITS << CHANGES_BITS | low).to_bytes(32, "big")


def changes(book_hash: bytes) -> int:
    """Both counters as the record keeps them: others (24 bits) | fills (24 bits)."""
    return int.from_bytes(book_hash, "big") & _CHANGES_MASK


def fills(book_hash: bytes) -> int:
    """Number of fills, modulo 2^24."""
    return changes(book_hash) & _COUNTER_MASK


def others(book_hash: bytes) -> int:
    """Number of all other changes, modulo 2^24."""
    return changes(book_hash) >> COUNTER_BITS


def fills_between(earlier: int, later: int) -> int | None:
    """Fills from one pair of counters to a later one; None if anything but fills lies between."""
    if earlier >> COUNTER_BITS != later >> COUNTER_BITS:
        return None
    return (later - earlier) & _COUNTER_MASK
