"""The outflow limit: how much of a token may leave per hour beyond what its owners brought themselves.

Amounts are in the token's own decimals. The bucket holds what left beyond the exempt part and drains at one
limit per hour. The exempt part neither fills the bucket nor do deposits empty it: else a borrowed deposit
taken straight back would either block everybody's withdrawals or clear the bucket for its owner's gains.
"""

from dataclasses import dataclass

from keeper.units.constants import WAD

DRAIN_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Bucket:
    """Level at a time, unix seconds."""

    level: int = 0
    updated_at: int = 0


def limit(held: int, share: int) -> int:
    """Highest level of the bucket while `held` tokens are in custody, rounded down."""
    return held * share // WAD


def level(bucket: Bucket, capacity: int, now: int) -> int:
    """Level now; it drains by `capacity` per hour, rounded against the withdrawer."""
    return max(0, bucket.level - capacity * (now - bucket.updated_at) // DRAIN_SECONDS)


def exceeds(bucket: Bucket, amount: int, exempt: int, held: int, share: int, now: int) -> bool:
    """Whether withdrawing `amount` of the `held` tokens passes the limit."""
    counted = max(0, amount - exempt)
    capacity = limit(held, share)
    return counted > 0 and level(bucket, capacity, now) + counted > capacity


def withdrawn(bucket: Bucket, amount: int, exempt: int, held: int, share: int, now: int) -> Bucket:
    """The bucket after a withdrawal of `amount`; `held` is before it. An exempt one does not touch it."""
    if amount <= exempt:
        return bucket
    return Bucket(level(bucket, limit(held, share), now) + amount - exempt, now)


def backed(amount: int, held: int, found: int) -> int:
    """What of an amount is there when `found` of the `held` tokens are: every owner's share, rounded down."""
    return amount if found >= held else amount * found // held
